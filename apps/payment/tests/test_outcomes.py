"""Payment succeeds if the seats can still be had, otherwise the money goes back by itself."""

from datetime import timedelta
from uuid import uuid4

import pytest

from chassis.application import utc_now


def hear(desk, payment_id):
    assert desk.notify(desk.event(payment_id)).status_code == 200
    return desk.state(payment_id)


@pytest.mark.parametrize("code", ["hold_lost", "order_already_confirmed", "amount_differs"])
def test_authorised_money_for_lost_seats_is_voided_once_with_a_mail(desk, code):
    payment_id = desk.paid("Never notifies")
    desk.order.troubles["confirm"] = [code, code]
    assert hear(desk, payment_id) == "voided"
    assert desk.shown(payment_id)["reason"] == code
    assert hear(desk, payment_id) == "voided"
    assert desk.at_provider(payment_id).state == "voided"
    assert desk.mails() == ["Your payment of BDT 710.00 was not taken"]
    assert desk.balances() == {}


@pytest.mark.parametrize("code", ["hold_lost", "order_already_confirmed"])
def test_money_taken_in_one_step_for_lost_seats_is_refunded_in_full_once_with_a_mail(desk, code):
    payment_id = desk.open()
    desk.order.troubles["confirm"] = [code, code]
    desk.pay(payment_id, "Wallet, one step")
    assert desk.wait_for(payment_id, "refunded") == "refunded"
    refund = desk.shown(payment_id)["refunds"][0]
    assert (refund["state"], refund["amount_minor"], refund["reason"]) == (
        "requested",
        71_000,
        code,
    )
    assert desk.run_refunds() == 1
    assert desk.run_refunds(after=100) == 0
    assert desk.shown(payment_id)["refunds"][0]["state"] == "succeeded"
    assert [one["amount_minor"] for one in desk.at_provider(payment_id).refunds] == [71_000]
    assert desk.mails() == ["Your money is on its way back: BDT 710.00"]
    assert desk.balances() == {"provider_clearing": 0, "passenger_payments": 0}


def test_an_order_that_is_gone_gets_its_money_back(desk):
    payment_id = desk.paid("Never notifies")
    desk.order.orders.clear()
    assert hear(desk, payment_id) == "voided"
    assert desk.shown(payment_id)["reason"] == "order_not_found"


def test_money_in_one_step_for_seats_that_are_there_is_captured(desk):
    payment_id = desk.paid("Wallet, one step")
    assert desk.wait_for(payment_id, "captured") == "captured"
    assert desk.balances() == {"provider_clearing": 71_000, "passenger_payments": -71_000}


@pytest.mark.parametrize("trouble", [500, 503, 401, 403, 404, 429, "slow", "crash"])
def test_an_order_service_that_does_not_answer_plainly_is_asked_again(desk, trouble):
    """Above all after "crash" and "slow", where order has sold the seats and nobody heard it."""
    payment_id = desk.paid("Never notifies")
    desk.order.troubles["confirm"] = [trouble, trouble]
    assert hear(desk, payment_id) == "authorised"
    assert desk.at_provider(payment_id).state == "authorised"
    desk.reconcile(after=20)
    desk.reconcile(after=60)
    assert desk.state(payment_id) == "captured"
    assert desk.mails() == []


def test_an_order_confirmed_and_cancelled_before_we_heard_of_it_is_captured_and_refunded(desk):
    """The refund that order asks for proves its yes: the fee is kept, the rest goes back."""
    payment_id = desk.paid("Never notifies")
    order = desk.order.orders[desk.shown(payment_id)["order_id"]]
    desk.order.troubles["confirm"] = ["crash"]
    assert hear(desk, payment_id) == "authorised"
    assert order.state == "confirmed"
    order.state = "cancelled"
    assert desk.refund(payment_id, 50_000).status_code == 201
    desk.reconcile(after=20)
    assert desk.state(payment_id) == "captured"
    desk.run_refunds()
    assert desk.balances() == {"provider_clearing": 21_000, "passenger_payments": -21_000}


def test_a_yes_to_one_and_a_no_to_another_of_two_at_once_ends_in_a_yes(desk, monkeypatch):
    """Order said no to us and yes to a twin of ours: asked once more, it says what it did."""
    payment_id = desk.paid("Never notifies")
    order = desk.order.orders[desk.shown(payment_id)["order_id"]]
    unpin = desk.parts.order.unpin

    def unpin_after_the_twin(order_id, given):
        order.state = "confirmed"
        unpin(order_id, given)

    monkeypatch.setattr(desk.parts.order, "unpin", unpin_after_the_twin)
    desk.order.troubles["confirm"] = ["hold_lost"]
    assert hear(desk, payment_id) == "captured"
    assert order.state == "confirmed"


def test_after_its_no_is_on_record_order_cannot_change_its_mind(desk):
    payment_id = desk.paid("Never notifies")
    order = desk.order.orders[desk.shown(payment_id)["order_id"]]
    order.are_seats_gone = True
    desk.order.troubles["unpin"] = [500]
    assert hear(desk, payment_id) == "authorised"
    assert desk.row(payment_id).refusal == "hold_lost"
    desk.reconcile(after=20)
    assert desk.state(payment_id) == "voided"
    order.are_seats_gone = False
    assert hear(desk, payment_id) == "voided"
    assert order.state == "held"


def test_a_capture_that_is_refused_for_good_takes_the_confirmation_back(desk):
    payment_id = desk.paid("Capture refused")
    assert desk.wait_for(payment_id, "failed") == "failed"
    order = desk.order.orders[desk.shown(payment_id)["order_id"]]
    desk.reconcile(after=20)
    assert (order.state, order.cancellations) == ("cancelled", 1)
    assert desk.at_provider(payment_id).state == "voided"
    assert desk.mails() == ["Your payment of BDT 710.00 did not go through"]
    assert desk.irregularities() == ["failed"]
    assert desk.balances() == {}


def test_order_is_told_of_a_refused_capture_until_it_hears(desk):
    desk.order.troubles["failure"] = [500, "slow", "crash"]
    payment_id = desk.paid("Capture refused")
    assert desk.wait_for(payment_id, "failed") == "failed"
    for after in (20, 60, 150, 300):
        desk.reconcile(after=after)
    order = desk.order.orders[desk.shown(payment_id)["order_id"]]
    assert (order.state, order.cancellations) == ("cancelled", 1)
    assert desk.row(payment_id).owed_to_order is None
    assert desk.row(payment_id).look_at is None


def test_a_capture_that_fails_at_first_is_tried_until_it_works(desk):
    payment_id = desk.paid("Capture fails at first")
    assert desk.wait_for(payment_id, "confirmed") == "confirmed"
    desk.reconcile(after=20)
    desk.reconcile(after=60)
    assert desk.state(payment_id) == "captured"


@pytest.mark.parametrize(
    ("card", "reason"),
    [("Declines", "declined_by_bank"), ("Insufficient funds", "insufficient_funds")],
)
def test_a_decline_gives_the_order_back_and_a_new_payment_can_be_tried(desk, card, reason):
    order = desk.new_order()
    first = desk.open(order)
    desk.pay(first, card)
    assert desk.wait_for(first, "declined") == "declined"
    assert desk.shown(first)["reason"] == reason
    desk.reconcile(after=20)
    assert (order.state, order.payment_id) == ("held", None)
    second = desk.open(order)
    desk.pay(second, "Approves")
    assert desk.wait_for(second, "captured") == "captured"
    assert desk.state(first) == "declined"
    assert desk.mails() == []


def test_another_card_can_be_tried_before_order_has_heard_of_the_decline(desk):
    order = desk.new_order()
    first = desk.open(order)
    desk.order.troubles["unpin"] = [500]
    desk.pay(first, "Declines")
    assert desk.wait_for(first, "declined") == "declined"
    assert order.state == "paying"
    second = uuid4()
    assert desk.put(second, order).json["state"] == "pending"
    assert str(order.payment_id) == str(second)
    assert desk.row(first).owed_to_order is None


def test_a_pin_is_given_up_even_if_order_is_silent_at_first(desk):
    desk.order.troubles["unpin"] = [500, "slow"]
    payment_id = desk.paid("Declines")
    assert desk.wait_for(payment_id, "declined") == "declined"
    for after in (20, 60, 150):
        desk.reconcile(after=after)
    assert desk.order.orders[desk.shown(payment_id)["order_id"]].payment_id is None
    assert desk.row(payment_id).look_at is None


def test_a_payment_nobody_makes_ends_with_the_providers_session(desk):
    payment_id = desk.open(hold_seconds=0.4)
    assert desk.wait_for(payment_id, "declined") == "declined"
    assert desk.shown(payment_id)["reason"] == "session_expired"
    assert desk.mails() == []


def test_a_stalled_payment_ends_with_the_providers_session(desk):
    payment_id = desk.open(hold_seconds=0.8)
    desk.pay(payment_id, "Stalls")
    assert desk.wait_for(payment_id, "declined") == "declined"


def test_late_money_is_honoured_while_the_seats_are_free(desk):
    payment_id = desk.open(hold_seconds=0.5)
    desk.pay(payment_id, "Approves late")
    assert desk.wait_for(payment_id, "declined") == "declined"
    assert desk.wait_for(payment_id, "captured") == "captured"
    order = desk.order.orders[desk.shown(payment_id)["order_id"]]
    assert order.state == "confirmed"
    assert desk.shown(payment_id)["reason"] is None
    assert desk.mails() == []


@pytest.mark.parametrize(
    ("card", "state", "subject"),
    [
        ("Approves late", "voided", "Your payment of BDT 710.00 was not taken"),
        ("Wallet, late", "refunded", "Your money is on its way back: BDT 710.00"),
    ],
)
def test_late_money_for_seats_of_another_goes_back_once_with_a_mail(desk, card, state, subject):
    payment_id = desk.open(hold_seconds=0.5)
    desk.order.orders[desk.shown(payment_id)["order_id"]].are_seats_gone = True
    desk.pay(payment_id, card)
    assert desk.wait_for(payment_id, state) == state
    for after in (0, 100, 1000):
        desk.run_refunds(after=after)
        desk.reconcile(after=after)
    assert desk.state(payment_id) == state
    assert desk.mails() == [subject]
    assert set(desk.balances().values()) <= {0}


def test_late_money_that_nobody_tells_of_is_found_by_asking(desk, monkeypatch):
    monkeypatch.setattr(desk.parts.provider, "_events_url", "http://127.0.0.1:9/")
    payment_id = desk.open(hold_seconds=0.4)
    desk.pay(payment_id, "Approves late")
    assert desk.wait_for_provider(payment_id, "expired") == "expired"
    desk.reconcile(after=20)
    assert desk.state(payment_id) == "declined"
    assert desk.wait_for_provider(payment_id, "authorised") == "authorised"
    desk.reconcile(after=100)
    assert desk.state(payment_id) == "captured"


def test_an_expired_payment_is_watched_for_a_day_and_then_let_go(desk):
    payment_id = desk.open(hold_seconds=0.3)
    assert desk.wait_for(payment_id, "declined") == "declined"
    assert desk.row(payment_id).look_at is not None
    desk.reconcile(after=25 * 3600)
    assert desk.row(payment_id).look_at is None


@pytest.mark.parametrize(
    ("card", "state"), [("Wrong amount", "voided"), ("Wallet, wrong amount", "refunded")]
)
def test_a_wrong_amount_is_never_confirmed_and_goes_back(desk, card, state):
    payment_id = desk.paid(card)
    assert desk.wait_for(payment_id, state) == state
    order = desk.order.orders[desk.shown(payment_id)["order_id"]]
    assert desk.order.calls["confirm"] == 0
    assert (order.state, order.payment_id) == ("held", None)
    desk.run_refunds()
    assert desk.irregularities() == ["provider_amount_mismatch"]
    assert set(desk.balances().values()) <= {0}
    assert len(desk.mails()) == 1
    refunds = [one["amount_minor"] for one in desk.at_provider(payment_id).refunds]
    assert refunds == ([70_900] if state == "refunded" else [])


def test_another_currency_is_never_confirmed(desk, monkeypatch):
    import dataclasses

    payment_id = desk.paid("Never notifies")
    ask = desk.parts.provider.session
    monkeypatch.setattr(
        desk.parts.provider, "session", lambda one: dataclasses.replace(ask(one), currency="USD")
    )
    assert hear(desk, payment_id) == "voided"
    assert desk.order.calls["confirm"] == 0
    assert desk.irregularities() == ["provider_amount_mismatch"]


def test_a_session_that_the_provider_has_lost_is_given_up_when_its_time_is_over(desk, monkeypatch):
    payment_id = desk.open(hold_seconds=30.0)
    monkeypatch.setattr(desk.parts.provider, "session", lambda _: None)
    desk.reconcile(after=60)
    assert desk.state(payment_id) == "pending"
    desk.reconcile(after=200)
    assert desk.shown(payment_id)["reason"] == "session_lost"
    assert desk.irregularities() == ["session_lost"]
    assert desk.order.orders[desk.shown(payment_id)["order_id"]].payment_id is None


def test_a_silent_provider_only_delays(desk, silent_provider):
    silent_provider.return_to_work()
    payment_id = desk.paid("Never notifies")
    silent_provider.fall_silent()
    assert hear(desk, payment_id) == "pending"
    desk.reconcile(after=20)
    assert desk.state(payment_id) == "pending"
    silent_provider.return_to_work()
    desk.reconcile(after=100)
    assert desk.state(payment_id) == "captured"


def test_one_payment_that_cannot_be_advanced_holds_up_no_other(desk, monkeypatch):
    broken, sound = desk.paid("Never notifies"), desk.paid("Never notifies")
    ask = desk.parts.provider.session

    def session(payment_id):
        if payment_id == broken:
            raise ZeroDivisionError
        return ask(payment_id)

    monkeypatch.setattr(desk.parts.provider, "session", session)
    desk.reconcile(after=20)
    assert (desk.state(broken), desk.state(sound)) == ("pending", "captured")


def test_looking_again_grows_rarer_but_never_stops_while_money_may_hang(desk):
    payment_id = desk.paid("Never notifies")
    desk.order.troubles["confirm"] = [500] * 100
    pauses = []
    now_after = 20.0
    for _ in range(8):
        desk.reconcile(after=now_after)
        row = desk.row(payment_id)
        pauses.append((row.look_at - utc_now()) - timedelta(seconds=now_after))
        now_after += pauses[-1].total_seconds() + 1
    assert desk.state(payment_id) == "authorised"
    assert pauses[0] < pauses[3] < pauses[5]
    assert max(pauses) < timedelta(seconds=302)
