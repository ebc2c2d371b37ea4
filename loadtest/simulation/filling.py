"""
Fills one run with one strategy at rising demand, and the ceiling that no strategy can pass.

Demand is what was asked for so far, in seat-minutes, by what the run has. Everybody asks in turn
and is seated or sent away; nobody comes back.
"""

import random
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from loadtest.simulation.choices import NOW, Choice
from loadtest.simulation.demand import Demand, Group
from order.run import Leg, Run, Seat
from order.snapshot import LiveClaim, Snapshot

DEMANDS = (0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0)
CEILING = "ceiling (seats given on the day)"


@dataclass(frozen=True)
class Filled:
    """The tally when demand had reached `demand`; `groups` are those of two and more."""

    demand: float
    passengers: int
    seat_minutes: float
    revenue_minor: int
    groups: int
    groups_together: int


class Filling:
    """Asks in turn and keeps the tally; `seat` decides who gets a seat."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._minutes = _minutes_of(run)
        self._capacity = self.minutes(Leg(0, run.segments_total)) * len(run.seats)
        self._tally: Counter[str] = Counter()
        self.seated_minutes = 0.0

    def minutes(self, leg: Leg) -> float:
        return self._minutes[leg.to_sequence] - self._minutes[leg.from_sequence]

    def fill(self, demand: Demand, seed: str) -> list[Filled]:
        asked, stages = 0.0, list(DEMANDS)
        found: list[Filled] = []
        for group in demand.groups(seed):
            self._ask(group)
            asked += self.minutes(group.leg) * group.size
            if asked >= stages[0] * self._capacity:
                found.append(self._filled(stages.pop(0)))
                if not stages:
                    break
        return found

    def _ask(self, group: Group) -> None:
        seats = self.seat(group)
        if seats is None:
            return
        self._tally["passengers"] += group.size
        self._tally["revenue"] += (
            group.size * self.run.fares[group.seat_class, *group.leg].price_minor
        )
        self.seated_minutes += self.minutes(group.leg) * group.size
        if group.size > 1:
            self._tally["groups"] += 1
            self._tally["together"] += _is_together(seats)

    def _filled(self, demand: float) -> Filled:
        tally = self._tally
        share = self.seated_minutes / self._capacity
        return Filled(
            demand, tally["passengers"], share, tally["revenue"], tally["groups"], tally["together"]
        )

    def seat(self, group: Group) -> list[Seat] | None:
        raise NotImplementedError


class ByChoice(Filling):
    def __init__(self, run: Run, choice: Choice, seed: str) -> None:
        super().__init__(run)
        self._choice, self._chance = choice, random.Random(f"ties {seed}")
        self._snapshot = Snapshot(NOW, [])

    def seat(self, group: Group) -> list[Seat] | None:
        seat_class, leg, size = group
        seats = self._choice(self.run, self._snapshot, seat_class, leg, size, self._chance)
        if seats is not None:
            self._snapshot.add(LiveClaim(seat.seat_id, *leg, 0, "") for seat in seats)
        return seats


class Ceiling(Filling):
    """
    Who is accepted by free places on each segment alone, with the seat given at the end: by
    interval partitioning that always works out. Passengers would not know their seat until then.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._taken = {name: [0] * run.segments_total for name in run.seats_by_class}

    def seat(self, group: Group) -> list[Seat] | None:
        seat_class, leg, size = group
        taken, most = self._taken[seat_class], len(self.run.seats_by_class[seat_class])
        segments = range(*leg)
        if any(taken[n] + size > most for n in segments):
            return None
        for n in segments:
            taken[n] += size
        return []


def _minutes_of(run: Run) -> list[float]:
    """When the run is at each stop, in minutes after its start; distances are not published."""
    start = run.stops[0].departs_at
    times = [stop.arrives_at or stop.departs_at for stop in run.stops]
    assert start is not None
    return [(time - start).total_seconds() / 60 for time in times if time is not None]


def _is_together(seats: list[Seat]) -> bool:
    """In one coach, each in the row of the next of the group or the row beside it."""
    rows = sorted(seat.row for seat in seats)
    is_one_coach = len({seat.coach_number for seat in seats}) == 1
    return is_one_coach and all(after - before <= 1 for before, after in pairwise(rows))
