"""Cancelling by the published ladder, and what a cancelled run gives back."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from chassis.application import utc_now
from order import cancelling
from order.cancellation import TicketPrice, quote_cancellation, refund_of
from order.models import db
from order.operations import SalesClosed, place_order, read_order
from order.refusals import SeatsHeld, SoldOut
from order.settlement import HoldLost, confirm_order, pin_order

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("ahead", "category", "refund_minor"),
    [
        (48 * HOUR, "ac", 96_000),
        (48 * HOUR, "first", 97_000),
        (48 * HOUR, "other", 97_500),
        (48 * HOUR - timedelta(seconds=1), "ac", 75_000),
        (24 * HOUR, "other", 75_000),
        (24 * HOUR - timedelta(seconds=1), "other", 50_000),
        (12 * HOUR, "other", 50_000),
        (12 * HOUR - timedelta(seconds=1), "other", 25_000),
        (6 * HOUR, "other", 25_000),
        (6 * HOUR - timedelta(seconds=1), "other", 0),
    ],
)
def test_each_rung_of_the_ladder(ahead, category, refund_minor):
    assert refund_of(TicketPrice(100_000, category), ahead) == refund_minor


def test_a_cheap_ticket_never_costs_more_than_it_did():
    assert refund_of(TicketPrice(2_000, "ac"), 100 * HOUR) == 0


def test_the_online_charge_is_kept():
    now = utc_now()
    quote = quote_cancellation(
        [TicketPrice(10_000, "other")] * 2,
        online_charge_minor=4_000,
        departs_at=now + 72 * HOUR,
        now=now,
    )

    assert (quote.refund_minor, quote.deduction_minor, quote.online_charge_minor) == (
        15_000, 5_000, 4_000,
    )  # fmt: skip


@pytest.fixture
def sold(parts, people, run_id):
    """A confirmed order and who bought it."""
    return sell(parts, people, people.wish(run_id, 1001, 1002))


def sell(parts, people, wish):
    buyer, now = people.buyer(), utc_now()
    order_id, payment_id = uuid4(), uuid4()
    order = place_order(parts=parts, order_id=order_id, buyer=buyer, wish=wish, now=now).record
    pin_order(parts=parts, order_id=order_id, payment_id=payment_id, now=now)
    amount = order["amount_minor"]
    confirm_order(
        order_id=order_id, payment_id=payment_id, amount_minor=amount, currency="BDT", now=now
    )
    return read_order(order_id=order_id, buyer=buyer), buyer


def refunds_owed():
    owed = db.session.execute(text("SELECT payload FROM outbox WHERE topic = 'refund'")).scalars()
    return list(owed)


def test_a_cancelled_order_owes_the_quoted_refund_once_and_frees_its_seats(
    parts, people, sold, run_id
):
    order, buyer = sold
    now = utc_now()
    quote, _ = cancelling.quote_of_order(order_id=order["order_id"], buyer=buyer, now=now)

    for _ in range(2):
        cancelled = cancelling.cancel_order(
            parts=parts,
            order_id=order["order_id"],
            buyer=buyer,
            refund_minor=quote.refund_minor,
            now=now,
        )

    assert cancelled["state"] == "cancelled"
    assert [(o["amount_minor"], o["payment_id"]) for o in refunds_owed()] == [
        (2 * 40_000 - 2 * 2_500, str(order["payment_id"]))
    ]
    wish = people.wish(run_id, 1001, 1002)
    again = place_order(
        parts=parts, order_id=uuid4(), buyer=people.buyer(), wish=wish, now=utc_now()
    )
    assert again.is_new


def test_what_is_given_back_is_sold_again_once_and_on_the_segments_that_are_free(
    parts, people, catalogue
):
    """Case 28: one cancelled ride frees one seat on its own leg, for whoever asks next."""
    run_id, now = catalogue.add_run(seats=1), utc_now()
    order, buyer = sell(parts, people, people.wish(run_id, 1001, start="AAA", end="CCC"))
    sell(parts, people, people.wish(run_id, 1001, start="CCC", end="EEE"))
    quote, _ = cancelling.quote_of_order(order_id=order["order_id"], buyer=buyer, now=now)
    cancelling.cancel_order(
        parts=parts,
        order_id=order["order_id"],
        buyer=buyer,
        refund_minor=quote.refund_minor,
        now=now,
    )

    def ask(start, end):
        wish = people.wish(run_id, start=start, end=end, seat_class="S", count=1)
        buyer = people.buyer()
        return place_order(parts=parts, order_id=uuid4(), buyer=buyer, wish=wish, now=utc_now())

    with pytest.raises(SoldOut):
        ask("AAA", "EEE")
    assert ask("AAA", "CCC").is_new
    with pytest.raises(SeatsHeld):
        ask("BBB", "CCC")


def test_an_outdated_quote_is_not_honoured(parts, sold):
    order, buyer = sold

    with pytest.raises(cancelling.QuoteChanged):
        cancelling.cancel_order(
            parts=parts,
            order_id=order["order_id"],
            buyer=buyer,
            refund_minor=75_000,
            now=order["departs_at"] - 20 * HOUR,
        )
    assert refunds_owed() == []


def test_after_departure_nothing_is_cancelled(parts, sold):
    order, buyer = sold

    with pytest.raises(cancelling.TrainLeft):
        cancelling.quote_of_order(order_id=order["order_id"], buyer=buyer, now=order["departs_at"])


def test_a_cancelled_run_refunds_everything_and_sells_nothing_more(
    parts, people, sold, run_id, catalogue
):
    order, buyer = sold
    now = utc_now()
    under_way = place_order(
        parts=parts,
        order_id=uuid4(),
        buyer=people.buyer(),
        wish=people.wish(run_id, 1003),
        now=now,
    ).record
    payment_id = uuid4()
    pin_order(parts=parts, order_id=under_way["order_id"], payment_id=payment_id, now=now)
    catalogue.change(run_id, state="cancelled")

    assert cancelling.follow_catalogue(parts=parts, now=now) == 1
    assert cancelling.end_orders_of_closed_runs(parts=parts, now=now) == 2
    assert cancelling.end_orders_of_closed_runs(parts=parts, now=now) == 0

    assert read_order(order_id=order["order_id"], buyer=buyer)["ended_reason"] == "run_cancelled"
    assert [owed["amount_minor"] for owed in refunds_owed()] == [order["amount_minor"]]
    with pytest.raises(HoldLost):
        confirm_order(
            order_id=under_way["order_id"],
            payment_id=payment_id,
            amount_minor=under_way["amount_minor"],
            currency="BDT",
            now=now,
        )
    with pytest.raises(SalesClosed):
        place_order(
            parts=parts,
            order_id=uuid4(),
            buyer=people.buyer(),
            wish=people.wish(run_id, 1004),
            now=now,
        )


def test_the_catalogue_is_read_from_where_it_was_left(parts, run_id, catalogue):
    catalogue.change(run_id)
    assert cancelling.follow_catalogue(parts=parts, now=utc_now()) == 1
    assert cancelling.follow_catalogue(parts=parts, now=utc_now()) == 0
    catalogue.change(run_id)
    assert cancelling.follow_catalogue(parts=parts, now=utc_now()) == 1
