"""
The ways to choose seats that are compared. Best-fit is the product's own function; the others
are what systems do that think less.
"""

import random
from collections.abc import Callable

from order.run import Leg, Run, Seat
from order.seats import choose_seats
from order.snapshot import Snapshot

NOW = 0.0
Choice = Callable[[Run, Snapshot, str, Leg, int, random.Random], list[Seat] | None]


def best_fit(
    run: Run, snapshot: Snapshot, seat_class: str, leg: Leg, count: int, chance: random.Random
) -> list[Seat] | None:
    return choose_seats(
        run, snapshot, seat_class=seat_class, leg=leg, count=count, now=NOW, chance=chance
    )


def first_fit(
    run: Run, snapshot: Snapshot, seat_class: str, leg: Leg, count: int, chance: random.Random
) -> list[Seat] | None:
    """The lowest numbers that are free: groups fall together only by luck."""
    free = _free(run, snapshot, seat_class, leg)
    return free[:count] if len(free) >= count else None


def at_random(
    run: Run, snapshot: Snapshot, seat_class: str, leg: Leg, count: int, chance: random.Random
) -> list[Seat] | None:
    """What passengers do who pick from a map without a thought for others."""
    free = _free(run, snapshot, seat_class, leg)
    return chance.sample(free, count) if len(free) >= count else None


def _free(run: Run, snapshot: Snapshot, seat_class: str, leg: Leg) -> list[Seat]:
    return [
        seat
        for seat in run.seats_by_class[seat_class]
        if snapshot.state_of(seat.seat_id, leg, NOW) == "free"
    ]


CHOICES: dict[str, Choice] = {
    "best fit (Railgate)": best_fit,
    "first fit": first_fit,
    "random": at_random,
}
