"""
What every server we start has in common: a folder that only one program may use,
a port, a child, and one clear sentence when it does not come up.
"""

import contextlib
import fcntl
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, ClassVar, Self

from railgate import children

START_SECONDS = 60.0
STOP_SECONDS = 15.0
TROUBLE_SECONDS = 6.0
POLL_SECONDS = 0.03
# A postmaster that was just killed keeps its shared memory until its last child is gone.
PASSING_TROUBLE = ("shared memory block", "lock file", "Address already in use")


class ServerFailed(Exception):
    """A server cannot be had here; the message is for the person at the terminal."""


class FolderInUse(ServerFailed):
    """Another program runs a server on this folder."""


class DataFolderBroken(ServerFailed):
    """The server's files are there but cannot be used; starting over is the cure."""


class Server:
    """A child program with a folder, a port and a lock: what both servers have in common."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, folder: Path, port: int | None, given_url: str | None) -> None:
        self.folder = folder.resolve()
        self.port = port or 0
        self.given_url = given_url
        self.log = self.folder / "server.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._password = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_reason: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._running_child().pid

    @property
    def is_running(self) -> bool:
        return self.given_url is not None or (
            self._child is not None and self._child.poll() is None
        )

    def start(self) -> Self:
        """
        Bring the server up and wait until it answers.

        Raises:
            FolderInUse: another program has the folder.
            DataFolderBroken: the files there cannot be used.
            ServerFailed: no such server runs on this machine, or it does not come up.
        """
        if self.given_url is not None:
            self._check()
            return self
        try:
            self._take_folder()
            self._prepare()
            self._launch()
        except OSError as error:
            self.stop()
            raise DataFolderBroken(f"{self.name} cannot use its files: {error}.") from error
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        if self._child is not None:
            children.stop(self._child, how=self.stop_signal, seconds=STOP_SECONDS)
            self._child = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def restart(self) -> None:
        """Stop and start again on the same port; also after somebody killed it."""
        children.stop(self._running_child(), how=self.stop_signal, seconds=STOP_SECONDS)
        self._child = None
        self.start()

    def answers(self) -> bool:
        try:
            self._check()
        except ServerFailed:
            return False
        return True

    def _prepare(self) -> None:
        """Make the files that the server needs before it starts."""

    def _spawn(self) -> "subprocess.Popen[bytes]":
        raise NotImplementedError

    def _check(self) -> None:
        """Raise ServerFailed unless the server answers."""
        raise NotImplementedError

    def _take_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)
        self._lock = self._lock or hold_folder(self.folder)
        self.port = self.port or children.free_port()

    def _running_child(self) -> "subprocess.Popen[bytes]":
        if self._child is None:
            raise ServerFailed(f"{self.name} is not running, or it is not ours.")
        return self._child

    def _launch(self) -> None:
        give_up_at = time.monotonic() + TROUBLE_SECONDS
        while True:
            log_start = self.log.stat().st_size if self.log.exists() else 0
            self._child = self._spawn()
            if wait_until(self.answers, self._child):
                return
            said = children.last_lines(self.log, after=log_start)
            passing = any(trouble in said for trouble in PASSING_TROUBLE)
            if not passing or time.monotonic() > give_up_at:
                raise DataFolderBroken(f"{self.name} does not start. It says: {said or 'nothing'}")
            time.sleep(0.3)


def hold_folder(folder: Path) -> IO[str]:
    """
    Take the folder for this program until the file is closed.

    Raises:
        FolderInUse: another program holds it.
    """
    lock = (folder / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise FolderInUse(
            f"{folder} is in use by a Railgate that is running (process {holder})."
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def kept_password(path: Path, *, may_be_new: bool) -> str:
    """
    Give the password in the file; make one the first time.

    Raises:
        DataFolderBroken: the password of existing files is gone.
    """
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    if not may_be_new:
        raise DataFolderBroken(f"{path} is missing.")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(24))
    return path.read_text()


def wait_until(is_true: Callable[[], bool], child: "subprocess.Popen[bytes]") -> bool:
    """Wait for the child's service; False when the child has ended or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if is_true():
            return True
        if child.poll() is not None:
            return False
        time.sleep(POLL_SECONDS)
    return False
