"""When people come: the moments of arrival in seconds from the opening, early ones below zero."""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """
    `users` come at `users_per_second` on average, `early` of them before the opening. Later ones
    come the densest right at the opening, the steeper the larger `decay`; 0 is even.
    """

    users: int
    users_per_second: float
    early: float
    decay: float

    @property
    def lead_seconds(self) -> float:
        return self.early * self.users / self.users_per_second

    @property
    def tail_seconds(self) -> float:
        return (1 - self.early) * self.users / self.users_per_second


SHAPES = {
    "smoke": Shape(300, 15.0, 0.3, 1.0),
    "opening": Shape(100_000, 100.0, 0.4, 1.5),
    "hour": Shape(100_000, 80.0, 0.1, 4.0),
    "soak": Shape(60_000, 25.0, 0.0, 0.0),
}


def arrivals(shape: Shape, share: float, chance: random.Random) -> list[float]:
    """The moments of one generator's share of the people, sorted."""
    users = math.floor(shape.users * share)
    early = round(users * shape.early)
    moments = [-shape.lead_seconds * chance.random() for _ in range(early)]
    late = [_front_loaded(chance.random(), shape.decay) for _ in range(users - early)]
    return sorted([*moments, *(shape.tail_seconds * part for part in late)])


def _front_loaded(uniform: float, decay: float) -> float:
    """Between 0 and 1 with a density that falls like exp(-decay x)."""
    if decay == 0:
        return uniform
    return -math.log(1 - uniform * (1 - math.exp(-decay))) / decay
