"""From a wish to what is written: passengers on seats with their prices, and the order's record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.identity import Identity
from chassis.problems import Problem
from order.claims import Rider
from order.identity_number import IdentityNumbers, masked
from order.order_life import HELD
from order.run import Leg, Run, Seat
from order.settings import Settings
from order.wish import Wish, WishedPassenger


class NotOnSale(Problem):
    status, code, title = 422, "not_on_sale", "This leg is not on sale in this class."


@dataclass(frozen=True)
class Draft:
    """One request to buy, with all that was found out about it before seats are chosen."""

    order_id: UUID
    buyer: Identity
    wish: Wish
    run: Run
    leg: Leg
    now: datetime


def riders_of(draft: Draft, seats: Sequence[Seat], numbers: IdentityNumbers) -> list[Rider]:
    """Put the passengers, in their order, on the seats, in theirs."""
    pairs = zip(draft.wish.passengers, seats, strict=True)
    return [
        _rider(draft, position, passenger, seat, numbers)
        for position, (passenger, seat) in enumerate(pairs, 1)
    ]


def _rider(
    draft: Draft, position: int, passenger: WishedPassenger, seat: Seat, numbers: IdentityNumbers
) -> Rider:
    fare = draft.run.fare_of(seat.seat_class, draft.leg)
    if fare is None:
        raise NotOnSale
    number = passenger.identity_number
    return Rider(
        position=position,
        name=passenger.name,
        identity_kind=passenger.identity_kind,
        identity_sealed=numbers.seal(number, owner=f"{draft.order_id}/{position}"),
        identity_masked=masked(number),
        digest=numbers.digest(passenger.identity_kind, number),
        seat_id=seat.seat_id,
        seat_number=seat.number,
        coach_letter=seat.coach_letter,
        seat_class=seat.seat_class,
        price_minor=fare.price_minor,
    )


def record_of(
    draft: Draft, riders: Sequence[Rider], settings: Settings, request_digest: bytes
) -> dict[str, Any]:
    """Give the order as queries.ORDER_BY_ID will read it."""
    run, leg, now = draft.run, draft.leg, draft.now
    online_charge_minor = run.online_charge_minor * len(riders)
    return {
        "order_id": draft.order_id,
        "account_id": draft.buyer.account_id,
        "request_digest": request_digest,
        "state": HELD,
        "run_id": run.run_id,
        "from_sequence": leg.from_sequence,
        "to_sequence": leg.to_sequence,
        "journey": journey_of(run, leg),
        "departs_at": run.departs_at(leg),
        "amount_minor": sum(rider.price_minor for rider in riders) + online_charge_minor,
        "online_charge_minor": online_charge_minor,
        "currency": run.currency,
        "contact_email": draft.buyer.email,
        "contact_name": draft.buyer.name,
        "sale_date": now.astimezone(ZoneInfo(settings.timezone)).date(),
        "created_at": now,
        "expires_at": now + timedelta(seconds=settings.hold_seconds),
        "payment_id": None,
        "pnr": None,
        "confirmed_at": None,
        "ended_reason": None,
        "passengers": [_passenger(rider) for rider in riders],
        "tickets": [],
    }


def journey_of(run: Run, leg: Leg) -> dict[str, Any]:
    """What the passenger was shown; kept with the order, whatever the catalogue says later."""
    start, end = run.stops[leg.from_sequence], run.stops[leg.to_sequence]
    return {
        "run_version": run.version,
        "train_number": run.train_number,
        "train_name": run.train_name,
        "train_name_bn": run.train_name_bn,
        "service_date": run.service_date,
        "timezone": run.timezone,
        "from": {"station_code": start.station_code, "name": start.name, "name_bn": start.name_bn},
        "to": {"station_code": end.station_code, "name": end.name, "name_bn": end.name_bn},
        "departs_at": run.departs_at(leg),
        "arrives_at": run.arrives_at(leg),
        "refund_categories": {c.seat_class: c.refund_category for c in run.seat_classes.values()},
    }


def _passenger(rider: Rider) -> dict[str, Any]:
    return {
        "position": rider.position,
        "name": rider.name,
        "identity_kind": rider.identity_kind,
        "identity_masked": rider.identity_masked,
        "seat_id": rider.seat_id,
        "seat_number": rider.seat_number,
        "coach_letter": rider.coach_letter,
        "seat_class": rider.seat_class,
        "price_minor": rider.price_minor,
    }
