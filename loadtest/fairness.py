"""How far the order of serving was from the order of the line."""

import statistics
from bisect import bisect_right, insort
from dataclasses import dataclass

SAMPLE_MAX = 20_000


@dataclass(frozen=True)
class Fairness:
    """
    `tau` is Kendall's: 1 for the same order, 0 for none, -1 for the reverse. `displacement` is the
    mean distance between a passenger's rank in the line and at the counter, as a share of all.
    """

    people: int
    tau: float
    displacement: float
    first_come_buyers: float


def fairness(line: list[tuple[float, float, bool]]) -> Fairness | None:
    """From (rank in line, moment of being served, whether it bought), in any order."""
    if len(line) < 2:
        return None
    step = max(1, len(line) // SAMPLE_MAX)
    ordered = sorted(line)[::step]
    moments = [moment for _, moment, _ in ordered]
    pairs = len(moments) * (len(moments) - 1) / 2
    tau = 1 - 2 * _inversions(moments) / pairs
    ranks = {n: rank for rank, n in enumerate(sorted(range(len(moments)), key=moments.__getitem__))}
    moved = statistics.fmean(abs(n - ranks[n]) for n in range(len(moments))) / len(moments)
    buyers = sum(bought for *_, bought in line)
    first = sum(bought for *_, bought in sorted(line)[: 2 * buyers])
    return Fairness(len(line), tau, moved, first / buyers if buyers else 0.0)


def _inversions(values: list[float]) -> int:
    """How many later ones were served before an earlier one."""
    seen: list[float] = []
    count = 0
    for value in values:
        count += len(seen) - bisect_right(seen, value)
        insort(seen, value)
    return count


def line_of(stories: list[dict], *, has_room: bool) -> list[tuple[float, float, bool]]:
    """
    The line of those who were served: by place number where there is a waiting room (the early
    ones' are drawn), by arrival where there is none.
    """
    served = [
        s for s in stories if s["wanted"] == "rush" and s["served_at"] and s["kind"] != "forger"
    ]
    if has_room:
        served = [s for s in served if s["number"] is not None]
    key = "number" if has_room else "arrived_at"
    return [(s[key], s["served_at"], s["end"] == "bought") for s in served]
