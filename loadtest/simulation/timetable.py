"""Runs of the shipped timetable, made by the catalogue's own code and read by order's."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime

from order.run import Run, parse_run
from ticket.definition import (
    ClassTerms,
    FareRule,
    PlannedTrain,
    StationName,
    StopTimes,
    head_of,
    plan_of,
)
from ticket.importers import normalised
from ticket.importers.normalised import Timetable
from ticket.sales import Sales
from ticket.seatplan import CoachPlan

SERVICE_DATE = date(2026, 12, 1)
LEGS_MIN = 8


def runs_with_many_legs() -> tuple[list[Run], dict[str, int]]:
    """
    Every train on which seats are sold in parts, and how many trains call at each station. A
    train with a leg or two has nothing to choose.
    """
    timetable = normalised.read()
    calling = Counter(stop.station_code for stop in timetable.stops)
    return [run for run in _runs(timetable) if len(_legs(run)) >= LEGS_MIN], calling


def _legs(run: Run) -> set[tuple[int, int]]:
    return {(start, end) for _, start, end in run.fares}


def _runs(timetable: Timetable) -> list[Run]:
    by_train: dict[str, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    for table in ("stops", "coaches", "fares"):
        for row in getattr(timetable, table):
            by_train[row.train_number][table].append(row)
    names = {s.station_code: StationName(s.name, s.name_bn) for s in timetable.stations}
    classes = {c.seat_class: ClassTerms(**vars(c)) for c in timetable.seat_classes}
    return [
        _run(_planned(timetable, train, by_train[train.train_number], names, classes))
        for train in timetable.trains
        if by_train[train.train_number]["coaches"] and by_train[train.train_number]["fares"]
    ]


def _planned(timetable, train, rows, names, classes) -> PlannedTrain:
    def bare(row) -> dict:
        return {name: value for name, value in vars(row).items() if name != "train_number"}

    return PlannedTrain(
        train_number=train.train_number,
        name=train.name,
        name_bn=train.name_bn,
        zone=train.zone,
        timezone=timetable.agency.timezone,
        currency=timetable.agency.currency,
        stops=tuple(
            StopTimes(s.station_code, s.arrives_minute, s.departs_minute)
            for s in sorted(rows["stops"], key=lambda stop: stop.sequence)
        ),
        coaches=tuple(CoachPlan(**bare(coach)) for coach in rows["coaches"]),
        fares=tuple(FareRule(**bare(fare)) for fare in rows["fares"]),
        station_names=names,
        classes=classes,
    )


def _run(train: PlannedTrain) -> Run:
    always = Sales(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    head = head_of(
        train, SERVICE_DATE, version=1, state="scheduled", sales=always, online_charge_minor=2_000
    )
    return parse_run({**head, **plan_of(train)})
