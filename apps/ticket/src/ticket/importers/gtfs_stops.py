"""
The stops of one GTFS train: times beyond 24 hours, stops without times, platforms of one station.

A train whose times go back or whose ends have none is refused whole: its feed is wrong about it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite

from ticket.importers.gtfs_feed import Row
from ticket.importers.report import Report

CLOCK = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)")
NOT_ALLOWED = "1"


class RefusedTrainError(Exception):
    """A train of the feed cannot be taken; the message is the reason."""


@dataclass(frozen=True)
class FeedStop:
    """
    A stop at a station (its stop_id), in minutes of the service day.

    `run_along` is the feed's own measure of the way, in whatever unit.
    """

    station_id: str
    arrives: int | None
    departs: int | None
    run_along: float | None
    can_board: bool
    can_alight: bool


def feed_stops(
    number: str, rows: list[Row], home: Mapping[str, str], report: Report
) -> list[FeedStop]:
    """
    Give the stops of a train in order, all of them with both times.

    Raises:
        RefusedTrainError: the feed's times or stops make no train.
    """
    ordered = sorted(rows, key=_sequence)
    stops = _merged(number, [_stop(row, home) for row in ordered], report)
    if len(stops) < 2:
        raise RefusedTrainError("it has fewer than two stops")
    if len({stop.station_id for stop in stops}) < len(stops):
        raise RefusedTrainError("it calls twice at a station, and no fare could say which is meant")
    if stops[0].departs is None or stops[-1].arrives is None:
        raise RefusedTrainError("its first or last stop has no time")
    stops = _timed(number, stops, report)
    line = [
        minute for stop in stops for minute in (stop.arrives, stop.departs) if minute is not None
    ]
    if line != sorted(line):
        raise RefusedTrainError("its times go back")
    return stops


def _sequence(row: Row) -> int:
    if not row["stop_sequence"].isdecimal():
        raise RefusedTrainError("a stop_sequence is no number")
    return int(row["stop_sequence"])


def _stop(row: Row, home: Mapping[str, str]) -> FeedStop:
    if row["stop_id"] not in home:
        raise RefusedTrainError(f"its stop {row['stop_id']} is no station of the feed")
    arrives, departs = _minute(row["arrival_time"]), _minute(row["departure_time"])
    return FeedStop(
        station_id=home[row["stop_id"]],
        arrives=departs if arrives is None else arrives,
        departs=arrives if departs is None else departs,
        run_along=_measure(row.get("shape_dist_traveled", "")),
        can_board=row.get("pickup_type", "") != NOT_ALLOWED,
        can_alight=row.get("drop_off_type", "") != NOT_ALLOWED,
    )


def _minute(text: str) -> int | None:
    """Read "26:10:00" as 1570; seconds are dropped, so nobody is told to come too late."""
    if not text:
        return None
    found = CLOCK.fullmatch(text)
    if not found:
        raise RefusedTrainError(f"its time {text!r} cannot be read")
    return int(found[1]) * 60 + int(found[2])


def _measure(text: str) -> float | None:
    try:
        measure = float(text)
    except ValueError:
        return None
    return measure if isfinite(measure) else None


def _merged(number: str, stops: list[FeedStop], report: Report) -> list[FeedStop]:
    """Make one stop of consecutive stops at platforms of one station."""
    merged: list[FeedStop] = []
    for stop in stops:
        if merged and merged[-1].station_id == stop.station_id:
            before = merged.pop()
            stop = replace(  # noqa: PLW2901
                stop,
                arrives=before.arrives,
                can_board=before.can_board or stop.can_board,
                can_alight=before.can_alight or stop.can_alight,
            )
            report.refuses(
                "stop",
                f"{number} {stop.station_id}",
                rule="a second stop at the same station: made one with the first",
                detail="refused as a stop of its own",
            )
        merged.append(stop)
    return merged


def _timed(number: str, stops: list[FeedStop], report: Report) -> list[FeedStop]:
    """Time the stops without times by the way run, or evenly if the feed does not measure it."""
    timed = list(stops)
    for index, stop in enumerate(stops):
        if stop.departs is not None:
            continue
        start = index - 1
        end = next(n for n in range(index, len(stops)) if stops[n].arrives is not None)
        share, how = _share(timed[start], stop, stops[end], end - start)
        leaves, reaches = timed[start].departs or 0, stops[end].arrives or 0
        minute = leaves + round((reaches - leaves) * share)
        timed[index] = replace(stop, arrives=minute, departs=minute)
        report.repairs(
            "stop",
            f"{number} {stop.station_id}",
            rule=f"a stop without times is timed {how}",
            detail=f"minute {minute}",
        )
    return timed


def _share(behind: FeedStop, stop: FeedStop, ahead: FeedStop, steps: int) -> tuple[float, str]:
    """Say how much of the way between its timed neighbours lies behind a stop."""
    if behind.run_along is None or stop.run_along is None or ahead.run_along is None:
        return 1 / steps, "evenly between its neighbours"
    whole = ahead.run_along - behind.run_along
    part = stop.run_along - behind.run_along
    if whole <= 0 or not 0 <= part <= whole:
        return 1 / steps, "evenly between its neighbours"
    return part / whole, "by the distance from its neighbours"
