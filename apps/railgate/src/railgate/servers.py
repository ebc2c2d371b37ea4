"""
Real PostgreSQL and Valkey for one machine, without root and without Docker.

They listen on 127.0.0.1 only, ask for a password, and end with the program that
started them. A server that is given (DATABASE_URL, REDIS_URL) is used as it is and
never started, stopped or configured.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from railgate import children, databases, programs
from railgate.launching import (
    POLL_SECONDS,
    START_SECONDS,
    STOP_SECONDS,
    DataFolderBroken,
    Server,
    ServerFailed,
    kept_password,
)
from railgate.programs import Identity

ADMIN = "postgres"
INITDB_OPTIONS = ("--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256")
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "jit": "off",
}
# A killed server still keeps what it has written; only a machine that loses power does not.
QUICK_AND_UNSAFE = {"fsync": "off", "full_page_writes": "off"}
VALKEY_SETTINGS = (
    "bind 127.0.0.1",
    'save ""',
    "appendonly no",
    "maxmemory 256mb",
    "maxmemory-policy allkeys-lru",
)


class PostgresServer(Server):
    """
    One PostgreSQL with its data in `folder`; `for_tests` trades durability for speed.

    `given_url` is a server to use instead: DATABASE_URL by default, except in tests,
    which may kill what they use.
    """

    name = "PostgreSQL"
    stop_signal = signal.SIGINT

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        for_tests: bool = False,
        *,
        given_url: str | None = None,
    ) -> None:
        given = given_url or (None if for_tests else os.environ.get("DATABASE_URL"))
        super().__init__(folder, port, given)
        self.for_tests = for_tests
        self._home = self.folder / "cluster"
        self._borrowed_home: Path | None = None

    @property
    def admin_url(self) -> str:
        """The superuser on database postgres, or the given address as it is."""
        return self.given_url or self.url("postgres")

    def url(self, database: str, role: str | None = None, password: str | None = None) -> str:
        """Give the address of a database for a role; for the superuser where none is named."""
        base = self.given_url
        if base is None:
            base = f"postgresql://{ADMIN}:{self._password}@127.0.0.1:{self.port}/"
        return databases.with_login(base, database, role, password)

    def create_database(
        self,
        name: str,
        *,
        owner: str | None = None,
        password: str | None = None,
        template: str | None = None,
    ) -> str:
        """
        Make a database that only its owner may enter, and give its address.

        Repeatable: what is there stays, and the role gets the password of this call.
        """
        with databases.connected(self.admin_url) as asking:
            if owner is not None:
                databases.ensure_role(asking, owner, password)
            databases.ensure_database(asking, name, owner, template)
        return self.url(name, owner, password)

    def drop_database(self, name: str) -> None:
        with databases.connected(self.admin_url) as asking:
            databases.drop_database(asking, name)

    def stop(self) -> None:
        super().stop()
        if self._borrowed_home is not None:
            shutil.rmtree(self._borrowed_home, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _prepare(self) -> None:
        self._bin = self._choose_programs()
        self._identity = self._choose_identity()
        is_new = not self._data.exists()
        self._password = kept_password(self.folder / "admin_password", may_be_new=is_new)
        if is_new:
            self._make_cluster()
        self._disown_stale_lock()

    def _launch(self) -> None:
        super()._launch()
        with databases.connected(self.admin_url) as asking:
            databases.close_common_databases(asking)

    def _choose_programs(self) -> Path:
        """Prefer the programs of the version that wrote the data."""
        folders = list(programs.postgres_folders())
        if not folders:
            raise ServerFailed(
                "No PostgreSQL runs on this machine: the wheel has none for it. "
                "Install the distribution's postgresql package, or set DATABASE_URL."
            )
        if not self._data.exists():
            return folders[0]
        wanted = (self._data / "PG_VERSION").read_text().strip()
        for folder in folders:
            if programs.postgres_major(folder) == wanted:
                return folder
        raise DataFolderBroken(
            f"{self._data} was written by PostgreSQL {wanted}, which is not installed here."
        )

    def _choose_identity(self) -> Identity:
        """Find a user who may run the server, and make the files his."""
        for home in self._homes():
            home.mkdir(mode=0o700, exist_ok=True)
            for identity in programs.postgres_identities(home):
                is_his = programs.give_to(identity, home)
                if is_his and programs.can_run(identity, self._bin / "postgres", home):
                    self._home = home
                    return identity
        raise ServerFailed(
            f"PostgreSQL refuses to run as root, and no other user can reach {self._home} and "
            f"{self._bin}. Move the project to a folder that others can read, start it as a "
            "plain user, or set DATABASE_URL."
        )

    def _homes(self) -> Iterator[Path]:
        """Tests run by root keep their files in closed folders: lend them an open one."""
        yield self._home
        if self.for_tests:
            self._borrowed_home = Path(tempfile.mkdtemp(prefix="railgate-"))
            yield self._borrowed_home

    def _make_cluster(self) -> None:
        """Make the cluster beside its place and move it there whole: half a one never counts."""
        fresh = self._home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password_file = self._home / "password"
        password_file.write_text(self._password)
        os.chown(password_file, self._identity.uid, self._identity.gid)
        options = [*INITDB_OPTIONS, f"--username={ADMIN}", f"--pwfile={password_file}"]
        if self.for_tests:
            options.append("--no-sync")
        made = self._run("initdb", "-D", fresh, *options).wait(START_SECONDS)
        password_file.unlink()
        if made != 0:
            raise ServerFailed(f"initdb failed. It says: {children.last_lines(self.log)}")
        fresh.rename(self._data)

    def _disown_stale_lock(self) -> None:
        """
        Settle what a killed predecessor left: we hold the folder, so nobody else runs on it.

        A postmaster still ending is waited for. Where its number now belongs to a
        stranger, PostgreSQL would refuse; with our own number in the file it does
        not, and still looks whether the old shared memory is in use.
        """
        lock = self._data / "postmaster.pid"
        try:
            lines = lock.read_text().splitlines() or [""]
        except FileNotFoundError:
            return
        pid = int(lines[0]) if lines[0].isdigit() else 0
        if pid and command_line_names(pid, self._data):
            end_postmaster(pid, self._data)
        with contextlib.suppress(FileNotFoundError):
            lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    def _spawn(self) -> "subprocess.Popen[bytes]":
        settings = POSTGRES_SETTINGS | (QUICK_AND_UNSAFE if self.for_tests else {})
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return self._run("postgres", "-D", self._data, "-p", str(self.port), *options)

    def _run(self, program: str, *words: str | Path) -> "subprocess.Popen[bytes]":
        another = self._identity.is_another_user
        return children.spawn(
            self._identity.command(self._bin / program, *words),
            environment={k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))},
            folder=self._home,
            user=self._identity.uid if another else None,
            group=self._identity.gid if another else None,
            log=self.log,
            death_signal=self.stop_signal,
        )

    def _check(self) -> None:
        try:
            with databases.connected(self.admin_url) as asking:
                asking.execute("SELECT 1")
        except psycopg2.OperationalError as error:
            reason = str(error).strip()
            raise ServerFailed(f"PostgreSQL does not answer: {reason}") from error


class ValkeyServer(Server):
    """
    One Valkey (or Redis) that starts empty: nothing of value may live only there.

    `given_url` is a server to use instead: REDIS_URL by default, except in tests.
    """

    name = "Valkey"
    stop_signal = signal.SIGTERM

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        for_tests: bool = False,
        *,
        given_url: str | None = None,
    ) -> None:
        given = given_url or (None if for_tests else os.environ.get("REDIS_URL"))
        super().__init__(folder, port, given)

    @property
    def url(self) -> str:
        return self.given_url or f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def _prepare(self) -> None:
        self._password = kept_password(self.folder / "password", may_be_new=True)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        program = programs.valkey_program()
        if program is None:
            raise ServerFailed(
                "No Valkey runs on this machine: the wheel has none for it. "
                "Install the distribution's redis-server package, or set REDIS_URL."
            )
        own = (f"port {self.port}", f'dir "{self.folder}"', f"requirepass {self._password}")
        settings = "\n".join([*VALKEY_SETTINGS, *own]).encode()
        return children.spawn([program, "-"], stdin=settings, log=self.log)

    def _check(self) -> None:
        try:
            once = Retry(NoBackoff(), 0)
            client = redis.Redis.from_url(self.url, socket_timeout=2, retry=once)
            with contextlib.closing(client):
                client.ping()
        except redis.RedisError as error:
            raise ServerFailed(f"Valkey does not answer: {error}") from error


def command_line_names(pid: int, path: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(path) in words


def end_postmaster(pid: int, data: Path) -> None:
    """A zombie that nobody collects has no command line, and counts as ended."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not command_line_names(pid, data):
                return
            time.sleep(POLL_SECONDS)
