"""
The moment at which holds lapse: the sweeper, new buyers, the same buyer again and late money all
reach for the same rows, and nobody is turned away by a deadlock.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from chassis.application import utc_now
from chassis.problems import Problem
from order.models import db
from order.operations import place_order, sweep_lapsed
from order.settlement import confirm_order, pin_order

ROUNDS = 12
SEATS = list(range(1001, 1025))


@pytest.fixture
def place(parts, people):
    def place(run_id, *seat_ids, now, buyer=None, wish=None, order_id=None):
        placed = place_order(
            parts=parts,
            order_id=order_id or uuid4(),
            buyer=buyer or people.buyer(),
            wish=wish or people.wish(run_id, *seat_ids),
            now=now,
        )
        return placed.record

    return place


def test_the_sweeper_and_new_buyers_of_lapsed_seats_do_not_deadlock(
    at_once, place, catalogue, people
):
    """Twelve baskets lapse at once; new ones, cut across them, come while they are swept."""
    for turn in range(ROUNDS):
        run_id, then = catalogue.add_run(seats=len(SEATS)), utc_now()
        for n in reversed(range(0, 24, 2)):
            place(run_id, SEATS[n + 1], SEATS[n], now=then)
        later = then + timedelta(minutes=6)
        baskets = [[SEATS[n], SEATS[(n + 7) % 24], SEATS[(n + 14) % 24]] for n in range(7)]

        def buy(basket, run_id=run_id, later=later):
            place(run_id, *basket, now=later)
            return "sold"

        outcome = at_once(
            *[lambda b=b: buy(b) for b in baskets], *[lambda now=later: sweep_lapsed(now=now)] * 2
        )

        assert Counter(outcome)["sold"] == 7, (turn, outcome)


def test_late_money_and_the_same_buyer_again_do_not_deadlock(
    at_once, parts, place, catalogue, people
):
    """The passenger orders the lapsed seats anew while the money for them arrives."""
    for _ in range(ROUNDS):
        run_id, then, buyer = catalogue.add_run(), utc_now(), people.buyer()
        wish, payment_id = people.wish(run_id, 1001, 1002), uuid4()
        first = place(run_id, now=then, buyer=buyer, wish=wish)
        pin_order(parts=parts, order_id=first["order_id"], payment_id=payment_id, now=then)
        later = then + timedelta(minutes=11)

        def again(run_id=run_id, later=later, buyer=buyer, wish=wish):
            place(run_id, now=later, buyer=buyer, wish=wish)
            return "placed"

        def pay(first=first, payment_id=payment_id, later=later):
            confirm_order(
                order_id=first["order_id"],
                payment_id=payment_id,
                amount_minor=first["amount_minor"],
                currency="BDT",
                now=later,
            )
            return "paid"

        outcome = at_once(again, pay, lambda now=later: sweep_lapsed(now=now) and "swept")

        assert (outcome[0], outcome[1]) in (
            ("placed", "hold_lost"),
            ("seat_taken", "paid"),
            ("passenger_on_run", "paid"),
        ), outcome


def test_late_money_that_waits_behind_the_same_buyer_is_not_a_deadlock(
    app, parts, place, catalogue, people
):
    """Both need the old order's row and its seats: whoever has the row gets the seats next."""
    run_id, then, buyer = catalogue.add_run(), utc_now(), people.buyer()
    wish, payment_id = people.wish(run_id, 1001), uuid4()
    first = place(run_id, now=then, buyer=buyer, wish=wish)
    pin_order(parts=parts, order_id=first["order_id"], payment_id=payment_id, now=then)
    later = then + timedelta(minutes=11)

    def pay():
        with app.app_context():
            confirm_order(
                order_id=first["order_id"],
                payment_id=payment_id,
                amount_minor=first["amount_minor"],
                currency="BDT",
                now=later,
            )
            return "paid"

    def again():
        with app.app_context():
            try:
                place(run_id, now=later, buyer=buyer, wish=wish)
            except Problem as problem:
                return problem.code

    with ThreadPoolExecutor(2) as pool:
        with db.engine.begin() as holder:
            holder.execute(
                text("SELECT 1 FROM orders WHERE order_id = :id FOR UPDATE"),
                {"id": first["order_id"]},
            )
            paying = pool.submit(pay)
            wait_until_blocked(1)
            placing = pool.submit(again)
            wait_until_blocked(2)
        assert paying.result(10) == "paid"
        assert placing.result(10) in {"seat_taken", "passenger_on_run"}


def wait_until_blocked(count):
    """Until that many statements wait for a lock of somebody else's."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with db.engine.connect() as connection:
            waiting = connection.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND datname = current_database()"
                )
            ).scalar_one()
        if waiting >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{waiting} instead of {count} statements wait.")
