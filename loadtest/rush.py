"""One rush from the preparation to the count, and everything measured on the way."""

import json
import subprocess
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ci.passenger import Passenger
from ci.town import Town

from loadtest import counting, edge, watch
from loadtest.accounts import prepare_accounts
from loadtest.counting import Sold
from loadtest.edge import Edge
from loadtest.fairness import Fairness, fairness, line_of
from loadtest.faults import Chaos, Slowness
from loadtest.programs import start_program
from loadtest.scenario import QUIET_DAYS_AHEAD, Choice, Scenario, close_rooms, prepare
from loadtest.shapes import Shape
from loadtest.watch import Sample, Watch

BYSTANDERS = 4
BASELINE_SECONDS = 15.0
MARGIN_SECONDS = 720.0
CHAOS_AFTER_SECONDS = 5.0


@dataclass
class Plan:
    """What a rush shall be."""

    name: str
    shape: Shape
    processes: int
    with_room: bool
    with_day: bool
    chaos: bool = False
    slow: bool = False
    note: str = ""
    seed: int = 1


@dataclass
class Outcome:
    """What a rush was: all that the report is made of."""

    plan: Plan
    opens_at: float
    began_at: float
    ended_at: float
    answers: dict[tuple[str, str], list[float]]
    by_second: dict[int, Counter]
    bystanders: list[list]
    stories: list[dict]
    ends: Counter
    cheats: Counter
    seat_attempts: Counter
    late_seconds: list[float]
    samples: list[Sample]
    cpu: dict[str, float]
    memory_mb: dict[str, float]
    answered: dict[str, dict[str, float]]
    rush: Sold
    day: Sold | None
    sold_at: list[tuple[float, int]]
    audit_is_clean: bool
    audit_text: str
    fair: Fairness | None
    edge: Edge | None = None
    blows: list[tuple[float, str]] = field(default_factory=list)
    settle_seconds: float = 0.0

    @property
    def requests(self) -> int:
        return sum(len(times) for times in self.answers.values())

    @property
    def generator_cpu_seconds(self) -> float:
        return sum(used for name, used in self.cpu.items() if name.startswith("generator"))

    @property
    def faults(self) -> list[str]:
        """What must not have happened, in words."""
        found = list(self.rush.faults) + (self.day.faults if self.day else [])
        if not self.audit_is_clean:
            found.append("the audit is not clean")
        if self.ends["no answer"]:
            found.append(f"{self.ends['no answer']} passengers got no answer")
        found += [f"{n} x {word}" for word, n in self.cheats.items() if "got through" in word]
        return found


def rush(town: Town, plan: Plan, folder: Path) -> Outcome:
    folder.mkdir(parents=True, exist_ok=True)
    paths = prepare_accounts(town, plan.shape.users, folder, plan.processes)
    lead_seconds = plan.shape.lead_seconds + BASELINE_SECONDS + 10.0
    print("  writing trains and waiting rooms ...", flush=True)
    scenario = prepare(
        town, lead_seconds=lead_seconds, with_room=plan.with_room, with_day=plan.with_day
    )
    try:
        return _rush(town, plan, folder, paths, scenario)
    finally:
        close_rooms(town, scenario)


def _rush(town: Town, plan: Plan, folder: Path, paths: list[Path], scenario: Scenario) -> Outcome:
    bystanders = _bystanders(town, scenario)
    day_before = counting.count(town, scenario.day_run_ids)
    before, watching, began_at = watch.answered_by_service(town), Watch(town), time.time()
    breakers = _breakers(town, plan, scenario)
    generators = [
        _start(f"generator {n}", _assignment(town, plan, scenario, folder, paths, n), folder)
        for n in range(plan.processes)
    ]
    onlookers = _start("bystanders", _onlooking(town, plan, scenario, folder, bystanders), folder)
    watching.generators = {g.name: g.process.pid for g in (*generators, onlookers)}
    watching.start()
    for breaker in breakers:
        breaker.start()
    try:
        _follow(generators, scenario, plan)
    finally:
        for breaker in breakers:
            breaker.stop()
        watching.stop()
        onlookers.process.terminate()
        onlookers.process.wait(60)
    answered = watch.difference(before, watch.answered_by_service(town))
    ended_at = time.time()
    settle_seconds = counting.await_quiet(town, scenario)
    results = [json.loads(g.result.read_text()) for g in (*generators, onlookers)]
    outcome = _outcome(town, plan, scenario, results, watching, answered, began_at, ended_at)
    if outcome.day:
        outcome.day = outcome.day.since(day_before)
    outcome.settle_seconds = settle_seconds
    outcome.blows = [blow for b in breakers if isinstance(b, Chaos) for blow in b.done]
    if plan.with_room:
        outcome.edge = edge.measure_edge(town, scenario.window_id)
    return outcome


def _bystanders(town: Town, scenario: Scenario) -> list[dict]:
    """Each has bought a ticket of another day."""
    day = (datetime.now(UTC) + timedelta(days=QUIET_DAYS_AHEAD)).date().isoformat()
    account = town.state["accounts"]["passenger"]
    found = []
    for n in range(BYSTANDERS):
        headers = town.account()
        choice: Choice = scenario.quiet[n % len(scenario.quiet)]
        person = Passenger(town.base_url, headers)
        order, _ = person.buy(choice.run_id, choice.start, choice.end, seat_class=choice.seat_class)
        token = headers["Authorization"].removeprefix("Bearer ")
        found.append(
            {"token": token, "order_id": order["order_id"], "day": day, "sign_in": account}
        )
    return found


def _breakers(town: Town, plan: Plan, scenario: Scenario) -> list:
    breakers: list = []
    if plan.chaos:
        breakers.append(Chaos(town, scenario.opens_at + CHAOS_AFTER_SECONDS))
    if plan.slow:
        breakers.append(Slowness(town))
    return breakers


def _onlooking(town, plan, scenario, folder, bystanders) -> dict:
    return {
        "base_url": town.base_url,
        "scenario": scenario.as_dict(),
        "bystanders": bystanders,
        "stop_at": _deadline(plan, scenario),
        "result": str(folder / "bystanders.json"),
    }


def _stop_at(plan, scenario) -> float:
    return scenario.opens_at + plan.shape.tail_seconds + MARGIN_SECONDS


def _deadline(plan, scenario) -> float:
    """By then the generators have written what they found."""
    return _stop_at(plan, scenario) + 60


def _assignment(town, plan, scenario, folder, paths, n) -> dict:
    first_serial = int(time.time()) % 100_000 * 10_000_000 + n * 2_000_000
    return {
        "base_url": town.base_url,
        "scenario": scenario.as_dict(),
        "shape": vars(plan.shape),
        "share": 1 / plan.processes,
        "seed": plan.seed * 1_000 + n,
        "accounts": str(paths[n]),
        "first_serial": first_serial,
        "stop_at": _stop_at(plan, scenario),
        "result": str(folder / f"result-{n}.json"),
    }


@dataclass
class RunningGenerator:
    name: str
    process: subprocess.Popen
    result: Path
    said: dict


def _start(name: str, assignment: dict, folder: Path) -> RunningGenerator:
    """The program is the first word of the name."""
    path = folder / f"{name.replace(' ', '-')}-assignment.json"
    path.write_text(json.dumps(assignment))
    with (folder / f"{name.replace(' ', '-')}.log").open("w") as log:
        program = name.split(maxsplit=1)[0]
        process = start_program(program, path, stdout=subprocess.PIPE, stderr=log)
    running = RunningGenerator(name, process, Path(assignment["result"]), {})
    threading.Thread(target=_listen, args=(running,), daemon=True).start()
    return running


def _listen(running: RunningGenerator) -> None:
    for line in running.process.stdout or ():
        running.said = json.loads(line)


def _follow(generators: list[RunningGenerator], scenario: Scenario, plan: Plan) -> None:
    """Show how far it is, until every passenger has an end or the time is over."""
    deadline = _deadline(plan, scenario)
    try:
        while any(g.process.poll() is None for g in generators):
            time.sleep(2.0)
            arrived = sum(g.said.get("arrived", 0) for g in generators)
            requests = sum(g.said.get("requests", 0) for g in generators)
            ends: Counter = Counter()
            for generator in generators:
                ends.update(generator.said.get("ends", {}))
            at = time.time() - scenario.opens_at
            told = ", ".join(f"{n:,} {word}" for word, n in ends.most_common())
            print(f"\r  {at:+5.0f} s  {arrived:,} of {plan.shape.users:,} came, "
                  f"{requests:,} requests; {told}   ", end="", flush=True)  # fmt: skip
            if time.time() > deadline or any(g.process.poll() for g in generators):
                raise SystemExit("\nA generator failed, or did not end in time: see its log.")
    finally:
        for generator in generators:
            if generator.process.poll() is None:
                generator.process.terminate()
    print()
    failed = [g for g in generators if g.process.returncode != 0]
    if failed:
        raise SystemExit("A generator failed: see its log in the folder of the run.")


def _outcome(town, plan, scenario, results, watching, answered, began_at, ended_at) -> Outcome:
    answers: dict[tuple[str, str], list[float]] = defaultdict(list)
    by_second: dict[int, Counter] = defaultdict(Counter)
    counters = {name: Counter() for name in ("ends", "cheats", "seat_attempts")}
    for result in results:
        for step, word, times in result["answers"]:
            answers[step, word] += times
        for second, steps in result["by_second"].items():
            by_second[int(second)].update(steps)
        for name, counter in counters.items():
            counter.update(result[name])
    stories = [story for result in results for story in result["stories"]]
    day = counting.count(town, scenario.day_run_ids) if scenario.day else None
    is_clean, text = counting.audit(town)
    return Outcome(
        plan=plan,
        opens_at=scenario.opens_at,
        began_at=began_at,
        ended_at=ended_at,
        answers=dict(answers),
        by_second=dict(by_second),
        bystanders=[row for result in results for row in result["bystanders"]],
        stories=stories,
        late_seconds=[s for result in results for s in result["late_seconds"]],
        samples=watching.samples,
        cpu=watching.cpu_seconds(),
        memory_mb=watching.memory_peak_mb(),
        answered=answered,
        rush=counting.count(town, scenario.rush_run_ids),
        day=day,
        sold_at=counting.sold_at(town, scenario.rush_run_ids),
        audit_is_clean=is_clean,
        audit_text=text,
        fair=fairness(line_of(stories, has_room=plan.with_room)),
        **counters,
    )
