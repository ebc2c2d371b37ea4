"""
Choosing seats for those who do not choose: neighbours first, then the tightest fit, then chance.

Best fit keeps the long gaps for those who ride far (Boyar and Larsen, "The Seat Reservation
Problem", 1999; First-Fit and Best-Fit beat Worst-Fit by the relative worst order ratio). Ties
are broken at random, so that rivals with the same snapshot do not reach for the same seat.
"""

import random
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from order.run import Leg, Run, Seat
from order.snapshot import Snapshot

ANOTHER_ROW = 10


def choose_seats(
    run: Run,
    snapshot: Snapshot,
    *,
    seat_class: str,
    leg: Leg,
    count: int,
    now: float,
    chance: random.Random,
) -> list[Seat] | None:
    """Give `count` free seats of the class, as near to each other as can be, or None."""
    free = [
        seat
        for seat in run.seats_by_class.get(seat_class, ())
        if snapshot.state_of(seat.seat_id, leg, now) == "free"
    ]
    if len(free) < count:
        return None
    slack = {s.seat_id: snapshot.slack_around(run, s.seat_id, leg, now) for s in free}

    def rank(group: Sequence[Seat]) -> tuple[int, int, float]:
        return (distance(group), sum(slack[seat.seat_id] for seat in group), chance.random())

    groups = list(_groups(free, count))
    if groups:
        return min(groups, key=rank)
    return sorted(free, key=lambda seat: (slack[seat.seat_id], chance.random()))[:count]


def distance(group: Sequence[Seat]) -> int:
    """0 for side by side in one row; an aisle or an empty seat between costs 1, a row 10."""
    return sum(
        ANOTHER_ROW * (after.row - before.row)
        if after.row != before.row
        else after.column - before.column - 1
        for before, after in pairwise(group)
    )


def _groups(free: Sequence[Seat], count: int) -> Iterable[list[Seat]]:
    """Every `count` free seats that follow each other within one coach, row by row."""
    for _, found in groupby(free, key=lambda seat: seat.coach_number):
        coach = list(found)
        for start in range(len(coach) - count + 1):
            yield coach[start : start + count]
