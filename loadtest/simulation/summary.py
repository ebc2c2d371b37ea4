"""Puts the fillings into a table, a plot and a page of Markdown."""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

from loadtest.simulation.choices import CHOICES
from loadtest.simulation.filling import CEILING, DEMANDS, Filled

mpl.use("svg")
from matplotlib import pyplot as plt

RESULTS = Path(__file__).parents[1] / "results"
BEST, FIRST, RANDOM = CHOICES
COLOURS = {BEST: "#006a4e", FIRST: "#b8860b", RANDOM: "#c8102e", CEILING: "#777777"}
Found = list[dict[str, list[Filled]]]


def relative(
    found: Found, name: str, base: str, stage: int, of: Callable[[Filled], float]
) -> tuple[float, float]:
    """
    How much more of something than `base` in percent, and the half-width of its 95 % interval
    over the pairs of train and seed, weighted alike.
    """
    ratios = [
        100 * (of(pair[name][stage]) / of(pair[base][stage]) - 1)
        for pair in found
        if of(pair[base][stage])
    ]
    spread = statistics.stdev(ratios) if len(ratios) > 1 else 0.0
    return statistics.fmean(ratios), 1.96 * spread / math.sqrt(len(ratios))


def total(found: Found, name: str, stage: int, of: Callable[[Filled], float]) -> float:
    return sum(of(pair[name][stage]) for pair in found)


def _together_percent(found: Found, name: str, stage: int) -> float:
    groups = total(found, name, stage, lambda f: f.groups)
    return 100 * total(found, name, stage, lambda f: f.groups_together) / groups


def write_summary(tasks: list, found: Found, *, trains: int, seeds: int) -> None:
    RESULTS.mkdir(exist_ok=True)
    _plot(found)
    (RESULTS / "seat-choice.md").write_text(_text(found, trains, seeds), encoding="utf-8")


def _plot(found: Found) -> None:
    mpl.rcParams |= {"svg.hashsalt": "railgate", "svg.fonttype": "none"}
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.2))
    for name in (BEST, FIRST, RANDOM):
        pairs = [relative(found, name, CEILING, n, _minutes) for n in range(len(DEMANDS))]
        _line(left, name, [p[0] for p in pairs], [p[1] for p in pairs])
        pairs = [relative(found, name, FIRST, n, _passengers) for n in range(len(DEMANDS))]
        _line(middle, name, [p[0] for p in pairs], [p[1] for p in pairs])
        _line(right, name, [_together_percent(found, name, n) for n in range(len(DEMANDS))])
    left.set(title="Seat-minutes sold, against the ceiling", ylabel="%")
    middle.set(title="Passengers seated, against first fit", ylabel="%")
    right.set(title="Groups that sit together", ylabel="%", ylim=(0, 102))
    for axes in (left, middle, right):
        axes.set_xlabel("demand: seat-minutes asked for / seat-minutes there are")
        axes.grid(alpha=0.3)
    right.legend()
    figure.tight_layout()
    figure.savefig(RESULTS / "seat-choice.svg", metadata={"Date": None})


def _line(axes, name: str, values: list[float], widths: list[float] | None = None) -> None:
    axes.errorbar(DEMANDS, values, yerr=widths, label=name, color=COLOURS[name], capsize=2)


def _minutes(filled: Filled) -> float:
    return filled.seat_minutes


def _passengers(filled: Filled) -> float:
    return filled.passengers


def _revenue(filled: Filled) -> float:
    return filled.revenue_minor


def _text(found: Found, trains: int, seeds: int) -> str:
    return "\n".join(
        [
            "# Best fit, first fit, and chance",
            "",
            (
                f"Every train of the shipped timetable on which eight or more legs are on sale "
                f"({trains} of them), filled with the same people in the same order by each one; "
                f"{seeds} fixed seeds; {len(found)} pairs. `make simulate` repeats it. Best fit is "
                "`order.seats.choose_seats` itself, neighbours first; first fit takes the lowest "
                "free numbers; random takes any. Who finds no seats for the group goes away. The "
                "ceiling accepts by free places on each segment and numbers the seats at the end, "
                "which no shop can do that tells passengers their seats."
            ),
            "",
            "![Seat choice at rising demand](seat-choice.svg)",
            "",
            "Differences are means over the pairs of train and seed with 95 % intervals.",
            "",
            "## Seat-minutes sold: best fit against the others",
            "",
            *_differences(found, _minutes),
            "",
            "## Passengers seated: best fit against the others",
            "",
            *_differences(found, _passengers),
            "",
            "## Revenue: best fit against the others",
            "",
            *_differences(found, _revenue),
            "",
            "## Totals, and groups that sit together",
            "",
            "Of two and more: in one coach, each in the row of the next or the row beside it.",
            "",
            *_totals(found),
            "",
            *_reading(found),
            "",
        ]
    )


def _differences(found: Found, of: Callable[[Filled], float]) -> list[str]:
    rows = ["| demand | than first fit | than random | than the ceiling |", "|---:|---:|---:|---:|"]
    for n, demand in enumerate(DEMANDS):
        cells = []
        for base in (FIRST, RANDOM, CEILING):
            mean, half = relative(found, BEST, base, n, of)
            cells.append(f"{mean:+.2f} ± {half:.2f} %")
        rows.append(f"| {demand:.2f} | " + " | ".join(cells) + " |")
    return rows


def _totals(found: Found) -> list[str]:
    names = (BEST, FIRST, RANDOM)
    titles = [f"passengers, {n}" for n in names] + [f"together, {n}" for n in names]
    rows = ["| demand | " + " | ".join(titles) + " |", "|---:" * 7 + "|"]
    for n, demand in enumerate(DEMANDS):
        cells = [f"{total(found, name, n, _passengers):,.0f}" for name in names]
        cells += [f"{_together_percent(found, name, n):.1f} %" for name in names]
        rows.append(f"| {demand:.2f} | " + " | ".join(cells) + " |")
    return rows


def _reading(found: Found) -> list[str]:
    """What the figures say, with the figures, so that the words cannot differ from them."""
    stage = DEMANDS.index(0.8)
    last = len(DEMANDS) - 1
    lost: defaultdict[str, float] = defaultdict(float)
    for name in (BEST, FIRST, RANDOM):
        lost[name] = -relative(found, name, CEILING, stage, _minutes)[0]
    crowd = relative(found, BEST, RANDOM, last, _passengers)[0]
    return [
        "## What it says",
        "",
        (
            f"* At a demand of 0.8 the ceiling is missed by: best fit {lost[BEST]:.2f} %, "
            f"first fit {lost[FIRST]:.2f} %, random {lost[RANDOM]:.2f} % of the seat-minutes."
        ),
        (
            f"* Groups then sit together in {_together_percent(found, BEST, stage):.1f} %, "
            f"{_together_percent(found, FIRST, stage):.1f} % and "
            f"{_together_percent(found, RANDOM, stage):.1f} % of the cases."
        ),
        (
            f"* Far beyond capacity counting heads misleads: at {DEMANDS[last]:.1f} best fit seats "
            f"{crowd:+.1f} % passengers against random: scattered seats refuse those who ride "
            "far and are left to those who ride a stop; the seat-minutes and the revenue tell."
        ),
    ]
