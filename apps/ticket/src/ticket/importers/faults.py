"""
What a normalised timetable must be besides well-formed: references that lead somewhere, times
that do not go back, fares in the direction of travel.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ticket.importers.normalised import Coach, Stop, Timetable


def faults(timetable: Timetable) -> list[str]:
    """List everything that is wrong, a sentence each; an empty list is a sound timetable."""
    return [
        *_zone_faults(timetable),
        *_repeated("station", (row.station_code for row in timetable.stations)),
        *_repeated("train", (row.train_number for row in timetable.trains)),
        *_stop_faults(timetable),
        *_fare_faults(timetable),
        *_coach_faults(timetable),
    ]


def stops_by_train(timetable: Timetable) -> dict[str, list[Stop]]:
    stops: dict[str, list[Stop]] = defaultdict(list)
    for stop in timetable.stops:
        stops[stop.train_number].append(stop)
    return stops


def _zone_faults(timetable: Timetable) -> Iterator[str]:
    names = {timetable.agency.timezone, *(row.timezone or "UTC" for row in timetable.stations)}
    for name in sorted(names):
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            yield f"time zone {name} is unknown"


def _repeated(kind: str, keys: Iterable[object]) -> Iterator[str]:
    return (f"{kind} {key} occurs {n} times" for key, n in Counter(keys).items() if n > 1)


def _stop_faults(timetable: Timetable) -> Iterator[str]:
    stations = {row.station_code for row in timetable.stations}
    stops = stops_by_train(timetable)
    for train in timetable.trains:
        yield from _train_stop_faults(train.train_number, stops[train.train_number], stations)
    for number in sorted(stops.keys() - {row.train_number for row in timetable.trains}):
        yield f"train {number} has stops but is not in the list of trains"


def _train_stop_faults(number: str, stops: list[Stop], stations: set[str]) -> Iterator[str]:
    if len(stops) < 2:
        yield f"train {number} has fewer than two stops"
    if [stop.sequence for stop in stops] != list(range(len(stops))):
        yield f"train {number} has gaps in its sequence of stops"
    for code in sorted({stop.station_code for stop in stops} - stations):
        yield f"train {number} stops at the unknown station {code}"
    yield from _repeated(f"train {number}: station", (stop.station_code for stop in stops))
    for index, stop in enumerate(stops):
        if (stop.arrives_minute is None) != (index == 0):
            yield f"train {number} stop {index}: only the first stop has no arrival"
        if (stop.departs_minute is None) != (index == len(stops) - 1):
            yield f"train {number} stop {index}: only the last stop has no departure"
    times = [
        time
        for stop in stops
        for time in (stop.arrives_minute, stop.departs_minute)
        if time is not None
    ]
    if any(later < sooner for sooner, later in pairwise(times)):
        yield f"train {number} goes back in time"


def _fare_faults(timetable: Timetable) -> Iterator[str]:
    place = {(stop.train_number, stop.station_code): stop.sequence for stop in timetable.stops}
    classes = {row.seat_class for row in timetable.seat_classes}
    for fare in timetable.fares:
        name = f"fare {fare.train_number} {fare.seat_class} {fare.from_code}-{fare.to_code}"
        ends = [place.get((fare.train_number, code)) for code in (fare.from_code, fare.to_code)]
        if ends[0] is None or ends[1] is None or ends[0] >= ends[1]:
            yield f"{name} is not a leg of the train"
        if fare.seat_class not in classes:
            yield f"{name} is for an unknown seat class"
        if not 0 <= fare.vat_minor < fare.price_minor:
            yield f"{name} has no positive price"
    yield from _repeated(
        "fare",
        ((row.train_number, row.seat_class, row.from_code, row.to_code) for row in timetable.fares),
    )


def _coach_faults(timetable: Timetable) -> Iterator[str]:
    classes = {row.seat_class for row in timetable.seat_classes}
    trains = {row.train_number for row in timetable.trains}
    for coach in timetable.coaches:
        if coach.train_number not in trains or coach.seat_class not in classes or coach.seats < 1:
            yield f"{_name(coach)} has an unknown train, an unknown class or no seat"
    yield from _repeated("coach", (_name(coach) for coach in timetable.coaches))
    yield from _repeated("letter", ((row.train_number, row.letter) for row in timetable.coaches))
    offered = {(coach.train_number, coach.seat_class) for coach in timetable.coaches}
    for number, seat_class in {
        (row.train_number, row.seat_class) for row in timetable.fares
    } - offered:
        yield f"train {number} sells {seat_class} but has no such coach"


def _name(coach: Coach) -> str:
    return f"coach {coach.train_number}/{coach.coach_number}"
