"""
Many buyers at once, on real connections. The negative controls take a guard away and must then
see what it prevents: without them a green race test may only mean that nobody raced.
"""

from collections import Counter
from uuid import uuid4

import pytest
from sqlalchemy import text

from chassis.application import utc_now
from order.models import SEAT_OVERLAP, db
from order.operations import place_order, release_order
from order.settlement import confirm_order, pin_order, unpin_order

BUYERS = 60


@pytest.fixture
def buy(parts, people):
    """Make a call that places an order and says `sold`."""

    def make(run_id, *seat_ids, buyer=None, wish=None, order_id=None, **leg):
        buyer, wish = buyer or people.buyer(), wish or people.wish(run_id, *seat_ids, **leg)
        order_id = order_id or uuid4()

        def call():
            placed = place_order(
                parts=parts, order_id=order_id, buyer=buyer, wish=wish, now=utc_now()
            )
            return "sold" if placed.is_new else "again"

        return call

    return make


@pytest.fixture
def without_guard(app):
    """Take the exclusion constraint away for one test."""
    with db.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE seat_claim DROP CONSTRAINT {SEAT_OVERLAP}"))
    yield
    with db.engine.begin() as connection:
        connection.execute(text("TRUNCATE seat_claim, orders CASCADE"))
        connection.execute(
            text(
                f"ALTER TABLE seat_claim ADD CONSTRAINT {SEAT_OVERLAP} EXCLUDE USING gist (run_id "
                "WITH =, seat_id WITH =, segments WITH &&) WHERE (state IN ('held', 'sold'))"
            )
        )


@pytest.fixture
def blind(parts, monkeypatch):
    """Nobody sees a snapshot or meets a gate, so that every buyer reaches the database."""
    monkeypatch.setattr(parts.snapshots, "_build", lambda _: [])
    monkeypatch.setattr(parts.gate, "_redis", type("Gone", (), {"call": lambda *_: 1})())


def test_sixty_buyers_of_one_seat_and_one_gets_it(at_once, buy, run_id):
    """S2: sixty see one seat free at the same moment; no count is read and written back."""
    outcome = Counter(at_once(*[buy(run_id, 1001) for _ in range(BUYERS)]))

    assert outcome == {"sold": 1, "seat_taken": BUYERS - 1}


def test_sixty_buyers_who_all_reach_the_database_and_one_gets_it(at_once, buy, run_id, blind):
    """Cases 4, 5: what each has seen before is not believed; the database looks again."""
    outcome = Counter(at_once(*[buy(run_id, 1001) for _ in range(BUYERS)]))

    assert outcome == {"sold": 1, "seat_taken": BUYERS - 1}


def test_negative_control_without_the_constraint_one_seat_is_sold_often(
    at_once, buy, run_id, blind, without_guard, stored
):
    """If this finds one buyer only, the tests above prove nothing."""
    outcome = Counter(at_once(*[buy(run_id, 1001) for _ in range(BUYERS)]))

    assert outcome["sold"] > 1
    assert stored.overlapping_claims() > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_rounds_of_two_buyers_and_never_two(at_once, buy, catalogue, blind, stored):
    """Case 1: two clients and the last seat, a thousand times: exactly one has it."""
    rounds, seats = 1_000, 500
    runs = [catalogue.add_run(seats=seats) for _ in range(rounds // seats)]
    outcomes = [
        Counter(
            at_once(
                buy(runs[n // seats], 1001 + n % seats), buy(runs[n // seats], 1001 + n % seats)
            )
        )
        for n in range(rounds)
    ]

    assert [o for o in outcomes if o != {"sold": 1, "seat_taken": 1}] == []
    assert stored.overlapping_claims() == 0


def test_baskets_that_overlap_in_any_order_neither_share_a_seat_nor_deadlock(
    at_once, buy, catalogue, stored
):
    """Case 3: four-seat orders over the same six seats, named in every order: all or nothing."""
    run_id = catalogue.add_run(seats=6)
    baskets = [(1001, 1002, 1003, 1004), (1004, 1003, 1006, 1005), (1006, 1001, 1005, 1002)]

    outcome = Counter(at_once(*[buy(run_id, *baskets[n % 3]) for n in range(30)]))

    assert set(outcome) == {"sold", "seat_taken"}
    assert outcome["sold"] == 1
    assert stored.overlapping_claims() == 0


def test_buyers_of_any_seat_fill_the_class_exactly(at_once, buy, catalogue, stored):
    """Case 2: forty buyers of one of twenty seats: each seat is sold, none twice."""
    run_id = catalogue.add_run(seats=20)

    outcome = Counter(at_once(*[buy(run_id, seat_class="S", count=1) for _ in range(40)]))

    assert outcome["sold"] == 20
    assert set(outcome) <= {"sold", "seats_held", "seat_taken"}
    assert stored.overlapping_claims() == 0


def test_fifty_times_the_same_request_is_one_order(at_once, buy, people, run_id):
    """Case 21: a slow button, clicked fifty times."""
    call = buy(run_id, wish=people.wish(run_id, 1001, 1002), order_id=uuid4())

    outcome = Counter(at_once(*[call] * 50))

    assert outcome["sold"] == 1
    assert set(outcome) <= {"sold", "again", "seat_taken"}
    assert db.session.execute(text("SELECT count(*) FROM orders")).scalar_one() == 1


def test_one_account_on_many_devices_gets_two_orders_a_day(at_once, buy, people, catalogue):
    """Case 31: limits hold for twenty requests at once."""
    run_id, buyer = catalogue.add_run(seats=20), people.buyer()

    outcome = Counter(at_once(*[buy(run_id, 1001 + n, buyer=buyer) for n in range(20)]))

    assert outcome["sold"] == 2
    assert outcome["too_many_orders"] == 18


def test_one_passenger_named_by_twenty_buyers_rides_once(at_once, buy, people, catalogue):
    run_id = catalogue.add_run(seats=20)
    passengers = (people.passenger(),)
    wishes = [people.wish(run_id, 1001 + n, count=1) for n in range(20)]
    wishes = [type(w)(**{**vars(w), "passengers": passengers}) for w in wishes]

    outcome = Counter(at_once(*[buy(run_id, wish=wish) for wish in wishes]))

    assert outcome == {"sold": 1, "passenger_on_run": 19}


def test_two_payments_confirm_one_order_once(at_once, buy, parts, people, run_id):
    """Case 18: two browsers pay for the same order; one of them is told no."""
    order_id = uuid4()
    buy(run_id, 1001, order_id=order_id)()
    payments = [uuid4() for _ in range(10)]

    def pay(payment_id):
        def call():
            order, _ = pin_order(
                parts=parts, order_id=order_id, payment_id=payment_id, now=utc_now()
            )
            confirm_order(
                order_id=order_id,
                payment_id=payment_id,
                amount_minor=order["amount_minor"],
                currency="BDT",
                now=utc_now(),
            )
            return "confirmed"

        return call

    outcome = Counter(at_once(*[pay(payment_id) for payment_id in payments]))

    assert outcome["confirmed"] == 1
    assert set(outcome) <= {"confirmed", "already_paying", "order_not_held"}


def test_late_money_and_a_new_buyer_meet_and_one_of_them_has_the_seat(
    at_once, buy, parts, people, catalogue, stored
):
    """The lapsed order is confirmed while others reach for its seat: never both."""
    for _ in range(20):
        run_id, order_id, payment_id = catalogue.add_run(), uuid4(), uuid4()
        buy(run_id, 1001, order_id=order_id)()
        order, _ = pin_order(parts=parts, order_id=order_id, payment_id=payment_id, now=utc_now())
        _lapse(order_id)

        def confirm(order_id=order_id, payment_id=payment_id, amount=order["amount_minor"]):
            confirm_order(
                order_id=order_id,
                payment_id=payment_id,
                amount_minor=amount,
                currency="BDT",
                now=utc_now(),
            )
            return "confirmed"

        outcome = at_once(confirm, *[buy(run_id, 1001) for _ in range(3)])

        assert outcome.count("confirmed") + outcome.count("sold") == 1, outcome
        assert stored.overlapping_claims() == 0


def test_release_and_pin_meet_and_exactly_one_happens(at_once, buy, parts, people, catalogue):
    for _ in range(20):
        run_id, order_id, buyer = catalogue.add_run(), uuid4(), people.buyer()
        buy(run_id, 1001, order_id=order_id, buyer=buyer)()

        def release(order_id=order_id, buyer=buyer):
            release_order(parts=parts, order_id=order_id, buyer=buyer, now=utc_now())
            return "released"

        def pin(order_id=order_id):
            pin_order(parts=parts, order_id=order_id, payment_id=uuid4(), now=utc_now())
            return "pinned"

        outcome = at_once(release, pin)

        assert sorted(outcome) in (["order_not_held", "pinned"], ["order_not_held", "released"])


def test_an_order_that_is_given_back_while_another_payment_pins_it_is_never_called_gone(
    at_once, buy, parts, people, catalogue
):
    """The second payment comes a moment before the first is given up, or a moment after."""
    run_id, order_id, buyer = catalogue.add_run(), uuid4(), people.buyer()
    buy(run_id, 1001, order_id=order_id, buyer=buyer)()
    came_to = Counter()
    for _ in range(60):
        first, second = uuid4(), uuid4()
        pin_order(parts=parts, order_id=order_id, payment_id=first, now=utc_now())

        def unpin(first=first):
            unpin_order(order_id=order_id, payment_id=first)
            return "unpinned"

        def pin(second=second):
            pin_order(parts=parts, order_id=order_id, payment_id=second, now=utc_now())
            return "pinned"

        came_to.update(at_once(unpin, pin, pin, pin))
        unpin_order(order_id=order_id, payment_id=second)

    assert came_to["unpinned"] == 60
    assert set(came_to) <= {"unpinned", "pinned", "already_paying"}, came_to


def _lapse(order_id):
    """Let the order's time be over."""
    for table in ("orders", "seat_claim"):
        db.session.execute(
            text(
                f"UPDATE {table} SET expires_at = now() - interval '1 second' WHERE order_id = :id"
            ),
            {"id": order_id},
        )
    db.session.commit()
