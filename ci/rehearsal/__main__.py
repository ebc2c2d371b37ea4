"""
`python -m ci.rehearsal --service order`: the old and the next version of a service side by side on
one schema behind the gateway, traffic switched under people who use it and buy, back and forth. It
needs no cluster. It fails when one request is lost, one purchase stays open, one answer comes from
a version that has left, or the books do not add up.
"""

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg2
from ci.rehearsal.asking import Ledger, visiting
from ci.rehearsal.crowds import CROWDS
from ci.rehearsal.next_release import HEADER
from ci.rehearsal.report import TABLE_HEAD, Outcome, Phase
from ci.rehearsal.versions import (
    EXPANSIONS,
    Place,
    RehearsalFailed,
    Version,
    backfill,
    environment_of_this_process,
    marks,
    next_tree,
    old_tree,
    run_to_its_end,
    unmarked,
)
from ci.town import Town, free_base_port, started_town

from railgate.upstreams import write_moves

SWITCHES = 10
SWITCH_SECONDS = 20.0
CROWD_SECONDS = 60.0
CROWD_REQUESTS = 20
# Who verifies access tokens, and so asks registration for its keys.
READERS = ("TICKET", "ORDER", "PAYMENT", "WAITINGROOM")
PLANTS = ("no-migration", "contracting", "killed")


@dataclass(frozen=True)
class Plan:
    """`plant` is a fault to make on purpose: a rehearsal that cannot fail proves nothing."""

    service: str
    switches: int = SWITCHES
    pause_seconds: float = 3.0
    grace_seconds: float = 0.5
    plant: str = ""


def settings_of(base_port: int, moves: Path) -> dict[str, str]:
    """Callers among the services come through the gateway too, so that a switch is one for all."""
    gateway = f"http://127.0.0.1:{base_port}"
    return {
        "RAILGATE_PORT": str(base_port),
        "GATEWAY__UPSTREAMS_FILE": str(moves),
        "PAYMENT__ORDER_URL": gateway,
        "ORDER__PAYMENT_URL": gateway,
        "ORDER__TICKET_URL": gateway,
        "ORDER__WAITINGROOM_URL": gateway,
        "WAITINGROOM__TICKET_URL": gateway,
        **{f"{name}__JWKS_URL": f"{gateway}/api/registration/jwks.json" for name in READERS},
        "PAYMENT__RECONCILE_AFTER_SECONDS": "2",
        "REGISTRATION__CODES_PER_ADDRESS_HOUR": "100000",
        "REGISTRATION__SIGN_INS_PER_ADDRESS": "100000",
        "REGISTRATION__SIGN_INS_PER_ACCOUNT": "100000",
        "REGISTRATION__SIGN_INS_PER_ACCOUNT_AND_ADDRESS": "100000",
        "WEB_WORKERS": "1",
        "WEB_THREADS": "4",
    }


class Step(NamedTuple):
    """From when to when; what was asked in it is known when all answers are in."""

    name: str
    start: float
    end: float
    leader: str
    moved_at: float
    drained_seconds: float | None


class Rehearsal:
    def __init__(self, plan: Plan, town: Town, moves: Path, folder: Path) -> None:
        self.plan, self.town, self.moves = plan, town, moves
        self.place = Place(town, plan.service)
        self.trees = {
            "old": old_tree(plan.service, folder),
            "next": next_tree(plan.service, folder, is_contracting=plan.plant == "contracting"),
        }
        self._steps: list[Step] = []
        self.faults: list[str] = []
        self._serving: Version | None = None
        self._since = self._moved_at = time.monotonic()
        self._started = contextlib.ExitStack()

    def play(self) -> Outcome:
        crowd, ledger = CROWDS[self.plan.service], Ledger()
        with visiting(crowd.gather(self.town, ledger)), self._started:
            for act in (self._acts, self._hand_back):
                try:
                    act(ledger)
                except RehearsalFailed as error:
                    self.faults.append(str(error))
        self._end_phase("after the last switch")
        audit = self.town.audit()
        marked, missing = self._marks(ledger)
        phases = [self._phase(ledger, step) for step in self._steps]
        return Outcome(
            self.plan.service, phases, ledger, crowd.deeds, marked, missing, audit, self.faults
        )

    def _hand_back(self, _ledger: Ledger) -> None:
        """To the town's own version, so that every visit can be finished."""
        self._move({})
        time.sleep(self.plan.grace_seconds)
        if self._serving is not None:
            self._serving.drain()

    def _marks(self, ledger: Ledger) -> tuple[dict[str, int], int]:
        service, url = self.plan.service, self.place.database_url
        made = ledger.made_by(service, "next")
        try:
            return marks(url, EXPANSIONS[service]), unmarked(url, EXPANSIONS[service], made)
        except psycopg2.Error as error:
            # A bad migration leaves another schema than the one that was looked for.
            self.faults.append(f"the rows of the next version cannot be counted: {error}".strip())
            return {}, 0

    def _acts(self, ledger: Ledger) -> None:
        plan, expansion = self.plan, EXPANSIONS[self.plan.service]
        self._await_crowd(ledger)
        self._since = time.monotonic()
        time.sleep(plan.pause_seconds)
        self._end_phase("before")
        if plan.plant != "no-migration":
            run_to_its_end(self.place.migration(self.trees["next"]), self._log("migration"))
        time.sleep(plan.pause_seconds)
        self._end_phase("migration, the old version serves")
        for number in range(1, plan.switches + 1):
            name = "next" if number % 2 else "old"
            drained = self._switch_to(name)
            if number == 1 and plan.plant != "no-migration":
                self._start_worker()
                backfill(self.place.database_url, expansion)
            time.sleep(plan.pause_seconds)
            self._end_phase(f"switch {number}: to the {name} version", name, drained)

    def _switch_to(self, name: str) -> float | None:
        """Start the version, move the traffic, and then drain the one that served."""
        version = Version(name, self.place.web(self.trees[name]), self._log(f"web-{name}"))
        self._started.callback(version.kill)
        version.await_ready()
        self._move({self.plan.service: version.address})
        self._await_version(name)
        self._moved_at = time.monotonic()
        leaving, self._serving = self._serving, version
        if leaving is None:
            return None
        if self.plan.plant == "killed":
            # Not the one that left: the one that serves, as a node that dies does.
            version.kill()
        time.sleep(self.plan.grace_seconds)
        return leaving.drain()

    def _start_worker(self) -> None:
        """The next version's worker works beside the old one's until the end."""
        program = self.place.worker(self.trees["next"])
        if program is not None:
            worker = Version("next worker", program, self._log("worker-next"))
            self._started.callback(self._end_worker, worker)
            worker.await_ready()

    def _end_worker(self, worker: Version) -> None:
        try:
            worker.drain()
        except RehearsalFailed as error:
            self.faults.append(str(error))

    def _move(self, moves: dict[str, str]) -> None:
        write_moves(self.moves, moves)
        self.town.signal("gateway", signal.SIGHUP)

    def _await_version(self, name: str) -> None:
        path = f"{self.town.base_url}/api/{self.plan.service}/openapi.json"
        deadline = time.monotonic() + SWITCH_SECONDS
        while httpx.get(path, timeout=SWITCH_SECONDS).headers.get(HEADER, "old") != name:
            if time.monotonic() > deadline:
                raise RehearsalFailed(f"The gateway did not switch to the {name} version.")
            time.sleep(0.02)

    def _await_crowd(self, ledger: Ledger) -> None:
        """
        The first requests are slow, and between them nobody may ask for a second.

        Raises:
            RehearsalFailed: nobody asks anything of the service.
        """
        deadline = time.monotonic() + CROWD_SECONDS
        while sum(one.service == self.plan.service for one in ledger.asked) < CROWD_REQUESTS:
            if time.monotonic() > deadline:
                raise RehearsalFailed(f"Nobody came to {self.plan.service}.")
            time.sleep(0.1)

    def _end_phase(self, name: str, leader: str = "", drained: float | None = None) -> None:
        now, moved_at = time.monotonic(), self._moved_at if leader else float("inf")
        self._steps.append(Step(name, self._since, now, leader, moved_at, drained))
        self._since = now

    def _phase(self, ledger: Ledger, step: Step) -> Phase:
        asked = ledger.between(step.start, step.end)
        return Phase(
            step.name, self.plan.service, asked, step.leader, step.moved_at, step.drained_seconds
        )

    def _log(self, name: str) -> Path:
        return self.town.folder / "logs" / f"rehearsal-{name}.log"


def rehearse(plan: Plan) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="railgate-rehearsal-") as name:
        folder = Path(name)
        moves = folder / "upstreams.json"
        base_port = free_base_port()
        environment_of_this_process(settings_of(base_port, moves))
        with started_town(settings={}, for_tests=True, base_port=base_port) as town:
            return Rehearsal(plan, town, moves, folder).play()


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.rehearsal", description=__doc__)
    parser.add_argument("--service", choices=[*EXPANSIONS, "all"], default="order")
    parser.add_argument("--switches", type=int, default=SWITCHES)
    parser.add_argument("--pause-seconds", type=float, default=3.0)
    parser.add_argument(
        "--plant",
        choices=[*PLANTS, "all"],
        default="",
        help="make a fault on purpose; it must show",
    )
    options = parser.parse_args(words)
    # Told to stop, it stops its town as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    services = [*EXPANSIONS] if options.service == "all" else [options.service]
    plants = PLANTS if options.plant == "all" else (options.plant,)
    outcomes = {
        (service, plant): rehearse_aloud(
            Plan(service, options.switches, options.pause_seconds, plant=plant)
        )
        for service in services
        for plant in plants
    }
    print("\n".join(["", TABLE_HEAD, *(outcome.row() for outcome in outcomes.values())]))
    wrong = [key for key, outcome in outcomes.items() if bool(outcome.verdicts()) != bool(key[1])]
    for service, plant in wrong if options.plant else ():
        print(f"MISSED: the fault {plant}, planted in a release of {service}.")
    return 1 if wrong else 0


def rehearse_aloud(plan: Plan) -> Outcome:
    planted = f", with the fault {plan.plant}" if plan.plant else ""
    print(f"Rehearsing a release of {plan.service}: {plan.switches} switches{planted}.", flush=True)
    outcome = rehearse(plan)
    print(outcome.text(), flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
