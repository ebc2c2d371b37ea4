"""
`python -m ci.rehearsal --service order`: the old and the next version of a service side by side on
one schema behind the gateway, traffic switched under real purchases, back and forth. It needs no
cluster. It fails when one request is lost, one purchase stays open, or the books do not add up.
"""

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from ci.rehearsal.next_release import HEADER
from ci.rehearsal.purchases import Ledger, buying
from ci.rehearsal.report import Outcome, Phase
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
)
from ci.town import Town, free_base_port, started_town

from railgate.upstreams import write_moves

SWITCHES = 10
BUYERS = 3
SWITCH_SECONDS = 20.0
PLANTS = ("no-migration", "contracting", "killed")


@dataclass(frozen=True)
class Plan:
    """`plant` is a fault to make on purpose: a rehearsal that cannot fail proves nothing."""

    service: str
    switches: int = SWITCHES
    buyers: int = BUYERS
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
        "ORDER__JWKS_URL": f"{gateway}/api/registration/jwks.json",
        "PAYMENT__JWKS_URL": f"{gateway}/api/registration/jwks.json",
        "PAYMENT__RECONCILE_AFTER_SECONDS": "2",
        "REGISTRATION__SIGN_INS_PER_ADDRESS": "100000",
        "REGISTRATION__SIGN_INS_PER_ACCOUNT": "100000",
        "REGISTRATION__SIGN_INS_PER_ACCOUNT_AND_ADDRESS": "100000",
        "WEB_WORKERS": "1",
        "WEB_THREADS": "4",
    }


class Rehearsal:
    def __init__(self, plan: Plan, town: Town, moves: Path, folder: Path) -> None:
        self.plan, self.town, self.moves = plan, town, moves
        self.place = Place(town, plan.service)
        self.trees = {
            "old": old_tree(plan.service, folder),
            "next": next_tree(plan.service, folder, is_contracting=plan.plant == "contracting"),
        }
        self.phases: list[Phase] = []
        self.faults: list[str] = []
        self._serving: Version | None = None
        self._since = time.monotonic()
        self._started = contextlib.ExitStack()

    def play(self) -> Outcome:
        plan = self.plan
        with buying(self.town, plan.buyers) as ledger, self._started:
            try:
                self._acts(ledger)
            except RehearsalFailed as error:
                self.faults.append(str(error))
            finally:
                # The town's own version takes over, so that every purchase can be finished.
                self._move({})
        self._end_phase(ledger, "after the last switch")
        expansion = EXPANSIONS[plan.service]
        with_column = (
            {} if plan.plant == "no-migration" else marks(self.place.database_url, expansion)
        )
        audit = self.town.audit()
        return Outcome(plan.service, self.phases, ledger, with_column, audit, self.faults)

    def _acts(self, ledger: Ledger) -> None:
        plan, expansion = self.plan, EXPANSIONS[self.plan.service]
        self._begin_phase()
        time.sleep(plan.pause_seconds)
        self._end_phase(ledger, "before")
        if plan.plant != "no-migration":
            run_to_its_end(self.place.migration(self.trees["next"]), self._log("migration"))
        time.sleep(plan.pause_seconds)
        self._end_phase(ledger, "migration, the old version serves")
        for number in range(1, plan.switches + 1):
            name = "next" if number % 2 else "old"
            drained = self._switch_to(name)
            if number == 1 and plan.plant != "no-migration":
                self._start_worker()
                backfill(self.place.database_url, expansion)
            time.sleep(plan.pause_seconds)
            self._end_phase(ledger, f"switch {number}: to the {name} version", drained)

    def _switch_to(self, name: str) -> float | None:
        """Start the version, move the traffic, and then drain the one that served."""
        version = Version(name, self.place.web(self.trees[name]), self._log(f"web-{name}"))
        self._started.callback(version.kill)
        version.await_ready()
        self._move({self.plan.service: version.address})
        self._await_version(name)
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

    def _begin_phase(self) -> None:
        self._since = time.monotonic()

    def _end_phase(self, ledger: Ledger, name: str, drained: float | None = None) -> None:
        now = time.monotonic()
        self.phases.append(Phase(name, ledger.between(self._since, now), drained))
        self._since = now

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
    parser.add_argument("--service", choices=sorted(EXPANSIONS), default="order")
    parser.add_argument("--switches", type=int, default=SWITCHES)
    parser.add_argument("--buyers", type=int, default=BUYERS)
    parser.add_argument("--pause-seconds", type=float, default=3.0)
    parser.add_argument("--plant", choices=PLANTS, default="", help="make a fault on purpose")
    options = parser.parse_args(words)
    # Told to stop, it stops its town as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(
        f"Rehearsing a release of {options.service}: {options.switches} switches,"
        f" {options.buyers} buyers.",
        flush=True,
    )
    outcome = rehearse(Plan(**vars(options)))
    print(outcome.text())
    return 1 if outcome.verdicts() else 0


if __name__ == "__main__":
    sys.exit(main())
