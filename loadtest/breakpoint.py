"""The breakpoint of seat selection: at which rate it breaks, how, and which process was full."""

from pathlib import Path

from ci.town import Town

from loadtest.accounts import prepare_accounts
from loadtest.figures import percentile
from loadtest.scenario import prepare
from loadtest.single import play
from loadtest.steps import RATES, STEP_SECONDS, Step
from loadtest.watch import Watch

# Of one thread each, so that one core is all they can use.
ONE_CORE = frozenset({"gateway", "valkey", "generator"})
LEAD_SECONDS = 12.0


def find_breakpoint(town: Town, folder: Path, results: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    users = round(sum(RATES) * STEP_SECONDS) + 100
    accounts = prepare_accounts(town, users, folder, 1)[0]
    scenario = prepare(town, lead_seconds=LEAD_SECONDS, with_room=False, with_day=True)
    watching, found = play(town, "selecting", scenario, accounts, folder, seconds_max=900)
    text = _text([Step(**step) for step in found["steps"]], watching, found["cpu_seconds"])
    results.mkdir(parents=True, exist_ok=True)
    (results / "breakpoint.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def cores_during(watching: Watch, step: Step) -> dict[str, float]:
    """Cores that each process used while a step was on."""
    samples = [s for s in watching.samples if step.began_at < s.at <= step.ended_at]
    seconds = sum(sample.seconds for sample in samples)
    names = {name for sample in samples for name in sample.cpu}
    return {n: sum(s.cpu.get(n, 0.0) for s in samples) / seconds for n in names} if seconds else {}


def _text(steps: list[Step], watching: Watch, cpu_seconds: float) -> str:
    rows = ["| passengers/s | answered | held | p50 ms | p95 ms | failed | fullest (cores) |",
            "|---:|---:|---:|---:|---:|---:|---|"]  # fmt: skip
    for step in steps:
        cores = cores_during(watching, step)
        fullest = sorted(cores, key=lambda name: -cores[name])[:5]
        told = ", ".join(f"{name} {cores[name]:.2f}" for name in fullest)
        rows.append(
            f"| {step.rate} | {step.answered}/{step.asked} | {step.held} "
            f"| {percentile(step.times, 50):.0f} | {percentile(step.times, 95):.0f} "
            f"| {step.failed} | {told} |"
        )
    asked = 2 * sum(step.asked for step in steps)
    return "\n".join([
        "# The breakpoint of seat selection",
        "",
        ("Each passenger looks at what is free and asks for seats once: two requests. Four of five "
        "want the five trains of 1,375 seats, the others a real train of the day. No waiting room. "
        "A step is broken when 1 % fail, the 95th percentile passes a second, or a seventh is not "
        "answered in time."),
        "",
        *rows,
        "",
        _verdict(steps, watching),
        f"The generator took {1e3 * cpu_seconds / max(asked, 1):.2f} ms of CPU a request.",
        "",
    ])  # fmt: skip


def _verdict(steps: list[Step], watching: Watch) -> str:
    last = steps[-1]
    if not last.broken_by:
        return f"It did not break up to {last.rate} passengers a second."
    cores = cores_during(watching, last)
    total = sum(cores.values())
    full = [name for name in ONE_CORE if cores.get(name, 0.0) > 0.85]
    first = f"the one core of {' and '.join(sorted(full))}" if full else "the machine's cores"
    whole = steps[-2].rate if len(steps) > 1 else 0
    return (
        f"It held at {whole} passengers a second ({2 * whole} requests) and broke at {last.rate}: "
        f"{last.broken_by}. What was full first: {first} ({total:.2f} cores in use in all, "
        f"{cores.get('neighbours', 0.0):.2f} of them by other programs)."
    )
