"""
`railgate run`: brings the whole town up in order, tells the person at the terminal
what happens, keeps it up, and takes it down in reverse.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from railgate import children, town
from railgate.launching import DataFolderBroken, ServerFailed, hold_folder
from railgate.prepared import Prepared
from railgate.servers import PostgresServer, ValkeyServer
from railgate.summary import summary
from railgate.supervisor import WATCH_SECONDS, ProgramFailed, Supervisor
from railgate.town import Service, Town


class PortTaken(Exception):
    """Another program listens where one of ours should."""


class StopRequested(BaseException):
    """Ctrl-C or SIGTERM arrived; not an error, so nothing may catch it as one."""


class Progress:
    """One line a step: what is being done, then a tick and the seconds it took."""

    def __init__(self) -> None:
        speaks_utf8 = (sys.stdout.encoding or "ascii").lower().startswith("utf")
        self._tick, self._cross = ("✓", "✗") if speaks_utf8 else ("ok", "failed")
        self._is_terminal = sys.stdout.isatty()

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        if self._is_terminal:
            print(f"  . {what}", end="\r", flush=True)
        mark = self._cross
        try:
            yield
            mark = self._tick
        finally:
            self.say(f"  {mark} {what:<48} {time.monotonic() - began:5.1f} s")

    def say(self, line: str) -> None:
        print(line, flush=True)


@dataclass(frozen=True)
class Run:
    """What the command line asked for."""

    folder: Path
    base_port: int
    ready_file: Path | None = None
    for_tests: bool = False
    services: tuple[Service, ...] = town.SERVICES

    @property
    def state_file(self) -> Path:
        return self.folder / "state.json"


def run_town(run: Run) -> int:
    """Run until told to stop; the exit code is 1 when the town does not come up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _request_stop)
    progress = Progress()
    try:
        with contextlib.ExitStack() as everything:
            try:
                _run_until_stopped(run, progress, everything)
            except StopRequested:
                progress.say("\nStopping ...")
                raise
            finally:
                _ignore_signals()
    except StopRequested:
        progress.say("Stopped.")
        return 0
    except DataFolderBroken as error:
        progress.say(f"{error}\n`make reset` starts over with an empty folder.")
    except (ServerFailed, ProgramFailed, PortTaken) as error:
        progress.say(str(error))
    return 1


def refuse_taken_ports(ports: Mapping[str, int]) -> None:
    """
    Look at every port before anything is started.

    Raises:
        PortTaken: with the port, who has it, and what to do.
    """
    for name, port in ports.items():
        if children.port_is_taken(port):
            owner = children.port_owner(port)
            by = f" by {owner}" if owner else ""
            raise PortTaken(
                f"Port {port} ({name}) is taken{by}: stop that program, or choose other ports "
                "with RAILGATE_PORT=9080."
            )


def _run_until_stopped(run: Run, progress: Progress, everything: contextlib.ExitStack) -> None:
    began = time.monotonic()
    _make_folders(run.folder)
    everything.enter_context(hold_folder(run.folder))
    postgres, valkey = _servers(run)
    ports = town.town_ports(run.base_port, run.services)
    given = {s.name.lower() for s in (postgres, valkey) if s.given_url is not None}
    refuse_taken_ports({name: port for name, port in ports.items() if name not in given})
    with progress.step("PostgreSQL"):
        everything.enter_context(postgres)
    with progress.step("Valkey"):
        everything.enter_context(valkey)
    keys = town.town_keys(run.folder, run.services)
    with progress.step("A database for each service"):
        databases = _make_databases(run.services, postgres, keys)
    place = Town(
        folder=run.folder,
        base_port=run.base_port,
        services=run.services,
        keys=keys,
        database_urls=databases,
        redis_urls=_redis_urls(run.services, valkey),
    )
    supervisor = Supervisor(run.folder / "logs", progress.say)
    everything.callback(supervisor.stop)
    everything.callback(run.state_file.unlink, missing_ok=True)
    _start_programs(run, place, supervisor, progress)
    supervisor.watch_server(postgres)
    supervisor.watch_server(valkey)
    _write_state(run, place, supervisor)
    progress.say(summary(place, time.monotonic() - began))
    _watch(run, place, supervisor)


def _start_programs(run: Run, place: Town, supervisor: Supervisor, progress: Progress) -> None:
    """The workers come last: nobody waits for them, and they would slow the others' start."""
    with progress.step("Tables, timetable, sales for the next ten days"):
        _prepare(run, place, supervisor)
    with progress.step("Mail catcher and payment sandbox"):
        supervisor.start(town.neighbour_programs(place))
    names = ", ".join(service.name for service in place.services)
    with progress.step(f"Services: {names}"):
        supervisor.start([town.service_program(place, s) for s in place.services])
    with progress.step("Gateway and workers"):
        supervisor.start([*town.worker_programs(place), town.gateway_program(place)])


def _prepare(run: Run, place: Town, supervisor: Supervisor) -> None:
    """A database that is not ours, or is new each time, is prepared at each start."""
    prepared = Prepared(run.folder)
    is_kept = not run.for_tests and "DATABASE_URL" not in os.environ
    supervisor.run_chains(
        town.preparation_programs(place, s, is_known_code=is_kept and prepared.is_done(s))
        for s in place.services
    )
    prepared.remember(place.services)


def _watch(run: Run, place: Town, supervisor: Supervisor) -> None:
    while True:
        supervisor.watch_once()
        if supervisor.pids_changed:
            supervisor.pids_changed = False
            _write_state(run, place, supervisor)
        time.sleep(WATCH_SECONDS)


def _servers(run: Run) -> tuple[PostgresServer, ValkeyServer]:
    ports = town.town_ports(run.base_port, run.services)
    given_postgres, given_valkey = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    return (
        PostgresServer(
            run.folder / "postgres", ports["postgres"], run.for_tests, given_url=given_postgres
        ),
        ValkeyServer(run.folder / "valkey", ports["valkey"], given_url=given_valkey),
    )


def _make_folders(folder: Path) -> None:
    """
    Make the folders; those who may pass through see only what they know the name of.

    Raises:
        DataFolderBroken: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
        for name in ("logs", "mail", "metrics", "sandbox", "gateway"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise DataFolderBroken(f"{folder} cannot be used: {error}.") from error


def _make_databases(
    services: tuple[Service, ...], postgres: PostgresServer, keys: Mapping[str, str]
) -> dict[str, str]:
    return {
        s.name: postgres.create_database(
            s.name, owner=s.name, password=keys[f"{s.name}_database_password"]
        )
        for s in services
        if s.has_database
    }


def _redis_urls(services: tuple[Service, ...], valkey: ValkeyServer) -> dict[str, str]:
    """Give each service a keyspace of its own on our server; a given one is taken as it is."""
    if valkey.given_url is not None:
        return {service.name: valkey.given_url for service in services}
    base = valkey.url.rpartition("/")[0]
    return {service.name: f"{base}/{number}" for number, service in enumerate(services)}


def _write_state(run: Run, place: Town, supervisor: Supervisor) -> None:
    """Write where everything is, for the other commands and for tests; it holds passwords."""
    state: dict[str, Any] = {
        "pid": os.getpid(),
        "folder": str(run.folder),
        "base_url": place.public_url,
        "urls": {name: place.address(name) for name in place.ports},
        "ports": place.ports,
        "pids": supervisor.pids,
        "databases": dict(place.database_urls),
        "redis_urls": dict(place.redis_urls),
        "accounts": town.accounts(place),
    }
    for path in (run.state_file, run.ready_file):
        if path is not None:
            _write_private(path, json.dumps(state, indent=2))


def _write_private(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def _request_stop(_number: int, _frame: FrameType | None) -> None:
    raise StopRequested


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
