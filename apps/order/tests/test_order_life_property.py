"""The pure rules of an order's life, for whatever input: states, times, seats, money, secrets."""

import base64
import dataclasses
import random
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from order.cancellation import FLAT_DEDUCTION_MINOR, TicketPrice, quote_cancellation, refund_of
from order.identity_number import IdentityNumbers, masked, normalised
from order.order_life import EXPIRED, LIVE_STATES, STATES, pinned_until, state_at
from order.pnr import ALPHABET, LENGTH, new_pnr
from order.run import Leg, Seat, Stop, legs_of
from order.seats import choose_seats, distance
from order.snapshot import LiveClaim, Snapshot

STEADY = settings(derandomize=True, database=None, deadline=None)
START = datetime(2026, 11, 25, 8, tzinfo=UTC)
SEGMENTS = 5
NOW = 1_000.0

seconds = st.integers(0, 10 * 24 * 3600).map(lambda n: timedelta(seconds=n))
legs = st.tuples(st.integers(0, SEGMENTS - 1), st.integers(1, SEGMENTS)).filter(
    lambda leg: leg[0] < leg[1]
)
claims = st.lists(
    st.builds(
        lambda seat_id, leg, expires_at: LiveClaim(seat_id, *leg, expires_at, f"{seat_id:012d}"),
        st.integers(1, 24),
        legs,
        st.sampled_from([0.0, NOW - 1, NOW, NOW + 0.5, NOW + 300]),
    ),
    max_size=40,
)


@st.composite
def layouts(draw):
    """Seats of one class in up to two coaches, in rows of up to five columns with gaps."""
    places = draw(
        st.lists(
            st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 5)),
            min_size=1, max_size=24, unique=True,
        )
    )  # fmt: skip
    return tuple(
        Seat(n, str(n), row, column, False, coach, "KA", "S")
        for n, (coach, row, column) in enumerate(sorted(places), 1)
    )


def bits_of(leg):
    return sum(1 << segment for segment in range(leg[0], leg[1]))


# An order's states and times.


@STEADY
@given(st.sampled_from(STATES), seconds, seconds)
def test_only_a_live_order_expires_and_never_comes_back(state, expires, ahead):
    expires_at, now = START + expires, START + ahead

    seen = state_at(state, expires_at, now)

    assert seen == (EXPIRED if state in LIVE_STATES and expires_at <= now else state)
    assert seen != EXPIRED or state_at(state, expires_at, now + timedelta(hours=1)) == EXPIRED


@STEADY
@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=8), st.integers(1, 900))
def test_however_often_somebody_begins_to_pay_a_seat_is_kept_for_a_hold_and_a_page(
    pins, pin_seconds
):
    """Cases 10, 13: no beginning of a payment and no repetition keeps a seat for ever."""
    created_at, hold_seconds = START, 300
    expires_at = created_at + timedelta(seconds=hold_seconds)
    for after in sorted(pins):
        now = created_at + timedelta(seconds=after)
        if now >= expires_at:
            break
        until = pinned_until(
            created_at=created_at, expires_at=expires_at, now=now,
            pin_seconds=pin_seconds, hold_seconds=hold_seconds,
        )  # fmt: skip
        assert expires_at <= until
        assert until <= created_at + timedelta(seconds=hold_seconds + pin_seconds)
        assert until > now
        expires_at = until


# What a cancelled ticket gives back.


@STEADY
@given(st.integers(0, 500_000), st.sampled_from(sorted(FLAT_DEDUCTION_MINOR)), seconds, seconds)
@example(100_000, "ac", timedelta(hours=48), timedelta(hours=48, seconds=-1))
@example(16_000, "ac", timedelta(hours=48), timedelta(hours=47))
def test_who_cancels_earlier_never_gets_less(price_minor, category, one, other):
    """Where the flat deduction is a quarter of the price at most: all but short rides."""
    assume(price_minor >= 4 * FLAT_DEDUCTION_MINOR[category])
    early, late = max(one, other), min(one, other)
    ticket = TicketPrice(price_minor, category)

    assert refund_of(ticket, early) >= refund_of(ticket, late)


def test_a_ride_cheaper_than_four_flat_deductions_gets_less_early_as_the_ladder_is_published():
    """Tk 50: two days ahead Tk 25 are kept, one day ahead 25 %. So the ladder says."""
    ticket = TicketPrice(5_000, "other")

    assert refund_of(ticket, timedelta(hours=48)) == 2_500
    assert refund_of(ticket, timedelta(hours=47)) == 3_750


@STEADY
@given(
    st.lists(
        st.builds(TicketPrice, st.integers(0, 500_000), st.sampled_from(["ac", "first", "other"])),
        max_size=4,
    ),
    st.integers(0, 10_000),
    st.integers(-48, 200),
)
def test_refund_and_deduction_are_the_price_and_never_more(tickets, online_charge_minor, hours):
    quote = quote_cancellation(
        tickets, online_charge_minor=online_charge_minor,
        departs_at=START + timedelta(hours=hours), now=START,
    )  # fmt: skip

    paid = sum(ticket.price_minor for ticket in tickets)
    assert quote.refund_minor + quote.deduction_minor == paid
    assert 0 <= quote.refund_minor <= paid
    assert quote.online_charge_minor == online_charge_minor
    assert quote.refund_minor == 0 or hours >= 6


# Legs of a run.


@STEADY
@given(st.lists(st.sampled_from("ABCDE"), min_size=2, max_size=8))
def test_a_leg_is_every_pair_of_stops_in_riding_order_and_the_shortest_where_a_name_returns(codes):
    last = len(codes) - 1
    stops = [
        Stop(
            n, code, code, code,
            None if n == 0 else START + timedelta(hours=n),
            None if n == last else START + timedelta(hours=n, minutes=5),
        )
        for n, code in enumerate(codes)
    ]  # fmt: skip

    found = legs_of(stops)

    pairs = list(combinations(range(len(codes)), 2))
    assert found.keys() == {(codes[a], codes[b]) for a, b in pairs}
    for (start, end), leg in found.items():
        rides = [b - a for a, b in pairs if (codes[a], codes[b]) == (start, end)]
        assert (codes[leg.from_sequence], codes[leg.to_sequence]) == (start, end)
        assert leg.to_sequence - leg.from_sequence == min(rides)


@STEADY
@given(legs, legs)
def test_legs_overlap_when_they_share_a_segment(one, other):
    """Case 8: who leaves at a stop and who boards there never meet."""
    assert Leg(*one).overlaps(*other) == bool(bits_of(one) & bits_of(other))


# A snapshot and the choice of seats.


@STEADY
@given(claims, legs)
def test_a_seats_state_is_what_its_segments_say_bit_by_bit(found, leg):
    snapshot = Snapshot(NOW, list(found))
    sold, held = {}, {}
    for claim in found:
        bits = bits_of(claim[1:3])
        if claim.expires_at == 0:
            sold[claim.seat_id] = sold.get(claim.seat_id, 0) | bits
        elif claim.expires_at > NOW:
            held[claim.seat_id] = held.get(claim.seat_id, 0) | bits

    for seat_id in range(1, 25):
        wanted = bits_of(leg)
        expected = (
            "sold"
            if sold.get(seat_id, 0) & wanted
            else "held" if held.get(seat_id, 0) & wanted else "free"
        )  # fmt: skip
        assert snapshot.state_of(seat_id, Leg(*leg), NOW) == expected


@STEADY
@given(claims, legs, st.lists(st.integers(1, 24), min_size=1, max_size=4), st.integers(1, 24))
def test_the_first_refusal_names_a_seat_that_another_order_keeps(found, leg, wanted, own):
    snapshot = Snapshot(NOW, [c for c in found if c.seat_id != own])
    snapshot.add([c for c in found if c.seat_id == own])
    own_mark = f"{own:012d}"

    taken = snapshot.first_taken(wanted, Leg(*leg), NOW, own_mark)

    others = [s for s in wanted if s != own and snapshot.state_of(s, Leg(*leg), NOW) != "free"]
    assert taken == (others[0] if others else None)


@STEADY
@given(layouts(), claims, legs, st.integers(1, 4), st.integers(0, 99))
def test_seats_are_chosen_free_different_near_and_tight(run, seats, found, leg, count, luck):
    leg, snapshot = Leg(*leg), Snapshot(NOW, list(found))
    run = dataclasses.replace(run, seats_by_class={"S": seats}, stops=run.stops + run.stops[-1:])
    assert run.segments_total == SEGMENTS
    free = [seat for seat in seats if snapshot.state_of(seat.seat_id, leg, NOW) == "free"]

    chosen = choose_seats(
        run, snapshot, seat_class="S", leg=leg, count=count, now=NOW, chance=random.Random(luck)
    )

    if len(free) < count:
        assert chosen is None
        return
    assert chosen is not None
    assert len({seat.seat_id for seat in chosen}) == count
    assert set(chosen) <= set(free)
    _check_nearness_and_fit(run, snapshot, leg, free, chosen)


def _check_nearness_and_fit(run, snapshot, leg, free, chosen):
    def slack(group):
        return sum(_slack(snapshot, seat.seat_id, leg) for seat in group)

    assert all(
        snapshot.slack_around(run, seat.seat_id, leg, NOW) == _slack(snapshot, seat.seat_id, leg)
        for seat in free
    )
    if len(chosen) == 1:
        assert slack(chosen) == min(slack([seat]) for seat in free)
    if len(chosen) == 2:
        pairs = [pair for pair in combinations(free, 2) if _side_by_side(*pair)]
        if pairs:
            assert _side_by_side(*chosen)
            assert distance(chosen) == 0
            assert slack(chosen) == min(slack(pair) for pair in pairs)


def _side_by_side(a, b):
    return (a.coach_number, a.row) == (b.coach_number, b.row) and abs(a.column - b.column) == 1


def _slack(snapshot, seat_id, leg):
    """Walk outwards from the leg, segment by segment, while the seat is free."""
    free = 0
    for step, segment in ((-1, leg.from_sequence - 1), (1, leg.to_sequence)):
        while 0 <= segment < SEGMENTS:
            if snapshot.state_of(seat_id, Leg(segment, segment + 1), NOW) != "free":
                break
            free, segment = free + 1, segment + step  # noqa: PLW2901
    return free


# Names and numbers.

identity_numbers = st.text(alphabet="0123456789ABCDEFabcdef -", min_size=5, max_size=25).filter(
    lambda number: number[0].isalnum()
)
NUMBERS = IdentityNumbers(identity_key=base64.b64encode(b"i" * 32).decode(), hash_key="any secret")


@STEADY
@given(identity_numbers)
def test_a_mask_shows_four_characters_at_most(number):
    shown = masked(number)

    assert len(shown) == len(normalised(number))
    assert len(shown.replace("•", "")) <= 4
    assert normalised(number).endswith(shown.replace("•", ""))


@STEADY
@given(identity_numbers, st.text(max_size=40), st.text(max_size=40))
def test_a_sealed_number_opens_for_its_owner_only(number, owner, stranger):
    assume(owner != stranger)
    sealed = NUMBERS.seal(number, owner=owner)

    assert NUMBERS.open(sealed, owner=owner) == normalised(number)
    assert normalised(number).encode() not in sealed
    with pytest.raises(InvalidTag):
        NUMBERS.open(sealed, owner=stranger)
    with pytest.raises(InvalidTag):
        NUMBERS.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), owner=owner)


@STEADY
@given(identity_numbers)
def test_the_same_document_written_otherwise_has_the_same_digest(number):
    spaced = " ".join(number.lower())

    assert NUMBERS.digest("nid", number) == NUMBERS.digest("nid", spaced)
    assert NUMBERS.digest("nid", number) != NUMBERS.digest("passport", number)


def test_pnrs_are_eight_unmistakable_characters_and_differ():
    made = [new_pnr() for _ in range(2_000)]

    assert len(set(made)) == len(made)
    assert all(len(pnr) == LENGTH and set(pnr) <= set(ALPHABET) for pnr in made)
    assert not set(ALPHABET) & set("0O1IL2Z5S8BAEU")
