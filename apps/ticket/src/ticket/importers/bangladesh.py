"""
Import Bangladesh Railway: from the published files to the normalised timetable and its report.

It repairs what other trains or times prove, refuses what cannot be known, and says both.
"""

from collections import defaultdict
from datetime import date
from pathlib import Path

from ticket.importers import rakes
from ticket.importers.bangladesh_fares import fares_of
from ticket.importers.bangladesh_source import (
    NUMBERED,
    Source,
    SourceTrain,
    read_source,
)
from ticket.importers.bangladesh_stations import Named, named_stations, stations_of, zone_of
from ticket.importers.bangladesh_stops import Call, Lines, calls_of
from ticket.importers.faults import faults
from ticket.importers.gazetteer import Place, read_places
from ticket.importers.normalised import Agency, Coach, Fare, Station, Stop, Timetable, Train, write
from ticket.importers.report import Report
from ticket.importers.seat_classes_of_bangladesh import seat_classes
from ticket.importers.sources import UnusableSourceError
from ticket.importers.station_names import english_key, plain_english

WEEKDAYS = {
    day: str(n) for n, day in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), start=1)
}

AGENCY = Agency(
    agency_code="BR",
    name="Bangladesh Railway",
    name_bn="বাংলাদেশ রেলওয়ে",
    timezone="Asia/Dhaka",
    currency="BDT",
    source="github.com/nishatrhythm/Bangladesh-Railway-Trains-Stations-Coaches-Classes-Info"
    " at 77b47ec513e9649934929584d53e2dbe3bda9ee4",
    licence="MIT, (c) 2024 NISHAT MAHMUD; see NOTICE.md",
    retrieved_date=date(2025, 6, 27),
)

RULES = """
Times are 12-hour times labelled BST, Bangladesh Standard Time (UTC+6, no daylight saving).

No day is stated. Of the two readings of a step in a train's times, over midnight or backwards, the
shorter is meant: a drop by hours is the next day, a drop by minutes is a mistake.

Of times that contradict one another the weightiest set that never goes back is believed. The first
and last stop weigh most, then arrivals, then departures, then the only time of a stop.

A stop with one disbelieved time keeps it, moved as little as possible. A stop of which nothing is
believed is kept only if another train calls there between the same stations (it is timed evenly
between them), or if its time fits elsewhere: where another train calls, or one place further on if
no other train calls at the station at all. Otherwise it is refused.

A stop with an arrival only, or a departure only, is a halt of no length: nearly all of them are on
sale, so trains do stop there.

Fares are the offers of July 2025, per train; the price is the fare plus the stated VAT.

Codes, coordinates and zones come from the second source where the names agree in English and
Bengali and no other station fits better. Other codes are ours, made from the name.

A train's zone, by which its sales open, is that of its origin; where unknown, that of most of its
stations; where that is even or unknown, east.

Coaches are not in the source: each class gets the coaches that hold the most seats ever seen free,
and at least one. These plans are ours.
"""


def import_bangladesh(*, source: Path, stations_source: Path | None, into: Path) -> Report:
    """
    Write the normalised timetable and report.md into a folder, and give the report.

    Raises:
        UnusableSourceError: a source is not what it should be; nothing was written.
    """
    timetable, report = normalise(read_source(source), _places(stations_source))
    write(timetable, into)
    (into / "report.md").write_text(report.as_markdown(), encoding="utf-8", newline="\n")
    return report


def _places(folder: Path | None) -> list[Place]:
    if folder is None:
        return []
    try:
        return read_places(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnusableSourceError(
            f"{folder} does not hold railway-stations.json ({error})."
        ) from error


def normalise(source: Source, places: list[Place]) -> tuple[Timetable, Report]:
    report = Report(
        "Import of Bangladesh Railway", [" ".join(rule.split()) for rule in RULES.split("\n\n")]
    )
    named = named_stations(source, report)
    trains = _sound_trains(source.trains, report)
    calls = _calls(trains, named, report)
    trains = [train for train in trains if train.number in calls]
    stations = stations_of(named, calls, places, report)
    stops = _stops(calls, stations)
    fares = _fares(source, stations, stops, report)
    timetable = Timetable(
        agency=AGENCY,
        stations=tuple(stations.values()),
        trains=tuple(
            _train(train, calls[train.number], stations, source, report) for train in trains
        ),
        stops=tuple(stops),
        seat_classes=seat_classes(source.class_names_bn),
        fares=tuple(fares),
        coaches=tuple(_coaches(source, fares, report)),
    )
    wrong = faults(timetable) + [f"{kind}s do not add up" for kind in report.unbalanced()]
    if wrong:
        raise UnusableSourceError(f"The result would be unsound: {'; '.join(wrong[:5])}.")
    return timetable, report


def _sound_trains(trains: list[SourceTrain], report: Report) -> list[SourceTrain]:
    report.reads("train", len(trains))
    report.reads("stop", sum(len(train.stops) for train in trains))
    sound: dict[str, SourceTrain] = {}
    for train in trains:
        if train.number in sound:
            _refuse_train(train, "its number is taken by a train before it", report)
        elif not train.days or not set(train.days) <= WEEKDAYS.keys():
            _refuse_train(train, "its running days cannot be read", report)
        else:
            sound[train.number] = train
    return list(sound.values())


def _refuse_train(train: SourceTrain, rule: str, report: Report) -> None:
    report.refuses("train", train.number, rule=rule, detail=f"{train.name} refused")
    for stop in train.stops:
        report.refuses(
            "stop", f"{train.number} {stop.city}", rule="its train is refused", detail="refused"
        )


def _calls(
    trains: list[SourceTrain], named: dict[str, Named], report: Report
) -> dict[str, list[Call]]:
    orders = {
        train.number: [named[english_key(plain_english(stop.city))].name for stop in train.stops]
        for train in trains
    }
    lines = Lines(orders)
    calls: dict[str, list[Call]] = {}
    for train in trains:
        found = calls_of(train, orders[train.number], lines, report)
        if len(found) > 1:
            calls[train.number] = found
            report.takes("train")
            report.takes("stop", len(found))
        else:
            _refuse_remains(train, found, report)
    return calls


def _refuse_remains(train: SourceTrain, found: list[Call], report: Report) -> None:
    rule = "fewer than two stops are left"
    report.refuses("train", train.number, rule=rule, detail=f"{train.name} refused")
    for call in found:
        item = f"{train.number} {call.station}"
        report.refuses("stop", item, rule="its train is refused", detail="refused")


def _stops(calls: dict[str, list[Call]], stations: dict[str, Station]) -> list[Stop]:
    return [
        Stop(number, sequence, stations[call.station].station_code, call.arrives, call.departs)
        for number, train_calls in calls.items()
        for sequence, call in enumerate(train_calls)
    ]


def _train(
    train: SourceTrain,
    calls: list[Call],
    stations: dict[str, Station],
    source: Source,
    report: Report,
) -> Train:
    numbered = NUMBERED.fullmatch(train.name)
    if numbered is None or numbered[2] != train.number:
        report.notes("train", train.number, rule="its name bears another number", detail=train.name)
    name_bn = source.train_names_bn.get(train.number, "")
    if not name_bn:
        report.notes("train", train.number, rule="it has no Bengali name", detail=train.name)
    return Train(
        train_number=train.number,
        name=plain_english(numbered[1] if numbered else train.name),
        name_bn=name_bn,
        running_days="".join(sorted({WEEKDAYS[day] for day in train.days})),
        zone=zone_of(calls, stations),
    )


def _fares(
    source: Source, stations: dict[str, Station], stops: list[Stop], report: Report
) -> list[Fare]:
    codes = {english_key(name): station.station_code for name, station in stations.items()}
    places: dict[str, dict[str, int]] = defaultdict(dict)
    for stop in stops:
        places[stop.train_number][stop.station_code] = stop.sequence
    return fares_of(source.offers, codes, places, report)


def _coaches(source: Source, fares: list[Fare], report: Report) -> list[Coach]:
    wanted: dict[str, dict[str, int]] = defaultdict(dict)
    for fare in fares:
        wanted[fare.train_number][fare.seat_class] = 0
    report.reads("seats seen", len(source.seats_seen))
    for seen in source.seats_seen:
        counts = [int(cell) for cell in seen.most_free if cell.isdecimal()]
        item = f"{seen.train_number} {seen.seat_class}"
        if not counts:
            report.refuses("seats seen", item, rule="no number", detail=" ".join(seen.most_free))
        elif seen.seat_class not in wanted.get(seen.train_number, {}):
            rule = "seats were seen in a class without a fare"
            report.refuses("seats seen", item, rule=rule, detail=f"{max(counts)} seats")
        else:
            before = wanted[seen.train_number][seen.seat_class]
            wanted[seen.train_number][seen.seat_class] = max(before, *counts)
            report.takes("seats seen")
    return [
        coach
        for number, classes in wanted.items()
        for coach in rakes.rake(number, classes, source.coach_letters)
    ]
