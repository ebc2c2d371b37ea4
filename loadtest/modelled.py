"""
Is the capacity model right? A slice of the half hour at its full mix, and what each part cost
beside what the model says from the costs of the published opening.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ci.town import Town

from loadtest import capacity, counting, watch
from loadtest.accounts import prepare_accounts
from loadtest.capacity import (
    BY_USERS,
    HITS,
    PEAK,
    SECONDS,
    TICKETS,
    USERS,
    UTILISATION,
    Measured,
)
from loadtest.scenario import close_rooms, prepare
from loadtest.single import play
from loadtest.watch import Watch

TICKETS_PER_SECOND = 1.0
SLICE_SECONDS = 300.0
LEAD_SECONDS = 15.0
MODEL = "opening.json"
UNANSWERED = frozenset({"connection broken", "500", "502", "503", "504"})


def run_slice(town: Town, folder: Path, results: Path, published: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    model = Measured(**json.loads((published / MODEL).read_text()))
    joins = TICKETS_PER_SECOND * SLICE_SECONDS * USERS / TICKETS
    accounts = prepare_accounts(town, round(joins * 1.1) + 1_000, folder, 1)[0]
    scenario = prepare(town, lead_seconds=LEAD_SECONDS, with_room=True, with_day=True)
    before = counting.count(town, scenario.day_run_ids).seats_sold
    answered = watch.answered_by_service(town)
    print(f"  {SLICE_SECONDS:.0f} seconds of the full mix ...", flush=True)
    try:
        watching, asked = play(
            town, "mix", scenario, accounts, folder, seconds_max=SLICE_SECONDS + 300,
            tickets_per_second=TICKETS_PER_SECOND, seconds=SLICE_SECONDS,
        )  # fmt: skip
    finally:
        close_rooms(town, scenario)
    rules = watch.difference(answered, watch.answered_by_service(town))
    sold = counting.count(town, scenario.day_run_ids).seats_sold - before
    is_clean, _ = counting.audit(town)
    text = _text(model, _slice(asked["answers"], watching, rules, sold), is_clean=is_clean)
    results.mkdir(parents=True, exist_ok=True)
    (results / "slice.md").write_text(text, encoding="utf-8")
    print(text)
    return 0 if is_clean else 1


def _slice(
    answers: list, watching: Watch, rules: dict[str, dict[str, float]], sold: int
) -> "Slice":
    answered = {name: int(sum(counts.values())) for name, counts in rules.items()}
    steps: Counter = Counter()
    unanswered = 0
    for step, word, times in answers:
        steps[step] += len(times)
        unanswered += len(times) if word in UNANSWERED else 0
    seconds = sum(sample.seconds for sample in watching.samples)
    return Slice(dict(steps), unanswered, answered, sold, watching.cpu_seconds(), seconds)


@dataclass(frozen=True)
class Slice:
    """What the slice asked, what it sold, and what it cost."""

    steps: dict[str, int]
    unanswered: int
    answered: dict[str, int]
    sold: int
    cpu: dict[str, float]
    seconds: float

    @property
    def hits(self) -> int:
        return sum(self.steps.values())

    @property
    def share(self) -> dict[bool, float]:
        """Of the model's peak: by places taken, and by tickets sold."""
        peak = PEAK / SECONDS * SLICE_SECONDS
        places = self.steps.get("join", 0) / (USERS * peak)
        return {True: places, False: self.sold / (TICKETS * peak)}


def predicted(model: Measured, found: Slice) -> list[tuple[str, float]]:
    """Processor seconds of the parts that run here, the largest first."""
    parts = {
        part.name: part.cores * UTILISATION * SLICE_SECONDS * found.share[part.name in BY_USERS]
        for part in capacity.model(model)
        if not part.name.startswith("edge")
    }
    reached = sum(found.answered.values())
    polls = found.steps.get("now serving", 0)
    parts["gateway"] = model.edge_seconds(polls=polls, reached=reached)
    kept = {name: used for name, used in parts.items() if name in found.cpu and used > 0.05}
    return sorted(kept.items(), key=lambda item: -item[1])


def _text(model: Measured, found: Slice, *, is_clean: bool) -> str:
    rows = [
        f"| {name} | {used:.1f} | {found.cpu[name]:.1f} | {found.cpu[name] / used:.2f} |"
        for name, used in predicted(model, found)
    ]
    neighbours = found.cpu.get("neighbours", 0.0) / max(found.seconds, 1)
    return "\n".join([
        "# A slice of the half hour, at its full mix",
        "",
        (f"{SLICE_SECONDS:.0f} seconds: {found.sold} tickets and {found.hits:,} hits, "
         f"{found.hits / max(found.sold, 1):,.0f} for each ticket (the model has "
         f"{HITS / TICKETS:,.0f}), {found.steps.get('join', 0):,} of them places in the line; "
         f"{found.unanswered} without an answer; the audit is "
         f"{'clean' if is_clean else 'NOT clean'}. It is one part in "
         f"{1 / max(found.share[False], 1e-9):,.0f} of the peak that the model is made for."),
        "",
        ("The model's seconds come from the costs in [opening.md](opening.md), scaled to the "
         f"tickets and places of this slice. Other programs took {neighbours:.2f} cores. What a "
         "process takes while it is idle is measured and not modelled; it weighs where little is "
         "asked."),
        "",
        "| part | the model, CPU s | measured, CPU s | measured / model |",
        "|---|---:|---:|---:|",
        *rows,
        "",
    ])  # fmt: skip
