"""
Runs the gates, or those that are named, and says of each in one line whether it passed, failed or
could not be run. Ends with 1 if one failed, or if one of those in --require could not be run.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ci.pipeline import (
    commands,
    dependencies,
    images,
    licences,
    quality,
    secret_scan,
    security,
    sonar,
    workflows,
)
from ci.pipeline.changes import base_commit, scope_since
from ci.pipeline.gates import BUILD, Result, State, Workspace, failed

Gate = Callable[[Workspace], Result]
# The quick ones first; `coverage` reads what `tests` wrote, and `sonar` what all have.
GATES: dict[str, Gate] = {
    "secrets": secret_scan.secrets_gate,
    "workflows": workflows.workflows_gate,
    "actionlint": workflows.actionlint_gate,
    "scripts": workflows.scripts_gate,
    "recipes": workflows.recipes_gate,
    "licences": licences.licences_gate,
    "sbom": dependencies.sbom_gate,
    "audit": dependencies.audit_gate,
    "duplication": quality.duplication_gate,
    "bandit": security.bandit_gate,
    "lint": commands.lint_gate,
    "manifests": commands.manifests_gate,
    "alerts": commands.alerts_gate,
    "infrastructure": commands.infrastructure_gate,
    "tests": commands.tests_gate,
    "coverage": quality.coverage_gate,
    "images": images.images_gate,
    "sonar": sonar.sonar_gate,
}
SHOWN_MAX = 20


@dataclass(frozen=True)
class Outcome:
    gate: str
    result: Result
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.result.state:<8} {self.gate:<14} {self.result.sentence} ({self.seconds:.0f} s)"
        )


def run_gate(name: str, space: Workspace) -> Outcome:
    """A gate that breaks off has failed, and the others still run."""
    started = time.monotonic()
    try:
        result = GATES[name](space)
    except Exception as broken:  # noqa: BLE001 - whatever it was, the gate did not pass
        result = failed(f"broke off: {type(broken).__name__}: {broken}")
    return Outcome(name, result, time.monotonic() - started)


def show(outcome: Outcome) -> None:
    print(outcome, flush=True)
    if outcome.result.state == State.NOT_RUN and "GITHUB_ACTIONS" in os.environ:
        print(f"::warning title={outcome.gate} was not run::{outcome.result.sentence}")
    for fault in outcome.result.faults[:SHOWN_MAX]:
        print(f"         {fault}")
    if (more := len(outcome.result.faults) - SHOWN_MAX) > 0:
        print(f"         and {more} more in build/pipeline.md")


def failing(outcomes: list[Outcome], required: set[str]) -> list[str]:
    bad = {State.FAILED}
    return [
        outcome.gate
        for outcome in outcomes
        if outcome.result.state in bad
        or (outcome.gate in required and outcome.result.state == State.NOT_RUN)
    ]


def report(outcomes: list[Outcome], build: Path) -> str:
    rows = [f"| {o.gate} | {o.result.state} | {o.result.sentence} |" for o in outcomes]
    parts = ["### Pipeline", "| gate | | |\n|---|---|---|\n" + "\n".join(rows)]
    for outcome in outcomes:
        if outcome.result.faults:
            faults = "\n".join(outcome.result.faults)
            parts.append(f"#### {outcome.gate}\n\n```text\n{faults}\n```")
    bandit = build / "bandit.md"
    if any(outcome.gate == "bandit" for outcome in outcomes) and bandit.exists():
        parts.append(bandit.read_text())
    return "\n\n".join(parts) + "\n"


def keep(outcomes: list[Outcome], build: Path) -> None:
    build.mkdir(exist_ok=True)
    text = report(outcomes, build)
    (build / "pipeline.md").write_text(text)
    states = {o.gate: {"state": o.result.state, "said": o.result.sentence} for o in outcomes}
    (build / "pipeline.json").write_text(json.dumps(states, indent=2) + "\n")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a") as stream:
            stream.write(text)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gates", nargs="*", metavar="gate", help=", ".join(GATES))
    parser.add_argument("--base", help="branch or commit that the change goes to")
    parser.add_argument("--all", action="store_true", help="as if everything had changed")
    parser.add_argument("--require", default="", help="gates that must be able to run here")
    asked = parser.parse_args()
    if unknown := set(asked.gates + asked.require.split()) - GATES.keys():
        parser.error(f"no such gate: {', '.join(sorted(unknown))}")
    return asked


def workspace(base: str | None, *, everything: bool) -> Workspace:
    try:
        commit = base_commit(base)
    except subprocess.CalledProcessError:
        sys.exit(f"git knows no {base}, or nothing that it shares with this branch.")
    return Workspace(scope_since(None if everything else commit), commit)


def main() -> None:
    asked = read_arguments()
    space = workspace(asked.base, everything=asked.all)
    against = f"since {space.base[:12]}" if space.base else "no base, so all of it is new"
    print(f"Apps: {', '.join(sorted(space.scope.apps)) or 'none'} ({against}). Reports: build/")
    outcomes = []
    for name in asked.gates or GATES:
        outcomes.append(run_gate(name, space))
        show(outcomes[-1])
    keep(outcomes, BUILD)
    bad = failing(outcomes, set(asked.require.split()))
    silent = [o.gate for o in outcomes if o.result.state == State.NOT_RUN]
    print(f"\n{sum(o.result.state == State.PASSED for o in outcomes)} gates passed.")
    if silent:
        print(f"NOT RUN, so nothing is known of: {', '.join(silent)}.")
    if bad:
        sys.exit(f"FAILED: {', '.join(bad)}.")


if __name__ == "__main__":
    main()
