"""
The stops of a Bangladesh Railway train: stated times made a timetable, or a stop refused.

A time is disbelieved only if more of the train's other times speak against it than for it, and a
stop of which nothing is believed stays only if another train proves that it lies on the way.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

from ticket.importers.bangladesh_source import SourceTrain
from ticket.importers.report import Report
from ticket.importers.running_times import (
    DAY,
    StatedTime,
    UnreadableTimeError,
    believable,
    minute_of_day,
    spread,
    unrolled,
)

ZONE_LABEL = "BST"
LONGEST_KEPT_HALT = 30

# How much it takes to disbelieve a time. People know when a train leaves its origin; an arrival
# is what the source reckons its running times with; a lone time is often that of passing by.
END_WEIGHT, ARRIVAL_WEIGHT, DEPARTURE_WEIGHT, LONE_WEIGHT = 8, 3, 2, 1


@dataclass(frozen=True)
class Call:
    """A stop in the making: at `station` (its plain name), minutes from the origin's midnight."""

    station: str
    arrives: int | None
    departs: int | None
    is_lost: bool = False

    def at(self, arrives: int, departs: int) -> "Call":
        return replace(self, arrives=arrives, departs=departs, is_lost=False)


class Lines:
    """Which stations lie between which, by the order in which the trains call at them."""

    def __init__(self, orders: dict[str, list[str]]) -> None:
        self._places = {
            number: {station: place for place, station in enumerate(order)}
            for number, order in orders.items()
        }

    def calls_elsewhere(self, number: str, station: str) -> bool:
        """Say whether any other train calls at the station."""
        return any(station in places for other, places in self._places.items() if other != number)

    def witness(self, number: str, one: str, station: str, other: str) -> str | None:
        """Name another train that calls at the station between the two others, either way."""
        for witness, places in self._places.items():
            if witness != number and {one, station, other} <= places.keys():
                ends = sorted((places[one], places[other]))
                if ends[0] < places[station] < ends[1]:
                    return witness
        return None


def calls_of(train: SourceTrain, stations: list[str], lines: Lines, report: Report) -> list[Call]:
    """
    Give the train's stops with every time in order; `stations` are the plain names of its stops.

    Each stop of the train that is not in the answer has been refused in the report.
    """
    calls = _without_repeats(train.number, _stated(train, stations, report), report)
    calls = _disbelieve(train.number, calls, report)
    calls = _interpolate(train.number, calls, lines, report)
    calls = _move(train.number, calls, lines, report)
    for call in calls:
        if call.is_lost:
            report.refuses(
                "stop",
                _item(train.number, call.station),
                rule="its times contradict the train's, and no other train shows where it lies",
                detail=f"{_clocks(call)} refused",
            )
    return _completed(train.number, [call for call in calls if not call.is_lost], report)


def _item(number: str, station: str) -> str:
    return f"{number} {station}"


def _clock(minute: int | None) -> str:
    if minute is None:
        return "none"
    day = f" day {minute // DAY:+d}" if not 0 <= minute < DAY else ""
    return f"{minute % DAY // 60:02d}:{minute % 60:02d}{day}"


def _clocks(call: Call) -> str:
    return f"arrives {_clock(call.arrives)}, departs {_clock(call.departs)}"


def _stated(train: SourceTrain, stations: list[str], report: Report) -> list[Call]:
    return [
        Call(
            station,
            _read_time(train.number, station, stop.arrival_time, report),
            _read_time(train.number, station, stop.departure_time, report),
        )
        for station, stop in zip(stations, train.stops, strict=True)
    ]


def _read_time(number: str, station: str, text: str | None, report: Report) -> int | None:
    if text is None or not text.strip(" -"):
        return None
    try:
        return minute_of_day(text, zone_label=ZONE_LABEL)
    except UnreadableTimeError as error:
        report.repairs(
            "stop",
            _item(number, station),
            rule="a time that cannot be read is taken as not stated",
            detail=str(error),
        )
        return None


def _without_repeats(number: str, calls: list[Call], report: Report) -> list[Call]:
    seen: set[str] = set()
    kept: list[Call] = []
    for call in calls:
        if call.station in seen:
            report.refuses(
                "stop",
                _item(number, call.station),
                rule="the train calls there twice, and a fare could not say which stop it means",
                detail=f"second call, {_clocks(call)}, refused",
            )
        else:
            kept.append(call)
        seen.add(call.station)
    return kept


def _times(calls: list[Call]) -> list[StatedTime]:
    stated = [
        StatedTime(index, is_departure, minute, _weight(calls, index, is_departure=is_departure))
        for index, call in enumerate(calls)
        for is_departure, minute in ((False, call.arrives), (True, call.departs))
        if minute is not None
    ]
    line = unrolled([time.minute for time in stated])
    return [replace(time, minute=minute) for time, minute in zip(stated, line, strict=True)]


def _weight(calls: list[Call], index: int, *, is_departure: bool) -> int:
    if index in (0, len(calls) - 1):
        return END_WEIGHT
    if calls[index].arrives is None or calls[index].departs is None:
        return LONE_WEIGHT
    return DEPARTURE_WEIGHT if is_departure else ARRIVAL_WEIGHT


def _disbelieve(number: str, calls: list[Call], report: Report) -> list[Call]:
    """Put the believed times on one line; a stop with none of them is lost, but keeps its own."""
    times = _times(calls)
    kept = {(time.stop, time.is_departure): time.minute for time in believable(times)}
    line = {(time.stop, time.is_departure): time.minute for time in times}
    answer: list[Call] = []
    for index, call in enumerate(calls):
        arrives, departs = line.get((index, False)), line.get((index, True))
        is_lost = (index, False) not in kept and (index, True) not in kept
        placed = replace(call, arrives=arrives, departs=departs, is_lost=is_lost)
        if not is_lost:
            room = _room(index, kept)
            placed = _clamp(
                number, placed, kept.get((index, False)), kept.get((index, True)), room, report
            )
        answer.append(placed)
    return answer


def _room(index: int, kept: dict[tuple[int, bool], int]) -> tuple[int, int]:
    """Give the minutes between the believed times before and after a stop, a minute's run off."""
    before = [minute for (stop, _), minute in kept.items() if stop < index]
    after = [minute for (stop, _), minute in kept.items() if stop > index]
    own = [minute for (stop, _), minute in kept.items() if stop == index]
    earliest = max(before) + 1 if before else min(own)
    latest = min(after) - 1 if after else max(own)
    return min(earliest, *own), max(latest, *own)


def _clamp(
    number: str,
    call: Call,
    arrives: int | None,
    departs: int | None,
    room: tuple[int, int],
    report: Report,
) -> Call:
    """Move the one disbelieved time of a stop as little as the believed times allow."""
    changed = call
    if call.departs is not None and departs is None and arrives is not None:
        changed = replace(call, departs=max(arrives, min(call.departs, room[1])))
    if call.arrives is not None and arrives is None and departs is not None:
        changed = replace(call, arrives=min(departs, max(call.arrives, room[0])))
    if changed != call:
        report.repairs(
            "stop",
            _item(number, call.station),
            rule="one of its times goes back by minutes: moved as little as the others allow",
            detail=f"{_clocks(call)} became {_clocks(changed)}",
        )
    return changed


def _interpolate(number: str, calls: list[Call], lines: Lines, report: Report) -> list[Call]:
    """Time a lost stop evenly between its neighbours if another train calls there between them."""
    answer = list(calls)
    for index, call in enumerate(calls):
        ahead = next((later for later in calls[index + 1 :] if not later.is_lost), None)
        behind = next((sooner for sooner in answer[:index][::-1] if not sooner.is_lost), None)
        if not call.is_lost or ahead is None or behind is None:
            continue
        witness = lines.witness(number, behind.station, call.station, ahead.station)
        if witness is None:
            continue
        answer[index] = _between(call, behind, ahead, calls.index(ahead) - index)
        report.repairs(
            "stop",
            _item(number, call.station),
            rule="its times contradict the train's: timed evenly between its neighbours",
            detail=f"{_clocks(call)} became {_clocks(answer[index])} "
            f"(train {witness} shows that it lies between {behind.station} and {ahead.station})",
        )
    return answer


def _between(call: Call, behind: Call, ahead: Call, lost_stops: int) -> Call:
    start, end = _leaves(behind), _reaches(ahead)
    halt = 0
    if call.arrives is not None and call.departs is not None:
        halt = call.departs - call.arrives
    if not 0 <= halt <= min(LONGEST_KEPT_HALT, (end - start) // 3):
        halt = 0
    moment = spread(start, end - halt, lost_stops)[0]
    return call.at(moment, moment + halt)


def _leaves(call: Call) -> int:
    return max(minute for minute in (call.arrives, call.departs) if minute is not None)


def _reaches(call: Call) -> int:
    return min(minute for minute in (call.arrives, call.departs) if minute is not None)


def _move(number: str, calls: list[Call], lines: Lines, report: Report) -> list[Call]:
    """Put a lost stop where its own times fit, if anything proves that it belongs there."""
    answer = list(calls)
    for call in calls:
        if not call.is_lost or (call.arrives is None and call.departs is None):
            continue
        home = _home(number, call, answer, lines)
        if home is None:
            continue
        behind, ahead, proof = home
        answer.remove(call)
        answer.insert(answer.index(ahead), replace(call, is_lost=False))
        report.repairs(
            "stop",
            _item(number, call.station),
            rule="it stands in the wrong place of the list: moved to where its time fits",
            detail=f"{_clocks(call)}, now between {behind.station} and {ahead.station} ({proof})",
        )
    return answer


def _home(
    number: str, lost: Call, calls: list[Call], lines: Lines
) -> tuple[Call, Call, str] | None:
    """Find the two stops between which a lost stop's times fit, and the proof of it."""
    place = calls.index(lost)
    sound = [call for call in calls if not call.is_lost]
    for behind, ahead in pairwise(sound):
        if not _leaves(behind) < _reaches(lost) <= _leaves(lost) < _reaches(ahead):
            continue
        witness = lines.witness(number, behind.station, lost.station, ahead.station)
        if witness:
            return behind, ahead, f"as train {witness} calls there"
        is_next_door = place in (calls.index(behind) - 1, calls.index(ahead) + 1)
        if is_next_door and not lines.calls_elsewhere(number, lost.station):
            return behind, ahead, "one place further on; no other train calls at the station"
    return None


def _completed(number: str, calls: list[Call], report: Report) -> list[Call]:
    """Give every stop both times but the ends, and count days from the origin's departure."""
    if not calls:
        return []
    origin = _leaves(calls[0]) // DAY * DAY
    answer: list[Call] = []
    for index, call in enumerate(calls):
        arrives = None if call.arrives is None else call.arrives - origin
        departs = None if call.departs is None else call.departs - origin
        if index == 0:
            full = Call(call.station, None, departs if departs is not None else arrives)
        elif index == len(calls) - 1:
            full = Call(call.station, arrives if arrives is not None else departs, None)
        else:
            full = _with_both(number, Call(call.station, arrives, departs), report)
        answer.append(full)
    return answer


def _with_both(number: str, call: Call, report: Report) -> Call:
    if call.arrives is not None and call.departs is not None:
        return call
    missing = "departure" if call.departs is None else "arrival"
    report.repairs(
        "stop",
        _item(number, call.station),
        rule=f"a stop without {missing} is kept as a halt of no length",
        detail=f"{_clocks(call)}: both are now {_clock(_reaches(call))}",
    )
    return call.at(_reaches(call), _reaches(call))
