"""
What trains offer, by date: reads the dated sets of stops, coaches and fares, writes new ones, and
answers which are in force on a day.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import delete, func, insert, select

from chassis.database import DbSession
from ticket.calendar import Calendar
from ticket.definition import ClassTerms, FareRule, PlannedTrain, StationName, StopTimes
from ticket.models import Coach, Fare, Run, SeatClass, Station, Train, TrainDate, TrainStop
from ticket.seatplan import CoachPlan

Row = TypeVar("Row")
# The sets of the first timetable are in force as far back as anybody asks.
ALWAYS = date(1970, 1, 1)


class DatedSets(Generic[Row]):
    """Each set is in force from its date until the next one's."""

    def __init__(self, rows: Iterable[tuple[date, Row]] = ()) -> None:
        sets: dict[date, list[Row]] = defaultdict(list)
        for from_date, row in rows:
            sets[from_date].append(row)
        self._sets = {from_date: tuple(sets[from_date]) for from_date in sorted(sets)}
        self._dates = list(self._sets)

    def on(self, day: date) -> tuple[Row, ...]:
        place = bisect_right(self._dates, day)
        return self._sets[self._dates[place - 1]] if place else ()

    def starting(self, day: date) -> tuple[Row, ...]:
        return self._sets.get(day, ())


@dataclass(frozen=True)
class Names:
    stations: dict[str, StationName]
    classes: dict[str, ClassTerms]


@dataclass(frozen=True)
class TrainOffer:
    """A train with all its sets, past and to come."""

    train: Train
    stops: DatedSets[StopTimes]
    coaches: DatedSets[CoachPlan]
    fares: DatedSets[FareRule]
    names: Names

    def on(self, day: date) -> PlannedTrain:
        return PlannedTrain(
            train_number=self.train.train_number,
            name=self.train.name,
            name_bn=self.train.name_bn,
            zone=self.train.zone,
            timezone=self.train.timezone,
            currency=self.train.currency,
            stops=self.stops.on(day),
            coaches=self.coaches.on(day),
            fares=self.fares.on(day),
            station_names=self.names.stations,
            classes=self.names.classes,
        )


def names_of(session: DbSession) -> Names:
    stations = session.execute(select(Station.station_code, Station.name, Station.name_bn))
    classes = session.execute(
        select(SeatClass.seat_class, SeatClass.name, SeatClass.name_bn, SeatClass.refund_category)
    )
    return Names(
        stations={code: StationName(name, name_bn) for code, name, name_bn in stations},
        classes={row.seat_class: ClassTerms(*row) for row in classes},
    )


def calendars_of(session: DbSession) -> dict[str, tuple[str, Calendar]]:
    """Every train's time zone and calendar, by its number."""
    exceptions: dict[str, dict[date, bool]] = defaultdict(dict)
    dates = select(TrainDate.train_number, TrainDate.service_date, TrainDate.runs)
    for number, service_date, runs in session.execute(dates):
        exceptions[number][service_date] = runs
    rows = select(
        Train.train_number, Train.timezone, Train.running_days, Train.valid_from, Train.valid_until
    )
    return {
        number: (timezone, Calendar(running_days, valid_from, valid_until, exceptions[number]))
        for number, timezone, running_days, valid_from, valid_until in session.execute(rows)
    }


def offers_of(session: DbSession, train_numbers: Sequence[str]) -> dict[str, TrainOffer]:
    """The trains of these numbers that exist."""
    trains = session.scalars(select(Train).where(Train.train_number.in_(train_numbers)))
    names = names_of(session)
    stops = _stops(session, train_numbers)
    coaches = _coaches(session, train_numbers)
    fares = _fares(session, train_numbers)
    return {
        train.train_number: TrainOffer(
            train=train,
            stops=DatedSets(stops[train.train_number]),
            coaches=DatedSets(coaches[train.train_number]),
            fares=DatedSets(fares[train.train_number]),
            names=names,
        )
        for train in trains
    }


def offer_of(session: DbSession, train_number: str) -> TrainOffer | None:
    return offers_of(session, [train_number]).get(train_number)


def first_free_dates(session: DbSession) -> dict[str, date]:
    """The day after each train's last run: from then on, nothing of it can have been sold."""
    rows = select(Run.train_number, func.max(Run.service_date)).group_by(Run.train_number)
    return {number: last + timedelta(days=1) for number, last in session.execute(rows)}


def _dated(
    session: DbSession, rows: Any, make: Callable[..., Row]
) -> dict[str, list[tuple[date, Row]]]:
    found: dict[str, list[tuple[date, Row]]] = defaultdict(list)
    for number, from_date, *columns in session.execute(rows):
        found[number].append((from_date, make(*columns)))
    return found


def _stops(session: DbSession, numbers: Sequence[str]) -> dict[str, list[tuple[date, StopTimes]]]:
    rows = (
        select(
            TrainStop.train_number, TrainStop.from_date,
            TrainStop.station_code, TrainStop.arrives_minute, TrainStop.departs_minute,
        )
        .where(TrainStop.train_number.in_(numbers))
        .order_by(TrainStop.train_number, TrainStop.from_date, TrainStop.sequence)
    )  # fmt: skip
    return _dated(session, rows, StopTimes)


def _coaches(session: DbSession, numbers: Sequence[str]) -> dict[str, list[tuple[date, CoachPlan]]]:
    rows = (
        select(
            Coach.train_number, Coach.from_date,
            Coach.coach_number, Coach.letter, Coach.letter_bn, Coach.seat_class,
            Coach.rows, Coach.left_seats, Coach.right_seats,
        )
        .where(Coach.train_number.in_(numbers))
        .order_by(Coach.train_number, Coach.from_date, Coach.coach_number)
    )  # fmt: skip
    return _dated(session, rows, CoachPlan)


def _fares(session: DbSession, numbers: Sequence[str]) -> dict[str, list[tuple[date, FareRule]]]:
    rows = (
        select(
            Fare.train_number, Fare.from_date,
            Fare.seat_class, Fare.from_code, Fare.to_code, Fare.price_minor, Fare.vat_minor,
        )
        .where(Fare.train_number.in_(numbers))
        .order_by(Fare.train_number, Fare.from_date, Fare.seat_class, Fare.from_code, Fare.to_code)
    )  # fmt: skip
    return _dated(session, rows, FareRule)


def write_stops(
    session: DbSession, train_number: str, from_date: date, stops: Iterable[StopTimes]
) -> None:
    rows = [{"sequence": sequence, **vars(stop)} for sequence, stop in enumerate(stops)]
    _write(session, TrainStop, train_number, from_date, rows)


def write_coaches(
    session: DbSession, train_number: str, from_date: date, coaches: Iterable[CoachPlan]
) -> None:
    _write(session, Coach, train_number, from_date, [vars(coach) for coach in coaches])


def write_fares(
    session: DbSession, train_number: str, from_date: date, fares: Iterable[FareRule]
) -> None:
    _write(session, Fare, train_number, from_date, [vars(fare) for fare in fares])


def _write(
    session: DbSession, table: Any, train_number: str, from_date: date, rows: list[dict[str, Any]]
) -> None:
    """Replace the set that starts on this very date; other dates' sets stay."""
    mine = (table.train_number == train_number, table.from_date == from_date)
    session.execute(delete(table).where(*mine).execution_options(synchronize_session=False))
    if rows:
        place = {"train_number": train_number, "from_date": from_date}
        session.execute(insert(table), [{**place, **row} for row in rows])
