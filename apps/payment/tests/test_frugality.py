"""A purchase is the dearest thing that people do, so what it asks of the database is counted."""

from contextlib import contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import event

from chassis.database import AUTOCOMMIT
from payment.models import db
from payment.payment_life import STATES, can_have_refunds

NOBODY = "http://127.0.0.1:9/"


@contextmanager
def counted(desk):
    """The names of the prepared statements, and whatever else reaches the database in full."""
    asked = []

    def count(_connection, _cursor, sql, *_):
        if not sql.startswith("PREPARE"):
            asked.append(sql.removeprefix("EXECUTE ").partition(" (")[0])

    with desk.app.app_context():
        engines = [db.engine, db.engines[AUTOCOMMIT]]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", count)
    try:
        yield asked
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", count)


def test_a_purchase_takes_eight_round_trips_and_tells_order_twice(desk, monkeypatch):
    monkeypatch.setattr(desk.parts.provider, "_events_url", NOBODY)
    payment_id, order = uuid4(), desk.new_order()
    with counted(desk) as asked:
        assert desk.put(payment_id, order).status_code == 201
    assert asked == ["record_payment", "fix_amount", "move_payment"]
    desk.pay(payment_id, "Approves")
    with counted(desk) as asked:
        desk.notify(desk.event(payment_id))
    assert asked == ["keep_event", "move_payment", "move_payment", "move_and_post"]
    with counted(desk) as asked:
        desk.notify(desk.event(payment_id, "payment.captured"))
    assert asked == ["keep_event"]
    assert desk.state(payment_id) == "captured"
    assert desk.order.calls == {"pin": 1, "confirm": 1}


def test_a_worker_with_nothing_to_do_asks_one_question_a_round(desk):
    with counted(desk) as asked:
        desk.reconcile()
        desk.run_refunds()
    assert asked == ["is_any_due", "is_any_refund_due"]


@pytest.mark.parametrize("state", STATES)
def test_only_a_payment_that_was_never_paid_is_shown_without_asking_for_refunds(state):
    assert can_have_refunds(state, owed_minor=0) == (state not in {"created", "pending"})
    assert can_have_refunds(state, owed_minor=1)


def test_a_refund_of_a_pending_payment_is_shown(desk):
    payment_id = desk.open()
    assert desk.refund(payment_id, 50_000).status_code == 201
    assert [refund["amount_minor"] for refund in desk.shown(payment_id)["refunds"]] == [50_000]
