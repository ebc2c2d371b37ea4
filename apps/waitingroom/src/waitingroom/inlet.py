"""
How many are let in: by what order can bear and by what is left to sell.

The pace rises by a step a second while order is at ease and somebody waits, and is halved when
order is slow or full: additive increase, multiplicative decrease, between two bounds.
"""

from dataclasses import dataclass

from waitingroom.window import HELD_BY_OTHERS, OPEN, SOLD_OUT

# After a pause of the worker nobody is let in for the time that was slept through.
ELAPSED_SECONDS_MAX = 2.0
# Not everyone who is called comes, and not everyone who comes buys.
PEOPLE_PER_SEAT = 2


@dataclass(frozen=True)
class Pressure:
    """
    What order's own measurements say of the last seconds. `in_flight` is the mean number of
    requests in hand in one of its pods (time spent by time passed: Little's law).
    """

    slow_seconds: float
    in_flight: float


@dataclass(frozen=True)
class Bounds:
    people_per_second_min: float
    people_per_second_max: float
    step: float
    decrease: float
    slow_seconds_max: float
    in_flight_max: float


@dataclass(frozen=True)
class Calls:
    """
    Numbers that were called and may still be on their way, and how many of the called come at all,
    above 0 and up to 1.
    """

    on_their_way: int = 0
    coming_share: float = 1.0


NO_CALLS = Calls()


@dataclass(frozen=True)
class Stock:
    seats_free: int
    seats_held: int

    @property
    def state(self) -> str:
        """Sold out for good, or held by others who may give back: two things to tell people."""
        if self.seats_free > 0:
            return OPEN
        return HELD_BY_OTHERS if self.seats_held > 0 else SOLD_OUT

    def calls_left(self, calls: Calls) -> int:
        """How many more numbers may be called for what is free: the more, the fewer come."""
        wanted = PEOPLE_PER_SEAT * self.seats_free / calls.coming_share
        return max(0, int(wanted) - calls.on_their_way)


def next_pace(
    pace: float,
    *,
    pressure: Pressure | None,
    is_anybody_waiting: bool,
    elapsed_seconds: float,
    bounds: Bounds,
) -> float:
    """
    The people a second to let in next. An order service that does not answer gets the least: who
    is let in must get a real answer. While nobody waits the pace is not proved, so it stays.
    """
    if pressure is None:
        wanted = bounds.people_per_second_min
    elif _is_too_much(pressure, bounds):
        wanted = pace * bounds.decrease
    elif is_anybody_waiting:
        wanted = pace + bounds.step * min(elapsed_seconds, ELAPSED_SECONDS_MAX)
    else:
        wanted = pace
    return min(max(wanted, bounds.people_per_second_min), bounds.people_per_second_max)


def _is_too_much(pressure: Pressure, bounds: Bounds) -> bool:
    is_slow = pressure.slow_seconds > bounds.slow_seconds_max
    return is_slow or pressure.in_flight > bounds.in_flight_max


def next_serving(
    serving: int,
    *,
    tail: int,
    pace: float,
    elapsed_seconds: float,
    stock: Stock | None,
    calls: Calls = NO_CALLS,
) -> int:
    """
    The number up to which people are served next; never less than `serving`. It runs ahead of
    `tail`, the last number given, by one round at most, so that an idle hour saves nothing up.
    Who was called and is still on the way has taken nothing yet from what is free.
    """
    if stock is not None and stock.state != OPEN:
        return serving
    round_size = max(1, int(pace * min(max(elapsed_seconds, 0.0), ELAPSED_SECONDS_MAX)))
    if stock is not None:
        round_size = min(round_size, stock.calls_left(calls))
    return max(serving, min(serving + round_size, tail + round_size))
