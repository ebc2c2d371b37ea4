"""Placing an order and giving it up: the use cases of passengers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.exc import IntegrityError

from chassis.database import refusing_constraint, run_statement
from chassis.identity import Identity
from chassis.problems import IdReused, InvalidRequest, NotFound, Problem
from order import claims, models, queries
from order.claims import Rider
from order.drafting import Draft, NotOnSale, record_of, riders_of
from order.models import db
from order.order_life import EXPIRED, HELD, RELEASED, state_at
from order.parts import Parts
from order.refusals import SeatTaken, counts_of, refuse_lack, refuse_taken
from order.run import Leg, Run, Seat
from order.seats import choose_seats
from order.snapshot import LiveClaim, Snapshot, order_mark
from order.wish import Wish

COLLISIONS_MAX = 4
SLOT_RACES_MAX = 3


class NoSuchLeg(Problem):
    status, code, title = 422, "no_such_leg", "The run does not go from the one to the other."


class SalesClosed(Problem):
    status, code, title = 409, "sales_closed", "Sales of this run are not open."


class NoSuchSeat(Problem):
    status, code, title = 422, "no_such_seat", "The run has no such seat."


class TooManySeats(Problem):
    status, code, title = 422, "too_many_seats", "That is more than one order may hold."


class TooManyOrders(Problem):
    status, code, title = 409, "too_many_orders", "This account has bought its share for today."


class TooManyHolds(Problem):
    status, code, title = 429, "too_many_holds", "Too many holds were opened today."


class PassengerOnRun(Problem):
    status, code, title = 409, "passenger_on_run", "One of the passengers already rides this train."


class OrderNotFound(NotFound):
    code, title = "order_not_found", "There is no such order."


class OrderNotHeld(Problem):
    status, code, title = 409, "order_not_held", "This order is not held any more."


@dataclass(frozen=True)
class Placed:
    """The order as queries.ORDER_BY_ID gives it, and whether this request made it."""

    record: dict[str, Any]
    is_new: bool


def place_order(
    *, parts: Parts, order_id: UUID, buyer: Identity, wish: Wish, now: datetime
) -> Placed:
    """
    Keep seats for the buyer, all or none, and price them.

    Repeating the same request gives the same order. The database decides who was first; each
    try is one statement and a transaction of its own.

    Raises:
        NoSuchLeg, NotOnSale, SalesClosed, NoSuchSeat, TooManySeats: the wish cannot be sold.
        SeatTaken, SoldOut, SeatsHeld: others were first.
        TooManyOrders, TooManyHolds, PassengerOnRun: the rules of fair sale.
        IdReused: the id belongs to another request.
    """
    run = parts.definitions.get(wish.run_id)
    draft = Draft(order_id, buyer, wish, run, _leg_on_sale(run, wish, now), now)
    _check_passengers(parts, wish)
    snapshot = parts.snapshots.get(run.run_id)
    for _ in range(COLLISIONS_MAX):
        seats = _seats_for(parts, draft, snapshot)
        try:
            return _claim(parts, draft, seats)
        except SeatTaken:
            if wish.seat_ids:
                raise
            snapshot = parts.snapshots.fresh(run.run_id)
    raise SeatTaken("Others were faster each time; please try again.")


def _leg_on_sale(run: Run, wish: Wish, now: datetime) -> Leg:
    leg = run.leg_between(wish.from_station, wish.to_station)
    if leg is None:
        raise NoSuchLeg
    if not run.sells(leg, now):
        raise SalesClosed(opens_at=run.sales_open_at, closes_at=run.sales_close_at)
    return leg


def _check_passengers(parts: Parts, wish: Wish) -> None:
    most = parts.settings.seats_per_order_max
    if len(wish.passengers) > most:
        raise TooManySeats(seats_max=most)
    seats_total = len(wish.seat_ids)
    if seats_total and not len(set(wish.seat_ids)) == seats_total == len(wish.passengers):
        raise InvalidRequest(errors={"seat_ids": ["One different seat for each passenger."]})
    digest = parts.identity_numbers.digest
    digests = {digest(p.identity_kind, p.identity_number) for p in wish.passengers}
    if len(digests) != len(wish.passengers):
        raise InvalidRequest(errors={"passengers": ["The same person is named twice."]})


def _seats_for(parts: Parts, draft: Draft, snapshot: Snapshot) -> list[Seat]:
    if draft.wish.seat_ids:
        return _named_seats(draft, snapshot)
    if draft.run.fare_of(draft.wish.seat_class, draft.leg) is None:
        raise NotOnSale
    seats = choose_seats(
        draft.run,
        snapshot,
        seat_class=draft.wish.seat_class,
        leg=draft.leg,
        count=len(draft.wish.passengers),
        now=draft.now.timestamp(),
        chance=parts.chance,
    )
    return _own_or_refuse(draft, snapshot) if seats is None else seats


def _named_seats(draft: Draft, snapshot: Snapshot) -> list[Seat]:
    seat_ids = draft.wish.seat_ids
    if any(seat_id not in draft.run.seats for seat_id in seat_ids):
        raise NoSuchSeat
    refuse_taken(snapshot, seat_ids, draft.leg, draft.now, order_mark(draft.order_id.hex))
    return [draft.run.seats[seat_id] for seat_id in seat_ids]


def _own_or_refuse(draft: Draft, snapshot: Snapshot) -> list[Seat]:
    """A repeated request finds no free seats because it has them itself."""
    passengers = draft.wish.passengers
    if snapshot.knows(order_mark(draft.order_id.hex)):
        known = queries.order_by_id(draft.order_id)
        if known is not None and len(known["passengers"]) == len(passengers):
            return [draft.run.seats[passenger["seat_id"]] for passenger in known["passengers"]]
    counts = counts_of(snapshot, draft.run, draft.wish.seat_class, draft.leg, draft.now)
    return refuse_lack(counts, len(passengers))


def _claim(parts: Parts, draft: Draft, seats: Sequence[Seat]) -> Placed:
    """Pass the gate where the run is hot, write, and tell this process's snapshot."""
    seat_ids = [seat.seat_id for seat in seats]
    place = (draft.run.run_id, draft.leg, seat_ids, draft.order_id)
    is_hot = parts.contention.is_hot(draft.run.run_id)
    if is_hot and not parts.gate.enter(*place):
        raise SeatTaken
    riders = riders_of(draft, seats, parts.identity_numbers)
    digest = parts.identity_numbers.keyed_digest(draft.wish.canonical())
    record = record_of(draft, riders, parts.settings, digest)
    try:
        placed = _write(parts, draft, record, riders)
    except SeatTaken:
        parts.contention.note_collision(draft.run.run_id)
        raise
    except Exception:
        parts.gate.leave(*place)
        raise
    if placed.is_new:
        _show(parts, draft, record, seat_ids)
    elif is_hot:
        # The seats chosen this time are not the order's, so the gate shall not keep them.
        parts.gate.leave(*place)
    return placed


def _show(parts: Parts, draft: Draft, record: dict[str, Any], seat_ids: Sequence[int]) -> None:
    until, mark = record["expires_at"].timestamp(), order_mark(draft.order_id.hex)
    held = [LiveClaim(seat_id, *draft.leg, until, mark) for seat_id in seat_ids]
    parts.snapshots.add(draft.run.run_id, held)


def _write(parts: Parts, draft: Draft, record: dict[str, Any], riders: Sequence[Rider]) -> Placed:
    values = {
        **record,
        **claims.rider_columns(riders),
        "journey": orjson.dumps(record["journey"], option=orjson.OPT_UTC_Z).decode(),
        "segments": draft.leg.segments,
        "orders_per_day_max": parts.settings.orders_per_day_max,
        "holds_per_day_max": parts.settings.holds_per_day_max,
        "now": draft.now,
    }
    for _ in range(SLOT_RACES_MAX):
        try:
            outcome = run_statement(db, claims.PLACE_ORDER, values)
        except IntegrityError as error:
            placed = _explain_refusal(draft, record, refusing_constraint(error))
        else:
            placed = _explain_outcome(parts, draft, record, outcome)
        if placed is not None:
            return placed
    raise TooManyOrders


def _explain_refusal(draft: Draft, record: dict[str, Any], constraint: str) -> Placed | None:
    """
    Say which rule refused. None means that two orders of the account met in the same slot of the
    day and this one may look for another.
    """
    known = queries.order_by_id(draft.order_id)
    if known is not None:
        return _repeated(known, record)
    if constraint == models.ORDER_SLOT:
        return None
    if constraint == models.PASSENGER_TWICE:
        raise PassengerOnRun
    if constraint == models.SEAT_OVERLAP:
        raise SeatTaken
    raise AssertionError(f"No rule is behind the constraint {constraint!r}.")


def _explain_outcome(parts: Parts, draft: Draft, record: dict[str, Any], outcome: Any) -> Placed:
    if outcome.claimed:
        return Placed(record, is_new=True)
    known = queries.order_by_id(draft.order_id)
    if known is not None:
        return _repeated(known, record)
    if outcome.opened >= parts.settings.holds_per_day_max:
        raise TooManyHolds
    if outcome.slots_used >= parts.settings.orders_per_day_max:
        raise TooManyOrders
    raise SalesClosed("The run was cancelled.")


def _repeated(known: Any, record: dict[str, Any]) -> Placed:
    is_same = (
        known["account_id"] == record["account_id"]
        and bytes(known["request_digest"]) == record["request_digest"]
    )
    if not is_same:
        raise IdReused
    return Placed(known, is_new=False)


def read_order(*, order_id: UUID, buyer: Identity) -> dict[str, Any]:
    """
    Raises:
        OrderNotFound: there is none, or it is somebody else's, which is told to nobody.
    """
    known = queries.order_by_id(order_id)
    if known is None or known["account_id"] != buyer.account_id:
        raise OrderNotFound
    return known


def release_order(
    *, parts: Parts, order_id: UUID, buyer: Identity, now: datetime
) -> dict[str, Any]:
    """
    Give the seats back at once. An order that is being paid is not released under the payment's
    feet; one that has lapsed or was released stays what it is.

    Raises:
        OrderNotFound, OrderNotHeld.
    """
    order = read_order(order_id=order_id, buyer=buyer)
    if state_at(order["state"], order["expires_at"], now) in {RELEASED, EXPIRED}:
        return order
    ended = end_order(
        parts, order, from_states=[HELD], to_state=RELEASED, reason="released", now=now
    )
    if not ended:
        raise OrderNotHeld
    return read_order(order_id=order_id, buyer=buyer)


def end_order(
    parts: Parts,
    order: dict[str, Any],
    *,
    from_states: list[str],
    to_state: str,
    reason: str,
    now: datetime,
) -> bool:
    """Move an order to a last state and free its seats, if it is still in one of the states."""
    values = {
        "order_id": order["order_id"],
        "from_states": from_states,
        "to_state": to_state,
        "claim_state": to_state,
        "reason": reason,
        "now": now,
    }
    ended = bool(run_statement(db, claims.END_ORDER, values).ended)
    if ended:
        parts.snapshots.forget(order["run_id"])
        seat_ids = [passenger["seat_id"] for passenger in order["passengers"]]
        leg = Leg(order["from_sequence"], order["to_sequence"])
        parts.gate.leave(order["run_id"], leg, seat_ids, order["order_id"])
    return ended


def sweep_lapsed(*, now: datetime, limit: int = 200) -> int:
    """Write down what has lapsed. Tidiness: a lapsed seat is free without it."""
    return int(run_statement(db, claims.SWEEP_LAPSED, {"now": now, "limit": limit}).ended)
