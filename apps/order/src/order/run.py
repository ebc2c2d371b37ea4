"""
A run as order needs it: stops, seats, fares and sales times, parsed once from the definition that
the catalogue publishes. The definition of a version never changes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID


class Leg(NamedTuple):
    """The half-open range of segments that one passenger rides; segment n joins stops n, n+1."""

    from_sequence: int
    to_sequence: int

    def overlaps(self, from_sequence: int, to_sequence: int) -> bool:
        return self.from_sequence < to_sequence and from_sequence < self.to_sequence

    @property
    def segments(self) -> str:
        """The range as PostgreSQL writes an int4range."""
        return f"[{self.from_sequence},{self.to_sequence})"


@dataclass(frozen=True, slots=True)
class Stop:
    sequence: int
    station_code: str
    name: str
    name_bn: str
    arrives_at: datetime | None
    departs_at: datetime | None


@dataclass(frozen=True, slots=True)
class Seat:
    seat_id: int
    number: str
    row: int
    column: int
    is_window: bool
    coach_number: int
    coach_letter: str
    seat_class: str


@dataclass(frozen=True, slots=True)
class SeatClass:
    seat_class: str
    name: str
    name_bn: str
    refund_category: str


@dataclass(frozen=True, slots=True)
class Fare:
    """What one passenger pays; `price_minor` includes `vat_minor`."""

    price_minor: int
    vat_minor: int


@dataclass(frozen=True)
class Run:
    run_id: UUID
    version: int
    is_cancelled: bool
    train_number: str
    train_name: str
    train_name_bn: str
    service_date: str
    timezone: str
    currency: str
    sales_open_at: datetime
    sales_close_at: datetime
    online_charge_minor: int
    stops: tuple[Stop, ...]
    seat_classes: dict[str, SeatClass]
    seats: dict[int, Seat]
    seats_by_class: dict[str, tuple[Seat, ...]]
    fares: dict[tuple[str, int, int], Fare]
    legs: dict[tuple[str, str], Leg]

    @property
    def segments_total(self) -> int:
        return len(self.stops) - 1

    def leg_between(self, from_code: str, to_code: str) -> Leg | None:
        """None where the run does not call at the two stations in this order."""
        return self.legs.get((from_code, to_code))

    def fare_of(self, seat_class: str, leg: Leg) -> Fare | None:
        return self.fares.get((seat_class, *leg))

    def departs_at(self, leg: Leg) -> datetime:
        """A leg never begins at the last stop, so there is a departure (legs_of)."""
        return cast("datetime", self.stops[leg.from_sequence].departs_at)

    def arrives_at(self, leg: Leg) -> datetime:
        return cast("datetime", self.stops[leg.to_sequence].arrives_at)

    def sells(self, leg: Leg, now: datetime) -> bool:
        """Sales of a leg end when the train leaves the boarding station, if not before."""
        closes_at = min(self.sales_close_at, self.departs_at(leg))
        return not self.is_cancelled and self.sales_open_at <= now < closes_at


def legs_of(stops: Sequence[Stop]) -> dict[tuple[str, str], Leg]:
    """
    Every pair of stations in riding order. Where a run calls twice at a station, the shortest
    ride between the two names is meant.
    """
    legs: dict[tuple[str, str], Leg] = {}
    for start in stops:
        for end in stops[start.sequence + 1 :]:
            if start.departs_at is None or end.arrives_at is None:
                continue
            pair = (start.station_code, end.station_code)
            leg = Leg(start.sequence, end.sequence)
            known = legs.get(pair)
            if known is None or leg[1] - leg[0] < known[1] - known[0]:
                legs[pair] = leg
    return legs


def parse_run(definition: dict[str, Any]) -> Run:
    stops = tuple(_parse_stop(stop) for stop in definition["stops"])
    seats = {seat.seat_id: seat for seat in _parse_seats(definition["coaches"])}
    return Run(
        run_id=UUID(definition["run_id"]),
        version=definition["version"],
        is_cancelled=definition["state"] == "cancelled",
        train_number=definition["train_number"],
        train_name=definition["train_name"],
        train_name_bn=definition["train_name_bn"],
        service_date=definition["service_date"],
        timezone=definition["timezone"],
        currency=definition["currency"],
        sales_open_at=datetime.fromisoformat(definition["sales"]["opens_at"]),
        sales_close_at=datetime.fromisoformat(definition["sales"]["closes_at"]),
        online_charge_minor=definition["online_charge_minor"],
        stops=stops,
        seat_classes={c["seat_class"]: SeatClass(**c) for c in definition["seat_classes"]},
        seats=seats,
        seats_by_class=_by_class(seats.values()),
        fares={
            (fare["seat_class"], fare["from_sequence"], fare["to_sequence"]): Fare(
                fare["price_minor"], fare["vat_minor"]
            )
            for fare in definition["fares"]
        },
        legs=legs_of(stops),
    )


def _parse_stop(stop: dict[str, Any]) -> Stop:
    def time(value: str | None) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)

    return Stop(
        sequence=stop["sequence"],
        station_code=stop["station_code"],
        name=stop["name"],
        name_bn=stop["name_bn"],
        arrives_at=time(stop["arrives_at"]),
        departs_at=time(stop["departs_at"]),
    )


def _parse_seats(coaches: Iterable[dict[str, Any]]) -> Iterable[Seat]:
    for coach in coaches:
        for seat in coach["seats"]:
            yield Seat(
                seat_id=seat["seat_id"],
                number=seat["number"],
                row=seat["row"],
                column=seat["column"],
                is_window=seat["is_window"],
                coach_number=coach["coach_number"],
                coach_letter=coach["letter"],
                seat_class=coach["seat_class"],
            )


def _by_class(seats: Iterable[Seat]) -> dict[str, tuple[Seat, ...]]:
    grouped: dict[str, list[Seat]] = {}
    for seat in seats:
        grouped.setdefault(seat.seat_class, []).append(seat)
    return {
        seat_class: tuple(sorted(found, key=lambda s: (s.coach_number, s.row, s.column)))
        for seat_class, found in grouped.items()
    }
