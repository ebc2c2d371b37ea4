"""
Saying no cheaply. In the rush nearly every answer is a refusal, so what a snapshot can refuse is
refused before the body is validated in full and before the database hears of it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from chassis.problems import Problem
from order import queries
from order.admission import NotAdmitted
from order.parts import Parts
from order.run import Leg, Run
from order.snapshot import Counts, Snapshot, order_mark


class SeatTaken(Problem):
    status, code, title = 409, "seat_taken", "Somebody else has this seat."


class SoldOut(Problem):
    status, code, title = 409, "sold_out", "There are not that many seats left."


class SeatsHeld(Problem):
    """Not sold out: some of the seats are held by others and may come back within minutes."""

    status, code, title = (
        409,
        "seats_held",
        "The last seats are held by others; some may come back.",
    )


def require_pass(
    parts: Parts, order_id: UUID, run_id: UUID, *, account_id: UUID, pass_: str, now: datetime
) -> None:
    """
    An order that was placed before its pass ended may be asked for again without one: nothing new
    can come of it.

    Raises:
        NotAdmitted: the run has a waiting room and the request carries no pass of it.
    """
    try:
        parts.admission.require(run_id, account_id, pass_, now=now)
    except NotAdmitted as refused:
        if not may_be_a_repetition(parts, order_id, run_id, refused):
            raise
        known = queries.order_by_id(order_id)
        if known is None or (known["account_id"], known["run_id"]) != (account_id, run_id):
            raise


def may_be_a_repetition(parts: Parts, order_id: UUID, run_id: UUID, refused: NotAdmitted) -> bool:
    """
    The database is asked only where somebody was admitted once or the snapshot shows seats of the
    order, so that refusing those who never waited stays free of it.
    """
    had_pass: bool = refused.extra["pass_expired"]
    return had_pass or parts.snapshots.get(run_id).knows(order_mark(order_id.hex))


def refuse_what_is_taken(
    parts: Parts, order_id: UUID, body: dict[str, Any], *, now: datetime
) -> None:
    """
    Refuse when the snapshot shows that the wish cannot be met. What cannot be read here is left
    to the validation that follows.

    Raises:
        SeatTaken: a named seat is kept by another order.
        SoldOut, SeatsHeld: the class has not enough free seats.
    """
    try:
        run = parts.definitions.get(UUID(body["run_id"]))
        leg = run.legs[body["from"], body["to"]]
        seat_ids, seat_class = body.get("seat_ids"), body.get("seat_class")
        wanted = len(body["passengers"])
    except (Problem, KeyError, TypeError, ValueError, AttributeError):
        return
    snapshot = parts.snapshots.get(run.run_id)
    mark = order_mark(order_id.hex)
    if isinstance(seat_ids, list) and all(type(seat_id) is int for seat_id in seat_ids):
        refuse_taken(snapshot, seat_ids, leg, now, mark)
    elif isinstance(seat_class, str) and not seat_ids and run.fare_of(seat_class, leg):
        counts = counts_of(snapshot, run, seat_class, leg, now)
        if counts.free < wanted and not snapshot.knows(mark):
            refuse_lack(counts, wanted)


def refuse_taken(
    snapshot: Snapshot, seat_ids: Sequence[int], leg: Leg, now: datetime, mark: str
) -> None:
    taken = snapshot.first_taken(seat_ids, leg, now.timestamp(), mark)
    if taken is not None:
        raise SeatTaken(seat_id=taken)


def refuse_lack(counts: Counts, wanted: int) -> NoReturn:
    """Sold out for good, or held by others: two different things to tell a passenger."""
    lack = SoldOut if counts.free + counts.held < wanted else SeatsHeld
    raise lack(seats_free=counts.free, seats_held=counts.held)


def counts_of(snapshot: Snapshot, run: Run, seat_class: str, leg: Leg, now: datetime) -> Counts:
    """Counted once a snapshot and period, class and leg."""
    key = (snapshot.period(now.timestamp()), seat_class, *leg)
    counts = snapshot.counts.get(key)
    if counts is None:
        seats = run.seats_by_class.get(seat_class, ())
        counts = snapshot.counts[key] = snapshot.count(seats, leg, now.timestamp())
    return counts
