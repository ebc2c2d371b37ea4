"""
Who wants to ride: groups of one to four on legs that are on sale, drawn for a run.

A station is as busy as many trains call at it, and a leg is wanted by the product of its two
stations, as gravity models of traffic have it. Ticket sales by leg are not published.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

from order.run import Leg, Run

GROUP_SIZES, GROUP_WEIGHTS = (1, 2, 3, 4), (45, 30, 13, 12)


class Group(NamedTuple):
    seat_class: str
    leg: Leg
    size: int


class Demand:
    """Groups for one run, one after the other, the same for every strategy with the same seed."""

    def __init__(self, run: Run, trains_calling: dict[str, int]) -> None:
        self._wishes, self._weights = [], []
        codes = [stop.station_code for stop in run.stops]
        legs_per_class = dict.fromkeys(run.seats_by_class, 0.0)
        weighed = []
        for seat_class, start, end in run.fares:
            if seat_class in run.seats_by_class:
                weight = trains_calling[codes[start]] * trains_calling[codes[end]]
                legs_per_class[seat_class] += weight
                weighed.append((seat_class, Leg(start, end), weight))
        for seat_class, leg, weight in weighed:
            share = len(run.seats_by_class[seat_class]) / legs_per_class[seat_class]
            self._wishes.append((seat_class, leg))
            self._weights.append(weight * share)

    def groups(self, seed: str) -> Iterator[Group]:
        chance = random.Random(seed)
        while True:
            wishes = chance.choices(self._wishes, self._weights, k=500)
            sizes = chance.choices(GROUP_SIZES, GROUP_WEIGHTS, k=500)
            for (seat_class, leg), size in zip(wishes, sizes, strict=True):
                yield Group(seat_class, leg, size)
