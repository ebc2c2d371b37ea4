"""The table of states: what may follow what, what is done next, and that every path ends."""

from datetime import UTC, datetime, timedelta

import pytest

from payment import payment_life as life
from payment.payment_life import ProviderSession, Step, Verdict

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
FINAL = {life.CAPTURED, life.VOIDED, life.REFUNDED, life.FAILED, life.DECLINED}


@pytest.mark.parametrize("before", life.STATES)
@pytest.mark.parametrize("after", life.STATES)
def test_only_the_table_allows_a_transition(before, after):
    if after in life.TRANSITIONS[before]:
        life.demand_allowed(before, after)
    else:
        with pytest.raises(life.ForbiddenTransition):
            life.demand_allowed(before, after)


def test_money_never_goes_back_before_it_was_authorised_and_is_never_captured_unconfirmed():
    sources = {
        after: {b for b, afters in life.TRANSITIONS.items() if after in afters}
        for after in life.STATES
    }
    assert sources[life.CAPTURED] == {life.CONFIRMED}
    assert sources[life.CONFIRMED] == {life.AUTHORISED}
    assert sources[life.VOIDED] == {life.AUTHORISED}
    assert sources[life.CREATED] == set()


def test_every_state_reaches_a_final_one():
    for state in life.STATES:
        reached, seen = {state}, set()
        while reached:
            seen |= reached
            reached = {after for before in reached for after in life.TRANSITIONS[before]} - seen
        assert seen & FINAL


@pytest.mark.parametrize("state", life.STATES)
@pytest.mark.parametrize("owes_order", [True, False])
def test_whatever_is_not_final_has_a_next_step_and_is_looked_at_again(state, owes_order):
    step = life.next_step(state, is_refused=False, owes_order=owes_order)
    again = life.look_again_at(
        state, reason=None, owes_order=owes_order, checks=3, created_at=NOW,
        session_expires_at=NOW, now=NOW, first_seconds=15, late_hours=24,
    )  # fmt: skip
    if state not in FINAL or (owes_order and state in {life.DECLINED, life.FAILED}):
        assert step is not None
        assert again is not None
        assert again > NOW


def test_order_is_not_asked_about_refused_money():
    assert life.next_step(life.AUTHORISED, is_refused=True, owes_order=False) is Step.GIVE_BACK
    assert life.next_step(life.AUTHORISED, is_refused=False, owes_order=False) is Step.ASK_ORDER


@pytest.mark.parametrize(
    ("state", "amount_minor", "currency", "verdict"),
    [
        ("open", 0, "BDT", Verdict.OPEN),
        ("authorised", 100, "BDT", Verdict.PAID),
        ("captured", 100, "BDT", Verdict.PAID),
        ("authorised", 99, "BDT", Verdict.PAID_WRONG),
        ("captured", 101, "BDT", Verdict.PAID_WRONG),
        ("captured", 100, "USD", Verdict.PAID_WRONG),
        ("declined", 0, "BDT", Verdict.DECLINED),
        ("voided", 100, "BDT", Verdict.DECLINED),
        ("expired", 0, "BDT", Verdict.EXPIRED),
        ("something_new", 0, "BDT", Verdict.OPEN),
    ],
)
def test_the_providers_word_in_ours(state, amount_minor, currency, verdict):
    session = ProviderSession(
        state=state, amount_minor=amount_minor, currency=currency, page_url="http://x.test"
    )
    assert life.verdict_on(session, amount_minor=100, currency="BDT") is verdict


def look(state=life.PENDING, **changes):
    known = {
        "reason": None, "owes_order": False, "checks": 0, "created_at": NOW,
        "session_expires_at": NOW + timedelta(seconds=290), "now": NOW,
        "first_seconds": 15.0, "late_hours": 24.0,
    }  # fmt: skip
    return life.look_again_at(state, **{**known, **changes})


def test_the_pause_doubles_up_to_five_minutes():
    pauses = [(look(life.AUTHORISED, checks=n) - NOW).total_seconds() for n in (0, 1, 2, 4, 5, 40)]
    assert pauses == [15, 30, 60, 240, 300, 300]


def test_a_pending_payment_is_looked_at_just_after_its_session_ends():
    assert look(checks=9) == NOW + timedelta(seconds=291)
    assert look(session_expires_at=NOW - timedelta(seconds=5)) == NOW + timedelta(seconds=15)


def test_only_an_expired_payment_is_watched_for_late_money_and_not_for_ever():
    assert look(life.DECLINED, reason="declined_by_bank") is None
    assert look(life.DECLINED, reason=life.SESSION_EXPIRED) is not None
    day_before = NOW - timedelta(hours=24)
    assert look(life.DECLINED, reason=life.SESSION_EXPIRED, created_at=day_before) is None


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        ("https://rail.test/", True),
        ("https://rail.test/a?b#c", True),
        ("https://rail.test", True),
        ("http://rail.test/", False),
        ("https://rail.test:444/", False),
        ("https://RAIL.test/", False),
        ("", False),
        ("https://rail.test\n/", False),
        ("https://räil.test/", False),
    ],
)
def test_a_page_is_own_only_on_the_very_origin(url, is_own):
    assert life.is_own_page(url, "https://rail.test/") is is_own
