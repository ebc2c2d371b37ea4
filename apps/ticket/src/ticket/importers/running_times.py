"""
The arithmetic of a train's stated times: unroll the days, find those that cannot be true.

It distinguishes midnight (a drop by hours) from a slip of the pen (a drop by minutes).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

DAY = 24 * 60

CLOCK = re.compile(r"(\d{1,2}):(\d{2}) ?(am|pm)(?: ([A-Z]+))?", re.IGNORECASE)


class UnreadableTimeError(Exception):
    """A stated time is not a 12-hour time of the expected zone."""


@dataclass(frozen=True)
class StatedTime:
    """One time of a stop, in minutes; `weight` says how much it takes to disbelieve it."""

    stop: int
    is_departure: bool
    minute: int
    weight: int


def minute_of_day(text: str, *, zone_label: str) -> int:
    """
    Read "07:13 pm BST" as minutes after midnight.

    Raises:
        UnreadableTimeError: another format, an hour above 12, or another zone.
    """
    found = CLOCK.fullmatch(text.strip())
    if not found or not 1 <= int(found[1]) <= 12 or int(found[2]) > 59:
        raise UnreadableTimeError(f"{text!r} is not a 12-hour time")
    if (found[4] or zone_label).upper() != zone_label:
        raise UnreadableTimeError(f"{text!r} is not in the zone {zone_label}")
    afternoon = 12 if found[3].lower() == "pm" else 0
    return (int(found[1]) % 12 + afternoon) * 60 + int(found[2])


def unrolled(minutes: Sequence[int]) -> list[int]:
    """
    Turn times of day into minutes since the first day began.

    Of the two readings of a step, forwards over midnight or backwards, the shorter one is meant:
    no stop and no section is half a day long, and no slip of the pen is either.
    """
    line: list[int] = []
    for minute in minutes:
        before = line[-1] if line else minute
        step = (minute - before) % DAY
        line.append(before + (step if step <= DAY // 2 else step - DAY))
    return line


def believable(times: Sequence[StatedTime]) -> list[StatedTime]:
    """
    Give the heaviest subset of the times that never goes backwards.

    A lone slip is outvoted by the times around it. Of equal subsets the one wins whose first
    differing time comes later in the list, so the answer does not depend on chance.
    """
    best: list[tuple[int, int | None]] = []
    for index, time in enumerate(times):
        earlier = [
            (best[before][0], before)
            for before in range(index)
            if times[before].minute <= time.minute
        ]
        weight, before = max(earlier, default=(0, None))
        best.append((weight + time.weight, before))
    kept: list[StatedTime] = []
    at = max(range(len(times)), key=lambda index: (best[index][0], index), default=None)
    while at is not None:
        kept.append(times[at])
        at = best[at][1]
    return kept[::-1]


def spread(after: int, before: int, count: int) -> list[int]:
    """Place `count` moments evenly between two minutes."""
    return [after + (before - after) * (nth + 1) // (count + 1) for nth in range(count)]
