"""
Two versions of a service from one source tree: the code as it is, and a copy with a migration that
expands the schema and code that uses what it adds. Both are started as a release starts them.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
from ci.rehearsal.next_release import COLUMN
from ci.town import Town

from railgate import children
from railgate import town as table
from railgate.supervisor import answers_200
from railgate.town import Program, Service

ROOT = Path(__file__).parents[2]
READY_SECONDS = 90.0
# As terminationGracePeriodSeconds without the pause before the signal.
DRAIN_SECONDS = 35.0
BACKFILL_ROWS = 50
REVISION = re.compile(r'^(down_revision|revision)\s*(?::[^=]+)?=\s*"([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Expansion:
    """
    What the next version adds: a column of `table`, whose rows `model` maps, and which are asked
    for by their `key` below `collection`; empty where no path names them.
    """

    model: str
    table: str
    key: str
    collection: str = ""


EXPANSIONS = {
    "registration": Expansion("Account", "account", "account_id"),
    "ticket": Expansion("Run", "run", "run_id", "runs"),
    "order": Expansion("Order", "orders", "order_id", "orders"),
    "payment": Expansion("Payment", "payment", "payment_id", "payments"),
    "waitingroom": Expansion("WaitingWindow", "waiting_window", "window_id", "windows"),
}

MIGRATION = '''"""Rehearsal: {table} gets a column that the version before does not know."""

import sqlalchemy as sa
from alembic import op

revision = "rehearsal"
down_revision = "{head}"


def upgrade():
    {change}
'''
EXPANDING = 'op.add_column("{table}", sa.Column("{column}", sa.Text(), nullable=True))'
# What a migration must never do while the version before still serves.
CONTRACTING = EXPANDING + (
    '\n    op.alter_column("{table}", "{key}", new_column_name="{key}_renamed")'
)
GRAFT = """

from {service} import models as _models
from {service}.next_release import extend as _extend

_create_app = create_app


def create_app(settings=None):
    return _extend(
        _create_app(settings), db=_models.db, model=_models.{model}, key="{key}",
        collection="{collection}",
    )
"""


class RehearsalFailed(Exception):
    """A version does not start, does not end, or what it needs cannot be made."""


def old_tree(service: str, folder: Path) -> Path:
    return _copied(service, folder / "old")


def next_tree(service: str, folder: Path, *, is_contracting: bool = False) -> Path:
    """Copy the service and graft the next version's migration and code onto the copy."""
    expansion = EXPANSIONS[service]
    tree = _copied(service, folder / "next")
    package = tree / service
    versions = package / "migrations" / "versions"
    change = (CONTRACTING if is_contracting else EXPANDING).format(
        table=expansion.table, column=COLUMN, key=expansion.key
    )
    (versions / "rehearsal.py").write_text(
        MIGRATION.format(table=expansion.table, head=head_revision(versions), change=change)
    )
    shutil.copy(Path(__file__).with_name("next_release.py"), package / "next_release.py")
    with (package / "app.py").open("a") as app:
        app.write(GRAFT.format(service=service, **vars(expansion)))
    return tree


def head_revision(versions: Path) -> str:
    """
    Raises:
        RehearsalFailed: the migrations have no single head.
    """
    named: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for path in versions.glob("*.py"):
        for which, revision in REVISION.findall(path.read_text()):
            named[which].add(revision)
    heads = named["revision"] - named["down_revision"]
    if len(heads) != 1:
        raise RehearsalFailed(f"{versions} has the heads {sorted(heads)}, and one is needed.")
    return heads.pop()


def _copied(service: str, tree: Path) -> Path:
    source = ROOT / "apps" / service / "src" / service
    shutil.copytree(source, tree / service, ignore=shutil.ignore_patterns("__pycache__"))
    return tree


class Place:
    """The town's own table, so that a rehearsed version is told what the town's is told."""

    def __init__(self, town: Town, service: str) -> None:
        state = town.state
        self.folder = town.folder
        self.service: Service = next(s for s in table.SERVICES if s.name == service)
        self._place = table.Town(
            folder=town.folder,
            base_port=state["ports"]["gateway"],
            services=table.SERVICES,
            keys=town.keys,
            database_urls=state["databases"],
            redis_urls=state["redis_urls"],
        )

    @property
    def database_url(self) -> str:
        return self._place.database_urls[self.service.name]

    def web(self, tree: Path) -> Program:
        port = children.free_port()
        program = table.service_program(self._place, self.service)
        metrics = self.folder / "metrics" / f"rehearsed-{port}"
        return replace(
            program,
            environment={
                **_from(tree, program),
                "WEB_BIND": f"127.0.0.1:{port}",
                "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            },
            port=port,
            ready_url=f"http://127.0.0.1:{port}/readyz",
            emptied_folder=metrics,
        )

    def worker(self, tree: Path) -> Program | None:
        programs = {program.name: program for program in table.worker_programs(self._place)}
        program = programs.get(f"{self.service.name}-worker")
        heartbeat = {"WORKER_HEARTBEAT": str(tree / "heartbeat")}
        return program and replace(program, environment=_from(tree, program) | heartbeat)

    def migration(self, tree: Path) -> Program:
        program = table.preparation_programs(self._place, self.service)[0]
        return replace(program, environment=_from(tree, program))


def _from(tree: Path, program: Program) -> dict[str, str]:
    return {**program.environment, "PYTHONPATH": str(tree)}


class Version:
    """One running version, from its start to its drained end."""

    def __init__(self, name: str, program: Program, log: Path) -> None:
        self.name = name
        self.address = f"http://127.0.0.1:{program.port}"
        if program.emptied_folder is not None:
            program.emptied_folder.mkdir(parents=True)
        self._log, self._ready_url = log, program.ready_url
        self._heartbeat = Path(program.environment.get("WORKER_HEARTBEAT", "/"))
        self._child = children.spawn(program.command, environment=program.environment, log=log)

    def await_ready(self) -> None:
        """
        Raises:
            RehearsalFailed: it ended, or is not ready in time.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.kill()
                said = children.last_lines(self._log, 12)
                raise RehearsalFailed(f"{self.name} does not start. {self._log}:\n{said}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        """A service answers; a worker has gone round once."""
        if self._ready_url is not None:
            return answers_200(self._ready_url)
        return self._heartbeat.exists()

    def drain(self) -> float:
        """
        Send SIGTERM, and give the seconds until it has ended by itself.

        Raises:
            RehearsalFailed: it had to be killed, or ended with an error.
        """
        began = time.monotonic()
        self._child.send_signal(signal.SIGTERM)
        while self._child.poll() is None:
            if time.monotonic() - began > DRAIN_SECONDS:
                self.kill()
                raise RehearsalFailed(f"{self.name} did not drain in {DRAIN_SECONDS:.0f} s.")
            time.sleep(0.02)
        if self._child.returncode:
            raise RehearsalFailed(f"{self.name} ended with {self._child.returncode}.")
        return time.monotonic() - began

    def kill(self) -> None:
        children.stop(self._child, how=signal.SIGKILL, seconds=5)


def run_to_its_end(program: Program, log: Path) -> None:
    """
    Raises:
        RehearsalFailed: with the end of its log.
    """
    child = children.spawn(program.command, environment=program.environment, log=log)
    try:
        how = "failed" if child.wait(READY_SECONDS) else ""
    except subprocess.TimeoutExpired:
        how = f"did not end in {READY_SECONDS:.0f} s"
    finally:
        children.stop(child, how=signal.SIGKILL, seconds=5)
    if how:
        raise RehearsalFailed(f"{program.name} {how}:\n{children.last_lines(log, 12)}")


def backfill(database_url: str, expansion: Expansion) -> int:
    """
    Fill the column in small transactions that wait for nobody: rows that a purchase holds are
    passed over and come with the next round.

    Raises:
        RehearsalFailed: the schema is not what the backfill was written for.
    """
    table_name, key = expansion.table, expansion.key
    fill = (
        f"UPDATE {table_name} SET {COLUMN} = 'backfill' WHERE {key} IN"
        f" (SELECT {key} FROM {table_name} WHERE {COLUMN} IS NULL"
        f" LIMIT {BACKFILL_ROWS} FOR UPDATE SKIP LOCKED)"
    )
    filled = 0
    link = psycopg2.connect(database_url)
    try:
        while True:
            with link, link.cursor() as cursor:
                cursor.execute(fill)
                filled += cursor.rowcount
                if not cursor.rowcount:
                    return filled
    except psycopg2.Error as error:
        raise RehearsalFailed(f"The backfill failed: {error}") from error
    finally:
        link.close()


def marks(database_url: str, expansion: Expansion) -> dict[str, int]:
    """How many rows each version has left: `next`, `backfill`, and `none` of the old one's."""
    link = psycopg2.connect(database_url)
    try:
        with link, link.cursor() as cursor:
            cursor.execute(
                f"SELECT coalesce({COLUMN}, 'none'), count(*) FROM {expansion.table} GROUP BY 1"
            )
            return dict(cursor.fetchall())
    finally:
        link.close()


def unmarked(database_url: str, expansion: Expansion, keys: Sequence[str]) -> int:
    """How many of these rows, which the next version made, do not bear its mark."""
    link = psycopg2.connect(database_url)
    try:
        with link, link.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FROM {expansion.table}"
                f" WHERE {expansion.key}::text = ANY(%s) AND {COLUMN} = 'next'",
                (list(keys),),
            )
            return len(set(keys)) - cursor.fetchone()[0]
    finally:
        link.close()


def environment_of_this_process(settings: dict[str, str]) -> None:
    """The town and the rehearsed versions are told the same."""
    os.environ.update(settings)
