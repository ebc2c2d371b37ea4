"""A run of one generator, from the opening to its end, with every process watched."""

import json
import time
from pathlib import Path

from ci.town import Town

from loadtest.programs import start_program
from loadtest.scenario import Scenario
from loadtest.watch import Watch


def play(
    town: Town,
    program: str,
    scenario: Scenario,
    accounts: Path,
    folder: Path,
    *,
    seconds_max: float,
    **more: object,
) -> tuple[Watch, dict]:
    """Let `loadtest.<program>` do its assignment, which `more` adds to; gives what it found."""
    result, path = folder / f"{program}.json", folder / "assignment.json"
    assignment = {
        "base_url": town.base_url,
        "scenario": scenario.as_dict(),
        "accounts": str(accounts),
        "first_serial": int(time.time()) % 100_000 * 1_000_000,
        "result": str(result),
    }
    path.write_text(json.dumps(assignment | more))
    time.sleep(max(0.0, scenario.opens_at - time.time()))
    watching = Watch(town)
    process = start_program(program, path)
    watching.generators = {"generator": process.pid}
    watching.start()
    try:
        code = process.wait(seconds_max)
    finally:
        process.kill()
        watching.stop()
    if code != 0:
        raise SystemExit("The generator failed.")
    return watching, json.loads(result.read_text())
