"""Each test card does what the page says of it."""

import pytest

from sandbox.cards import CARDS

NUMBER = {card.title: card.printed for card in CARDS}


def paid(provider, title, **changes):
    session_id = provider.open(**changes)
    provider.pay(session_id, NUMBER[title])
    return session_id


def test_approves(provider):
    session_id = paid(provider, "Approves")
    assert provider.get(session_id)["authorised_minor"] == 71_000
    assert provider.shop.wait_for(1) == ["payment.authorised"]


@pytest.mark.parametrize(
    ("title", "reason"),
    [("Declines", "declined_by_bank"), ("Insufficient funds", "insufficient_funds")],
)
def test_declines_with_a_reason(provider, title, reason):
    session_id = paid(provider, title)
    session = provider.get(session_id)
    assert (session["state"], session["reason"]) == ("declined", reason)
    assert provider.shop.wait_for(1) == ["payment.declined"]


def test_a_stalled_payment_expires(provider):
    session_id = paid(provider, "Stalls", seconds=0.6)
    assert provider.get(session_id)["state"] == "open"
    assert provider.shop.wait_for(1) == ["payment.expired"]
    assert provider.get(session_id)["state"] == "expired"


def test_a_stalled_payment_cannot_be_paid_with_a_second_card(provider):
    session_id = paid(provider, "Stalls")
    provider.pay(session_id, NUMBER["Approves"])
    assert provider.get(session_id)["state"] == "open"


@pytest.mark.parametrize(
    ("title", "state"), [("Approves late", "authorised"), ("Wallet, late", "captured")]
)
def test_late_money_comes_after_the_expiry(provider, title, state):
    session_id = paid(provider, title, seconds=0.3)
    assert provider.get(session_id)["state"] == "open"
    assert provider.wait_for_state(session_id, "expired")
    assert provider.wait_for_state(session_id, state)
    assert provider.shop.wait_for(2) == ["payment.expired", f"payment.{state}"]


def test_notifies_twice_with_one_event_id(provider):
    paid(provider, "Notifies twice")
    assert provider.shop.wait_for(2) == ["payment.authorised"] * 2
    assert len({event["event_id"] for event in provider.shop.events()}) == 1


def test_notifies_out_of_order(provider):
    session_id = paid(provider, "Notifies out of order")
    assert provider.shop.wait_for(3) == [
        "payment.captured", "payment.authorised", "payment.declined",
    ]  # fmt: skip
    assert provider.get(session_id)["state"] == "authorised"


def test_never_notifies_but_answers_when_asked(provider):
    session_id = paid(provider, "Never notifies")
    provider.capture(session_id)
    assert provider.shop.wait_for(1, seconds=0.6) == []
    assert provider.get(session_id)["state"] == "captured"


def test_lost_notices_arrive_at_the_third_attempt(provider):
    paid(provider, "Loses notices")
    assert provider.shop.wait_for(1) == ["payment.authorised"]


def test_a_wallet_captures_in_one_step(provider):
    session_id = paid(provider, "Wallet, one step")
    assert provider.get(session_id)["captured_minor"] == 71_000
    assert provider.capture(session_id).status_code == 200
    assert provider.void(session_id).json()["code"] == "not_voidable"
    assert provider.shop.wait_for(1) == ["payment.captured"]


def test_capture_is_refused_for_good_and_the_money_can_still_be_let_go(provider):
    session_id = paid(provider, "Capture refused")
    codes = [provider.capture(session_id).json()["code"] for _ in range(3)]
    assert codes == ["capture_refused"] * 3
    assert provider.void(session_id).status_code == 200


def test_capture_fails_twice_and_then_works(provider):
    session_id = paid(provider, "Capture fails at first")
    statuses = [provider.capture(session_id).status_code for _ in range(4)]
    assert statuses == [503, 503, 200, 200]


@pytest.mark.parametrize(
    ("title", "state"), [("Wrong amount", "authorised"), ("Wallet, wrong amount", "captured")]
)
def test_a_wrong_amount_is_less_than_was_asked(provider, title, state):
    session = provider.get(paid(provider, title))
    assert (session["state"], session["authorised_minor"]) == (state, 70_900)


def test_every_card_has_a_number_of_its_own():
    assert len({card.number for card in CARDS}) == len({card.title for card in CARDS}) == len(CARDS)
