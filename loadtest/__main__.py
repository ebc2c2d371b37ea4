"""`make load`: a rush on the Railgate that runs on this machine, counted in its databases."""

import argparse
import os
import pickle
import sys
import time
from dataclasses import replace
from pathlib import Path

from loadtest import report
from loadtest.accounts import running_town
from loadtest.rush import Outcome, Plan, rush
from loadtest.shapes import SHAPES, Shape

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
# Without a waiting room a tenth of the crowd shows what there is to see.
WITHOUT_ROOM_SHARE = 0.1


def main() -> int:
    options = _parser().parse_args()
    folder = options.folder or Path(os.environ.get("RAILGATE_FOLDER", ROOT / ".railgate"))
    town = running_town(folder)
    kept = folder / "load" / time.strftime("%Y%m%d-%H%M%S")
    if options.shape == "breakpoint":
        from loadtest.breakpoint import find_breakpoint

        return find_breakpoint(town, kept, RESULTS if options.publish else kept)
    if options.shape == "slice":
        from loadtest.modelled import run_slice

        return run_slice(town, kept, RESULTS if options.publish else kept, RESULTS)
    outcomes = []
    for plan in _plans(options):
        print(f"\n{plan.name}: {plan.shape.users:,} passengers", flush=True)
        outcomes.append(rush(town, plan, kept / plan.name.replace(" ", "-")))
        _say(outcomes[-1])
        # After each, so that who stops the second rush keeps the report of the first.
        (kept / "outcomes.pickle").write_bytes(pickle.dumps(outcomes))
        target = RESULTS if options.publish else kept
        print(f"  the report: {report.write(outcomes, target, options.publish or 'report')}")
    return 1 if any(outcome.faults for outcome in outcomes) else 0


def _plans(options: argparse.Namespace) -> list[Plan]:
    shape = _shape(options)
    plan = Plan(
        name="with the waiting room",
        shape=shape,
        processes=options.processes,
        with_room=True,
        with_day=not options.no_day,
        chaos=options.chaos,
        slow=options.slow,
        seed=options.seed,
        note=options.note,
    )
    few = replace(shape, users=max(300, round(shape.users * WITHOUT_ROOM_SHARE)))
    bare = replace(plan, name="without a waiting room", shape=few, with_room=False)
    if options.room == "no":
        return [replace(bare, shape=shape)]
    return [plan, bare] if options.room == "both" else [plan]


def _shape(options: argparse.Namespace) -> Shape:
    shape = SHAPES[options.shape]
    given = {"users": options.users, "users_per_second": options.rate}
    return replace(shape, **{name: value for name, value in given.items() if value})


def _say(outcome: Outcome) -> None:
    sold = outcome.rush
    print(f"  {sold.seats_sold} seats sold, {sold.tickets} tickets, {sold.oversold} oversold, "
          f"{sold.stuck} stuck; {outcome.requests:,} requests", flush=True)  # fmt: skip
    for fault in outcome.faults:
        print(f"  WRONG: {fault}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--shape", choices=[*SHAPES, "breakpoint", "slice"], default="opening")
    parser.add_argument("--users", type=int, help="how many passengers come")
    parser.add_argument("--rate", type=float, help="how many come a second, on average")
    parser.add_argument("--room", choices=("yes", "no", "both"), default="both")
    parser.add_argument("--no-day", action="store_true", help="leave out the day's real trains")
    parser.add_argument("--chaos", action="store_true", help="break things in the middle")
    parser.add_argument("--slow", action="store_true", help="slow provider, hanging mail server")
    parser.add_argument("--processes", type=int, default=2, help="generators")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="of the running Railgate")
    parser.add_argument("--note", default="", help="what the report shall say of the machine")
    parser.add_argument("--publish", metavar="NAME", help="keep the report in loadtest/results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
