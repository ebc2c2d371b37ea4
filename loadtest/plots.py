"""The report's plots, as SVG text to be put into the page."""

import io
from collections import defaultdict
from itertools import accumulate

import matplotlib as mpl

from loadtest.capacity import Part
from loadtest.record import ENDS
from loadtest.rush import Outcome

mpl.use("svg")
from matplotlib import pyplot as plt

mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "railgate", "font.size": 9}
COLOURS = dict(
    zip(ENDS, ("#006a4e", "#b8860b", "#777777", "#8a2be2", "#1f77b4", "#c8102e"), strict=True)
)
DOTS_MAX = 4_000
POINTS_MAX = 600


def svg(figure) -> str:
    out = io.StringIO()
    figure.tight_layout()
    figure.savefig(out, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = out.getvalue()
    return text[text.index("<svg") :]


def crowd(outcome: Outcome) -> str:
    """Who came and how they ended, and the seats sold by the database's own clock."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4))
    arrived = sorted(s["arrived_at"] - outcome.opens_at for s in outcome.stories)
    left.plot(*_rising(arrived), color="black", label="came", lw=1)
    for end in ENDS:
        ended = sorted(s["ended_at"] - outcome.opens_at for s in outcome.stories if s["end"] == end)
        if ended:
            left.plot(*_rising(ended), color=COLOURS[end], label=end)
    left.set(title="Passengers", xlabel="seconds from the opening", yscale="symlog")
    left.legend(fontsize=8)
    moments = [at - outcome.opens_at for at, _ in outcome.sold_at]
    right.step(moments, list(accumulate(n for _, n in outcome.sold_at)), color=COLOURS["bought"])
    right.set(title="Seats sold (confirmed in order's database)", xlabel="seconds")
    _mark_blows(outcome, left, right)
    return svg(figure)


def _rising(moments: list[float]) -> tuple[list[float], list[int]]:
    """How many by each moment, in no more points than an eye can tell apart."""
    points = sorted({*range(0, len(moments), max(1, len(moments) // POINTS_MAX)), len(moments) - 1})
    return [moments[n] for n in points if n >= 0], [n + 1 for n in points if n >= 0]


def requests(outcome: Outcome) -> str:
    figure, axes = plt.subplots(figsize=(11, 3.0))
    seconds = range(min(outcome.by_second), max(outcome.by_second) + 1)
    steps = defaultdict(list)
    names = sorted({s for counter in outcome.by_second.values() for s in counter})
    for second in seconds:
        for name in names:
            steps[name].append(outcome.by_second.get(second, {}).get(name, 0))
    largest = sorted(names, key=lambda name: -sum(steps[name]))[:7]
    for name in largest:
        axes.plot([s - outcome.opens_at for s in seconds], steps[name], label=name, lw=1)
    axes.set(title="Requests a second by step", xlabel="seconds from the opening")
    axes.legend(fontsize=8)
    _mark_blows(outcome, axes)
    return svg(figure)


def processors(outcome: Outcome) -> str:
    """Cores used by process, the neighbours on the machine among them."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4))
    at = [sample.at - outcome.opens_at for sample in outcome.samples]
    names = sorted(outcome.cpu, key=lambda name: -outcome.cpu[name])[:9]
    cores = [[s.cpu.get(name, 0.0) / s.seconds for s in outcome.samples] for name in names]
    left.stackplot(at, cores, labels=names)
    left.set(title="Cores in use", xlabel="seconds from the opening")
    left.legend(fontsize=7, loc="upper right")
    for name in sorted(outcome.memory_mb, key=lambda n: -outcome.memory_mb[n])[:7]:
        right.plot(at, [s.memory_mb.get(name, 0.0) for s in outcome.samples], label=name, lw=1)
    right.set(title="Resident memory, MB (shared pages counted each time)", xlabel="seconds")
    right.legend(fontsize=7)
    return svg(figure)


def line(outcome: Outcome) -> str:
    """Each who was served: the rank in the line against the moment of being served."""
    figure, axes = plt.subplots(figsize=(11, 3.2))
    key = "number" if outcome.plan.with_room else "arrived_at"
    people = [
        s
        for s in outcome.stories
        if s["served_at"] and s["wanted"] == "rush" and s[key] is not None
    ]
    people = people[:: max(1, len(people) // DOTS_MAX)]
    for bought, colour in ((False, "#bbbbbb"), (True, COLOURS["bought"])):
        some = [s for s in people if (s["end"] == "bought") == bought]
        places = [s[key] if outcome.plan.with_room else s[key] - outcome.opens_at for s in some]
        served = [s["served_at"] - outcome.opens_at for s in some]
        axes.scatter(places, served, s=3, color=colour, label="bought" if bought else "did not")
    what = "number in the line" if outcome.plan.with_room else "arrival, seconds from the opening"
    axes.set(title="The line and the serving", xlabel=what, ylabel="served at, seconds")
    axes.legend(fontsize=8)
    return svg(figure)


def bystanders(outcome: Outcome) -> str:
    figure, axes = plt.subplots(figsize=(11, 3.0))
    for step in sorted({row[1] for row in outcome.bystanders}):
        rows = [row for row in outcome.bystanders if row[1] == step]
        axes.scatter([r[0] - outcome.opens_at for r in rows], [r[2] for r in rows], s=4, label=step)
    axes.set(title="Those who take no part, ms", xlabel="seconds from the opening", yscale="log")
    axes.legend(fontsize=8)
    _mark_blows(outcome, axes)
    return svg(figure)


def capacity(parts: list[Part]) -> str:
    figure, axes = plt.subplots(figsize=(11, 3.4))
    ordered = sorted(parts, key=lambda part: part.cores)
    axes.barh([p.name for p in ordered], [p.cores for p in ordered], color="#006a4e")
    axes.set(title="Cores at the peak of 25 million hits in 30 minutes", xscale="log")
    return svg(figure)


def _mark_blows(outcome: Outcome, *every_axes) -> None:
    for axes in every_axes:
        axes.axvline(0, color="black", lw=0.6, ls=":")
        for at, _ in outcome.blows:
            axes.axvline(at - outcome.opens_at, color=COLOURS["no answer"], lw=0.8, ls="--")
