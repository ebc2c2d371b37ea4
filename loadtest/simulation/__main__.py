"""`make simulate`: fills every train by every strategy and writes results/seat-choice.*."""

import argparse
import os
import time
from multiprocessing import Pool

from loadtest.simulation.choices import CHOICES
from loadtest.simulation.demand import Demand
from loadtest.simulation.filling import CEILING, ByChoice, Ceiling, Filled
from loadtest.simulation.summary import RESULTS, write_summary
from loadtest.simulation.timetable import runs_with_many_legs

_town: dict = {}


def _prepare() -> None:
    _town["runs"], _town["calling"] = runs_with_many_legs()


def _fill(task: tuple[int, int]) -> dict[str, list[Filled]]:
    """One run and one seed by all strategies: they meet the same people in the same order."""
    index, seed_number = task
    run = _town["runs"][index]
    demand, seed = Demand(run, _town["calling"]), f"{run.train_number} {seed_number}"
    fillings = {name: ByChoice(run, choice, seed) for name, choice in CHOICES.items()}
    fillings[CEILING] = Ceiling(run)
    return {name: filling.fill(demand, seed) for name, filling in fillings.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    _prepare()
    runs = _town["runs"]
    tasks = [(n, seed) for seed in range(options.seeds) for n in range(len(runs))]
    print(f"{len(runs)} trains, {options.seeds} seeds, {len(CHOICES)} strategies ...", flush=True)
    began, found = time.monotonic(), []
    with Pool(os.cpu_count(), initializer=_prepare) as pool:
        for filled in pool.imap(_fill, tasks, chunksize=4):
            found.append(filled)
            if len(found) * 10 // len(tasks) > (len(found) - 1) * 10 // len(tasks):
                print(f"  {100 * len(found) // len(tasks)} %", flush=True)
    write_summary(tasks, found, trains=len(runs), seeds=options.seeds)
    print(f"{time.monotonic() - began:.0f} s; see {RESULTS / 'seat-choice.md'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
