"""
A run's definition: all that others need to sell it, in two parts. The head depends on the date;
the plan (classes, coaches, fares) is the same for every day it is in force.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from ticket.calendar import iso, moment
from ticket.sales import Sales
from ticket.seatplan import CoachPlan, seats_of


@dataclass(frozen=True)
class StopTimes:
    """Minutes after the start of the service date (calendar.moment); None at a train's ends."""

    station_code: str
    arrives_minute: int | None
    departs_minute: int | None


@dataclass(frozen=True)
class FareRule:
    """What one passenger pays in a class between two stations; the price includes the VAT."""

    seat_class: str
    from_code: str
    to_code: str
    price_minor: int
    vat_minor: int


@dataclass(frozen=True)
class StationName:
    name: str
    name_bn: str


@dataclass(frozen=True)
class ClassTerms:
    seat_class: str
    name: str
    name_bn: str
    refund_category: str


@dataclass(frozen=True)
class PlannedTrain:
    """What a train offers on one service date."""

    train_number: str
    name: str
    name_bn: str
    zone: str
    timezone: str
    currency: str
    stops: tuple[StopTimes, ...]
    coaches: tuple[CoachPlan, ...]
    fares: tuple[FareRule, ...]
    station_names: Mapping[str, StationName]
    classes: Mapping[str, ClassTerms]

    def leaves_at(self, service_date: date) -> datetime:
        return moment(service_date, self._departures()[0], self.timezone)

    def last_departs_at(self, service_date: date) -> datetime:
        return moment(service_date, self._departures()[-1], self.timezone)

    def _departures(self) -> list[int]:
        return [stop.departs_minute for stop in self.stops if stop.departs_minute is not None]


def run_id_of(train_number: str, service_date: date) -> UUID:
    return uuid5(NAMESPACE_URL, f"railgate:run:{train_number}:{service_date}")


def head_of(
    train: PlannedTrain,
    service_date: date,
    *,
    version: int,
    state: str,
    sales: Sales,
    online_charge_minor: int,
) -> dict[str, Any]:
    return {
        "run_id": str(run_id_of(train.train_number, service_date)),
        "version": version,
        "state": state,
        "train_number": train.train_number,
        "train_name": train.name,
        "train_name_bn": train.name_bn,
        "service_date": service_date.isoformat(),
        "timezone": train.timezone,
        "currency": train.currency,
        "sales": {"opens_at": iso(sales.opens_at), "closes_at": iso(sales.closes_at)},
        "online_charge_minor": online_charge_minor,
        "stops": [
            _stop(train, service_date, sequence, stop) for sequence, stop in enumerate(train.stops)
        ],
    }


def _stop(
    train: PlannedTrain, service_date: date, sequence: int, stop: StopTimes
) -> dict[str, Any]:
    def at(minute: int | None) -> str | None:
        return None if minute is None else iso(moment(service_date, minute, train.timezone))

    return {
        "sequence": sequence,
        "station_code": stop.station_code,
        **vars(train.station_names[stop.station_code]),
        "arrives_at": at(stop.arrives_minute),
        "departs_at": at(stop.departs_minute),
    }


def plan_of(train: PlannedTrain) -> dict[str, Any]:
    """
    Classes, coaches with their seats, and fares. A fare whose class has no coach or whose
    stations are no leg of the train is left out: there is nothing to sell by it.
    """
    offered = sorted({coach.seat_class for coach in train.coaches})
    return {
        "seat_classes": [vars(train.classes[code]) for code in offered],
        "coaches": [
            {
                "coach_number": coach.coach_number,
                "letter": coach.letter,
                "letter_bn": coach.letter_bn,
                "seat_class": coach.seat_class,
                "seats": seats_of(coach),
            }
            for coach in train.coaches
        ],
        "fares": _fares(train, set(offered)),
    }


def _fares(train: PlannedTrain, offered: set[str]) -> list[dict[str, Any]]:
    sequence = {stop.station_code: index for index, stop in enumerate(train.stops)}
    rows = [
        {
            "seat_class": fare.seat_class,
            "from_sequence": sequence[fare.from_code],
            "to_sequence": sequence[fare.to_code],
            "price_minor": fare.price_minor,
            "vat_minor": fare.vat_minor,
        }
        for fare in train.fares
        if fare.seat_class in offered
        and fare.from_code in sequence
        and fare.to_code in sequence
        and sequence[fare.from_code] < sequence[fare.to_code]
    ]
    rows.sort(key=lambda row: (row["seat_class"], row["from_sequence"], row["to_sequence"]))
    return rows


def altered_coaches(before: dict[str, Any], after: dict[str, Any]) -> list[int]:
    """The numbers of coaches whose seats may have been sold and that are gone or different."""
    coaches = {coach["coach_number"]: coach for coach in after["coaches"]}
    return [
        coach["coach_number"]
        for coach in before["coaches"]
        if coaches.get(coach["coach_number"]) != coach
    ]


def has_same_stations(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Segments are counted by the stops' sequence, so claims survive only if it stays."""
    return _codes(before) == _codes(after)


def _codes(head: dict[str, Any]) -> list[str]:
    return [stop["station_code"] for stop in head["stops"]]


def seats_by_class(plan: dict[str, Any]) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for coach in plan["coaches"]:
        totals[coach["seat_class"]] += len(coach["seats"])
    return dict(totals)
