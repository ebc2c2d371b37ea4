"""The report of one or more rushes: one self-contained page, and a summary in Markdown."""

import json
import os
import platform
import time
from html import escape
from pathlib import Path

from loadtest import capacity, figures, plots
from loadtest.figures import Table
from loadtest.rush import Outcome
from loadtest.scenario import SEATS_TOTAL

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-size: 13px }
th, td { border-bottom: 1px solid #ddd; padding: .2rem .7rem; text-align: right }
th:first-child, td:first-child { text-align: left } svg { max-width: 100%; height: auto }
.bad { color: #c8102e; font-weight: bold } .good { color: #006a4e; font-weight: bold }
pre { background: #f6f6f6; padding: 1rem; overflow-x: auto; font-size: 12px }
"""


def write(outcomes: list[Outcome], folder: Path, name: str) -> Path:
    """Write `<name>.html`, `<name>.md`, and `<name>.json` for the model; give the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    costs = json.dumps(vars(figures.measured(outcomes[0])), indent=1, sort_keys=True)
    (folder / f"{name}.json").write_text(costs + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(_markdown(outcomes), encoding="utf-8")
    path = folder / f"{name}.html"
    path.write_text(_page(outcomes), encoding="utf-8")
    return path


def verdict(outcome: Outcome) -> str:
    sold = outcome.rush
    said = (
        f"{outcome.plan.shape.users:,} passengers, {outcome.requests:,} requests: "
        f"{sold.seats_sold:,} of {SEATS_TOTAL:,} seats sold, {sold.tickets:,} tickets, "
        f"{sold.oversold} oversold, {sold.stuck} stuck, {outcome.ends['no answer']} without an "
        f"answer; the audit is {'clean' if outcome.audit_is_clean else 'NOT clean'}."
    )
    return said + "".join(f" WRONG: {fault}." for fault in outcome.faults)


def circumstances(outcome: Outcome) -> list[str]:
    """How far the figures may be trusted."""
    shape, seconds = outcome.plan.shape, outcome.ended_at - outcome.began_at
    neighbours = outcome.cpu.get("neighbours", 0.0) / seconds
    own = outcome.generator_cpu_seconds / seconds
    broken = ", ".join(
        word
        for word, is_on in (("CHAOS", outcome.plan.chaos), ("SLOW", outcome.plan.slow))
        if is_on
    )
    return [
        (
            f"{time.strftime('%d %B %Y', time.gmtime(outcome.began_at))}; {os.cpu_count()} cores, "
            f"Python {platform.python_version()}; everything, the generators too, on one machine."
        ),
        (
            f"Of its cores the generators took {own:.2f} and other programs on the machine "
            f"{neighbours:.2f} on average, so latencies are upper bounds."
        ),
        (
            f"People came for {shape.lead_seconds:.0f} s before the opening ({shape.early:.0%}) "
            f"and {shape.tail_seconds:.0f} s after it, {shape.users_per_second:.0f} a second."
        ),
        *([outcome.plan.note] if outcome.plan.note else []),
        *([f"Broken on purpose: {broken}."] if broken else []),
        *[f"{at - outcome.opens_at:+.0f} s: {said}." for at, said in outcome.blows],
    ]


def _tables(outcome: Outcome) -> list[tuple[str, Table, str]]:
    """Heading, table, and the plot that goes with it."""
    return [
        ("Counted in the databases", figures.counted(outcome), plots.crowd(outcome)),
        ("How passengers ended", figures.ended(outcome), ""),
        ("The fight, the line and the cheats", figures.fought(outcome), plots.line(outcome)),
        ("Answers by step and outcome", figures.answered(outcome), plots.requests(outcome)),
        ("Those who take no part", figures.watched(outcome), plots.bystanders(outcome)),
        ("Processes", figures.processes(outcome), plots.processors(outcome)),
        ("The edge", figures.edge_against_services(outcome), ""),
    ]


def _page(outcomes: list[Outcome]) -> str:
    parts = [(f"<!doctype html><meta charset=utf-8><title>Railgate: the rush</title><style>{STYLE}"
             "</style><h1>Railgate: the rush</h1>")]  # fmt: skip
    for outcome in outcomes:
        tone = "bad" if outcome.faults else "good"
        parts.append(f"<h2>{escape(outcome.plan.name.capitalize())}</h2>")
        parts.append(f"<p class={tone}>{escape(verdict(outcome))}</p><ul>")
        parts += [f"<li>{escape(line)}</li>" for line in circumstances(outcome)]
        parts.append("</ul>")
        for heading, table, plot in _tables(outcome):
            parts.append(f"<h3>{escape(heading)}</h3>{plot}{_html(table)}")
        parts.append(f"<h3>railgate audit</h3><pre>{escape(outcome.audit_text)}</pre>")
    modelled = capacity.model(figures.measured(outcomes[0]))
    parts.append(f"<h2>Capacity</h2>{plots.capacity(modelled)}{_html(figures.cores(modelled))}")
    parts += [f"<p>{escape(line)}</p>" for line in _reading(outcomes, modelled)]
    return "\n".join(parts)


def _markdown(outcomes: list[Outcome]) -> str:
    lines = ["# The rush", ""]
    for outcome in outcomes:
        lines += [f"## {outcome.plan.name.capitalize()}", "", f"**{verdict(outcome)}**", ""]
        lines += [f"* {line}" for line in circumstances(outcome)] + [""]
        for heading, table in (
            ("Counted in the databases", figures.counted(outcome)),
            ("How passengers ended", figures.ended(outcome)),
            ("The fight, the line and the cheats", figures.fought(outcome)),
            ("Answers", figures.answered(outcome)[:16]),
            ("Those who take no part", figures.watched(outcome)),
            ("Processes", figures.processes(outcome)),
            ("The edge", figures.edge_against_services(outcome)),
        ):
            lines += [f"### {heading}", "", *_table(table), ""]
    modelled = capacity.model(figures.measured(outcomes[0]))
    lines += ["## Capacity", "", *_table(figures.cores(modelled)), ""]
    lines += [line + "\n" for line in _reading(outcomes, modelled)]
    return "\n".join(lines)


def _reading(outcomes: list[Outcome], parts: list[capacity.Part]) -> list[str]:
    """What the model says, with its own figures."""
    by_cores = sorted(parts, key=lambda part: -part.cores)
    postgres = next((part for part in parts if part.name == "postgres"), None)
    said = [
        (
            f"The largest part is {by_cores[0].name} with {by_cores[0].cores:.1f} cores, then "
            f"{by_cores[1].name} with {by_cores[1].cores:.1f}. Both grow by replicas."
        ),
        (
            "The edge is nginx as measured on a quiet machine (0.012 ms a poll, 0.10 ms to "
            "pass on a request); all others were measured in this run."
        ),
    ]
    if postgres:
        said.append(
            f"The next bottleneck is order's PostgreSQL, which grows only by a larger machine: "
            f"{postgres.cores:.1f} cores here for all databases together; after it the one Redis "
            "thread and the outbox of mails, which may lag without harm."
        )
    if len(outcomes) > 1:
        model, other = figures.measured(outcomes[0]), figures.measured(outcomes[1])
        said += [
            f"Check on another mix ({outcomes[1].plan.name}): {name} predicted {predicted:.1f} s "
            f"of CPU, measured {found:.1f} s."
            for name, predicted, found in capacity.prediction(model, other)
        ]
    return said


def _html(table: Table) -> str:
    head, *rows = table
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{cells}</tr>{body}</table>"


def _table(table: Table) -> list[str]:
    head, *rows = table
    rule = "|---|" + "---:|" * (len(head) - 1)
    return (
        [f"| {' | '.join(row)} |" for row in [head]]
        + [rule]
        + [f"| {' | '.join(row)} |" for row in rows]
    )
