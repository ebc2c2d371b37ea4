"""Reads order's histogram of durations, as Prometheus writes it, and what happened between two."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from waitingroom.inlet import Pressure

HISTOGRAM = "flask_http_request_duration_seconds"
PLACING = ('method="PUT"', 'url_rule="/api/order/orders/<uuid:order_id>"')
# A refusal takes a millisecond; a thousand of them must not hide one slow claim.
REFUSED = 'status="4'
SLOW_SHARE = 0.95
# Fewer answers than this say nothing about a percentile.
ANSWERS_MIN = 5
_LINE = re.compile(rf"{HISTOGRAM}_(bucket|sum|count)\{{(.*)\}} (\S+)")
_BOUND = re.compile(r'le="([^"]+)"')


@dataclass(frozen=True)
class Durations:
    """`placed` counts the orders placed (or failed, not refused) within each bound of seconds."""

    spent_seconds: float = 0.0
    placed: Mapping[float, float] = field(default_factory=dict)


def read_durations(exposition: str) -> Durations:
    """Time spent in all requests, and how long placing an order took. Other lines are ignored."""
    spent, placed = 0.0, dict[float, float]()
    for kind, labels, value in _LINE.findall(exposition):
        if kind == "sum":
            spent += float(value)
        elif kind == "bucket" and _is_placing(labels):
            bound = _BOUND.search(labels)
            if bound is not None:
                limit = float(bound[1])
                placed[limit] = placed.get(limit, 0.0) + float(value)
    return Durations(spent, placed)


def _is_placing(labels: str) -> bool:
    return REFUSED not in labels and all(label in labels for label in PLACING)


def pressure_between(
    earlier: Mapping[str, Durations], later: Mapping[str, Durations], *, elapsed_seconds: float
) -> Pressure | None:
    """
    What happened between two readings of order's pods, each under its address. None where no pod
    was read twice. A pod that counts from zero again (restarted) is left out this time.
    """
    pairs = [
        (earlier[address], reading)
        for address, reading in later.items()
        if address in earlier and reading.spent_seconds >= earlier[address].spent_seconds
    ]
    if not pairs or elapsed_seconds <= 0:
        return None
    spent = sum(after.spent_seconds - before.spent_seconds for before, after in pairs)
    placed: dict[float, float] = {}
    for before, after in pairs:
        for bound, count in after.placed.items():
            placed[bound] = placed.get(bound, 0.0) + count - before.placed.get(bound, 0.0)
    return Pressure(
        slow_seconds=_percentile(placed), in_flight=spent / elapsed_seconds / len(pairs)
    )


def _percentile(placed: Mapping[float, float]) -> float:
    """The bound under which 95 of 100 answers came; beyond the last bound it is twice that."""
    bounds = sorted(placed)
    if not bounds or placed[bounds[-1]] < ANSWERS_MIN:
        return 0.0
    wanted = placed[bounds[-1]] * SLOW_SHARE
    found = next(bound for bound in bounds if placed[bound] >= wanted)
    finite = [bound for bound in bounds if bound != float("inf")]
    return found if found in finite else 2 * max(finite, default=1.0)
