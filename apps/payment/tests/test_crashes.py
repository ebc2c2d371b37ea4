"""
A crash at any step is finished by whoever comes next.

Each flow is run once whole to count its boundaries - before and after every call to a neighbour,
before every commit, and before every statement that is a transaction by itself - and then once for
each boundary with a crash exactly there, as if the process had been killed. Afterwards only the
passenger's repetition and the reconciler act.
"""

import functools
from uuid import uuid4

import pytest
from sqlalchemy import event

from chassis.database import AUTOCOMMIT
from chassis.testing import empty_tables
from payment import statements
from payment.models import db

# The provider's own notices would act at the same time; here only this test's event arrives.
NOBODY = "http://127.0.0.1:9/"
WRITES = tuple(
    statement.execute.partition(" (")[0]
    for statement in (
        statements.RECORD_PAYMENT,
        statements.FIX_AMOUNT,
        statements.KEEP_EVENT,
        statements.MOVE_PAYMENT,
        statements.MOVE_AND_POST,
    )
)
RECOVERY = (20, 140, 200, 400, 800, 1600)


class Killed(BaseException):
    """No handler of ours may catch it, as none catches SIGKILL."""


class Boundaries:
    """Counts the boundaries of a flow and dies at the chosen one, once."""

    def __init__(self, desk, monkeypatch):
        self.passed, self.passed_in_flow, self.dies_at = 0, 0, None
        calls = {"order": ("pin", "unpin", "confirm", "report_failure"),
                 "provider": ("open_session", "session", "capture", "void", "refund")}  # fmt: skip
        for neighbour, names in calls.items():
            client = getattr(desk.parts, neighbour)
            for name in names:
                monkeypatch.setattr(client, name, self._watched(getattr(client, name)))
        with desk.app.app_context():
            self._listened = [
                (db.session, "before_commit", self._before_commit),
                (db.engines[AUTOCOMMIT], "before_cursor_execute", self._before_statement),
            ]
        for listened in self._listened:
            event.listen(*listened)

    def close(self):
        for listened in self._listened:
            event.remove(*listened)

    def _before_commit(self, _session):
        self.here()

    def _before_statement(self, _connection, _cursor, sql, *_):
        if sql.startswith(WRITES):
            self.here()

    def _watched(self, call):
        @functools.wraps(call)
        def watched(*args, **kwargs):
            self.here()
            answer = call(*args, **kwargs)
            self.here()
            return answer

        return watched

    def here(self):
        self.passed += 1
        if self.passed == self.dies_at:
            raise Killed


def run_flow(desk, boundaries, card, *, are_seats_gone, dies_at):
    """Gives the payment and its order, after a crash at `dies_at` and the recovery from it."""
    order = desk.new_order()
    payment_id = uuid4()
    boundaries.passed, boundaries.dies_at = 0, dies_at
    try:
        desk.put(payment_id, order)
        desk.pay(payment_id, card)
        order.are_seats_gone = are_seats_gone
        desk.notify(desk.event(payment_id))
        desk.run_refunds()
    except Killed:
        pass
    boundaries.passed_in_flow, boundaries.dies_at = boundaries.passed, None
    if desk.row(payment_id) is None or desk.row(payment_id).state == "created":
        desk.put(payment_id, order)
        desk.pay(payment_id, card)
        order.are_seats_gone = are_seats_gone
    for after in RECOVERY:
        desk.reconcile(after=after)
        desk.run_refunds(after=after)
    return payment_id, order


FLOWS = {
    "captured": ("Never notifies", False, {"provider_clearing": 71_000}),
    "voided": ("Never notifies", True, {}),
    "refunded": ("Wallet, one step", True, {"provider_clearing": 0}),
    "failed": ("Capture refused", False, {}),
    "declined": ("Declines", False, {}),
}


@pytest.mark.parametrize("outcome", FLOWS)
def test_a_crash_at_any_boundary_ends_as_if_there_had_been_none(desk, monkeypatch, outcome):
    card, are_seats_gone, balance = FLOWS[outcome]
    monkeypatch.setattr(desk.parts.provider, "_events_url", NOBODY)
    boundaries = Boundaries(desk, monkeypatch)
    try:
        run_flow(desk, boundaries, card, are_seats_gone=are_seats_gone, dies_at=10**6)
        boundaries_of_flow = boundaries.passed_in_flow
        assert boundaries_of_flow > 15
        for dies_at in range(1, boundaries_of_flow + 1):
            desk.order.reset()
            empty_tables(desk.app, db)
            payment_id, order = run_flow(
                desk, boundaries, card, are_seats_gone=are_seats_gone, dies_at=dies_at
            )
            where = f"crash at boundary {dies_at}"
            assert desk.state(payment_id) == outcome, where
            assert_is_consistent(desk, payment_id, order, where)
            clearing = desk.balances().get("provider_clearing")
            assert clearing == balance.get("provider_clearing"), where
            assert sum(desk.balances().values()) == 0, where
    finally:
        boundaries.close()


def assert_is_consistent(desk, payment_id, order, where):
    """Paid and sold, or neither; nobody is left waiting; one mail at most."""
    state, session, row = desk.state(payment_id), desk.at_provider(payment_id), desk.row(payment_id)
    kept = session.captured_minor - sum(one["amount_minor"] for one in session.refunds)
    assert (order.state == "confirmed") == (kept == 71_000), where
    assert kept in {0, 71_000}, where
    assert session.state != "authorised", where
    assert row.owed_to_order is None, where
    assert row.look_at is None, where
    assert order.state != "paying", where
    assert len(desk.mails()) == (state in {"voided", "refunded", "failed"}), where
