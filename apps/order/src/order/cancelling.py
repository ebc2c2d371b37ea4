"""
Taking a confirmed order back: by the passenger, by the published ladder; or by the railway, whose
cancelled run costs the passenger nothing. The refund is owed through the outbox.
"""

from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy.dialects.postgresql import insert

from chassis.database import execute, transaction
from chassis.identity import Identity
from chassis.outbox import enqueue
from chassis.problems import Problem
from order import claims, queries
from order.cancellation import Quote, TicketPrice, quote_cancellation
from order.models import ClosedRun, FollowedChange, Outbox, db
from order.operations import OrderNotFound, end_order, read_order
from order.order_life import CANCELLED, CONFIRMED, LIVE_STATES
from order.parts import Parts
from order.queries import Record

CATALOGUE = "catalogue"
CHANGES_A_ROUND = 100


class OrderNotConfirmed(Problem):
    status, code, title = 409, "order_not_confirmed", "Only a confirmed order can be cancelled."


class TrainLeft(Problem):
    status, code, title = 409, "train_left", "The train has left; nothing can be cancelled."


class QuoteChanged(Problem):
    status, code, title = 409, "quote_changed", "The refund is another one by now."


def quote_of_order(*, order_id: UUID, buyer: Identity, now: datetime) -> tuple[Quote, str]:
    """
    What a cancellation would give back now, and its currency.

    Raises:
        OrderNotFound, OrderNotConfirmed, TrainLeft.
    """
    order = read_order(order_id=order_id, buyer=buyer)
    if order["state"] != CONFIRMED:
        raise OrderNotConfirmed
    return _quote(order, now), order["currency"]


def _quote(order: Record, now: datetime) -> Quote:
    if order["departs_at"] <= now:
        raise TrainLeft
    categories = order["journey"]["refund_categories"]
    return quote_cancellation(
        [TicketPrice(p["price_minor"], categories[p["seat_class"]]) for p in order["passengers"]],
        online_charge_minor=order["online_charge_minor"],
        departs_at=order["departs_at"],
        now=now,
    )


def cancel_order(
    *, parts: Parts, order_id: UUID, buyer: Identity, refund_minor: int, now: datetime
) -> Record:
    """
    Cancel for the refund that the passenger was quoted and agreed to. Repeatable.

    Raises:
        OrderNotFound, OrderNotConfirmed, TrainLeft.
        QuoteChanged: a rung of the ladder was passed meanwhile; ask for a new quote.
    """
    order = read_order(order_id=order_id, buyer=buyer)
    if order["state"] == CANCELLED:
        return order
    if order["state"] != CONFIRMED:
        raise OrderNotConfirmed
    quote = _quote(order, now)
    if quote.refund_minor != refund_minor:
        raise QuoteChanged(refund_minor=quote.refund_minor)
    _cancel(parts, order, quote.refund_minor, "cancelled_by_passenger", now)
    return read_order(order_id=order_id, buyer=buyer)


def _cancel(parts: Parts, order: Record, refund_minor: int, reason: str, now: datetime) -> bool:
    """End the order and owe the refund in one transaction."""
    values = {
        "order_id": order["order_id"],
        "from_states": [CONFIRMED],
        "to_state": CANCELLED,
        "claim_state": CANCELLED,
        "reason": reason,
        "now": now,
    }
    with transaction(db) as session:
        ended = bool(execute(session.connection(), claims.END_ORDER, values).one().ended)
        if ended and refund_minor:
            _owe_refund(order, refund_minor, reason, now)
    parts.snapshots.forget(order["run_id"])
    return ended


def _owe_refund(order: Record, refund_minor: int, reason: str, now: datetime) -> None:
    """One cancellation, one refund: its id follows from the order's."""
    owed = {
        "payment_id": str(order["payment_id"]),
        "amount_minor": refund_minor,
        "currency": order["currency"],
        "reason": reason,
    }
    refund_id = uuid5(NAMESPACE_URL, f"railgate:refund:{order['order_id']}")
    enqueue(db, Outbox, "refund", owed, now=now, message_id=refund_id)


def follow_catalogue(*, parts: Parts, now: datetime) -> int:
    """Read the catalogue's changes from where we were, and close the runs it has cancelled."""
    with transaction(db) as session:
        cursor = session.get(FollowedChange, CATALOGUE)
        after = cursor.cursor if cursor else 0
    changes = parts.ticket.changes(after=after, limit=CHANGES_A_ROUND)
    if not changes:
        return 0
    closed = [change.run_id for change in changes if change.state == "cancelled"]
    with transaction(db) as session:
        for run_id in closed:
            closing = insert(ClosedRun).values(run_id=run_id, closed_at=now)
            session.execute(closing.on_conflict_do_nothing())
        session.merge(FollowedChange(name=CATALOGUE, cursor=changes[-1].cursor))
    return len(changes)


def end_orders_of_closed_runs(*, parts: Parts, now: datetime, limit: int = 50) -> int:
    """
    Cancel what is confirmed on a cancelled run and refund it whole, with the online charge; let
    go of what is only held. Money still under way finds no order to confirm and goes back.
    """
    ended = 0
    for order_id in queries.live_orders_on_closed_runs(limit):
        order = queries.order_by_id(order_id)
        if order is None:
            raise OrderNotFound
        if order["state"] == CONFIRMED:
            ended += _cancel(parts, order, order["amount_minor"], "run_cancelled", now)
        else:
            ended += _let_go(parts, order, now)
    return ended


def _let_go(parts: Parts, order: Record, now: datetime) -> bool:
    return end_order(
        parts,
        order,
        from_states=list(LIVE_STATES),
        to_state="released",
        reason="run_cancelled",
        now=now,
    )
