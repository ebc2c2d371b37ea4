"""
Whatever happens in whatever order - payments, cards, events, troubles, refunds, the reconciler -
the money adds up at every moment, and in the end nobody has paid for nothing.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chassis.testing import empty_tables
from payment.models import db

CARDS = ["Never notifies", "Wallet, one step", "Declines", "Insufficient funds", "Capture refused",
         "Capture fails at first", "Wrong amount", "Wallet, wrong amount"]  # fmt: skip
EVENTS = ["payment.authorised", "payment.captured", "payment.declined", "payment.voided",
          "payment.expired", "refund.succeeded"]  # fmt: skip
TROUBLES = st.sampled_from([None, 500, 401, 404, "crash"])
NOBODY = "http://127.0.0.1:9/"


class Money(RuleBasedStateMachine):
    desk = None

    def __init__(self):
        super().__init__()
        self.payments, self.later = [], 0

    def pick(self, data):
        return data.draw(st.sampled_from(self.payments))

    @rule()
    def open(self):
        order = self.desk.new_order()
        payment_id = self.desk.open(order) if not self.desk.order.troubles.get("pin") else None
        if payment_id:
            self.payments.append((payment_id, order))

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), card=st.sampled_from(CARDS))
    def pay(self, data, card):
        self.desk.pay(self.pick(data)[0], card)

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), event_type=st.sampled_from(EVENTS))
    def hear(self, data, event_type):
        assert self.desk.notify(self.desk.event(self.pick(data)[0], event_type)).status_code == 200

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), are_gone=st.booleans())
    def sell_the_seats_to_another_or_not(self, data, are_gone):
        self.pick(data)[1].are_seats_gone = are_gone

    @rule(
        kind=st.sampled_from(["unpin", "confirm", "failure"]),
        troubles=st.lists(TROUBLES, max_size=2),
    )
    def trouble_order(self, kind, troubles):
        self.desk.order.troubles[kind] = troubles

    @precondition(lambda self: self.payments)
    @rule(data=st.data(), amount_minor=st.integers(1, 80_000))
    def cancel_for_a_refund(self, data, amount_minor):
        payment_id, order = self.pick(data)
        if order.state == "confirmed":
            order.state, order.cancellations = "cancelled", order.cancellations + 1
            assert self.desk.refund(payment_id, amount_minor).status_code in {201, 409}

    @rule()
    def work(self):
        self.later += 400
        self.desk.reconcile(after=self.later)
        self.desk.run_refunds(after=self.later)

    @invariant()
    def the_ledger_says_what_happened(self):
        assert sum(self.desk.balances().values()) == 0
        for payment_id, _ in self.payments:
            row, session = self.desk.row(payment_id), self.desk.at_provider(payment_id)
            refunds = self.desk.shown(payment_id)["refunds"]
            given = sum(one["amount_minor"] for one in refunds if one["state"] == "succeeded")
            owed = sum(one["amount_minor"] for one in refunds if one["state"] != "not_needed")
            assert given <= row.captured_minor <= session.captured_minor
            assert owed <= (row.captured_minor or row.amount_minor)
            assert given <= sum(one["amount_minor"] for one in session.refunds)

    @invariant()
    def no_captured_money_without_a_sale_or_a_way_back(self):
        for payment_id, order in self.payments:
            shown = self.desk.shown(payment_id)
            if shown["state"] == "captured":
                assert order.state in {"confirmed", "cancelled"}
            if shown["state"] in {"voided", "declined", "failed", "refunded"} and (
                shown["state"] != "failed" or self.desk.row(payment_id).owed_to_order is None
            ):
                assert order.state != "confirmed"

    def teardown(self):
        self.desk.order.troubles.clear()
        for _ in range(6):
            self.work()
        for payment_id, order in self.payments:
            state, session = self.desk.state(payment_id), self.desk.at_provider(payment_id)
            kept = session.captured_minor - sum(r["amount_minor"] for r in session.refunds)
            assert state not in {"created", "authorised", "confirmed"}
            assert session.state != "authorised"
            assert (order.state == "confirmed") <= (kept == 71_000)
            assert kept == 0 or order.state == "confirmed" or order.cancellations
            assert (state == "pending") == (session.state == "open")
        clearing = self.desk.balances().get("provider_clearing", 0)
        truth = [self.desk.at_provider(payment_id) for payment_id, _ in self.payments]
        assert clearing == sum(
            one.captured_minor - sum(r["amount_minor"] for r in one.refunds) for one in truth
        )
        self.desk.order.reset()
        empty_tables(self.desk.app, db)


@pytest.mark.timeout(240)
def test_the_money_adds_up_whatever_happens(desk, monkeypatch):
    monkeypatch.setattr(desk.parts.provider, "_events_url", NOBODY)
    monkeypatch.setattr(Money, "desk", desk)
    case = Money.TestCase
    case.settings = settings(
        max_examples=10, stateful_step_count=20, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    case().runTest()
