"""Child programs that never outlive the program that started them, and the ports they take."""

import contextlib
import ctypes
import functools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
GROUP_KILL_SECONDS = 5.0
SESSION_TRIES = 30


def spawn(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    user: int | None = None,
    group: int | None = None,
    log: Path | None = None,
    stdin: bytes | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    niceness: int = 0,
) -> subprocess.Popen[bytes]:
    """
    Start a child in a session of its own, so that Ctrl-C reaches only us. The larger its
    `niceness`, the later it gets the processor when there is too little of it.

    When we are killed, the kernel sends the child `death_signal`. It does so when
    the *thread* that started the child ends, so every child is started by one
    thread that lives as long as we do.
    """
    start = functools.partial(
        _popen, [str(word) for word in command], environment, folder, user, group, log
    )
    child = _spawner(os.getpid()).submit(start, death_signal, niceness).result()
    if niceness:
        make_session_nice(child.pid, niceness)
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
            pipe.write(stdin or b"")
    return child


def make_session_nice(pid: int, niceness: int) -> None:
    """
    Where Linux groups processes by session (sched(7), autogroup) it shares the processor among
    sessions first, and a process's own niceness counts within its session only.
    """
    for _ in range(SESSION_TRIES):
        try:
            Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")
        except BlockingIOError:
            # Who is not root may say so ten times a second, all processes together.
            time.sleep(0.1)
        except OSError:
            return
        else:
            return


def stop(child: subprocess.Popen[bytes], *, how: signal.Signals, seconds: float) -> None:
    """Ask the child to end, and end it with its whole group when it does not in time."""
    if child.poll() is None:
        child.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
    sweep(child)


def sweep(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the child's group: a killed gunicorn leaves its workers on the port."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait(GROUP_KILL_SECONDS)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def port_is_taken(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def port_answers(port: int) -> bool:
    with socket.socket() as caller:
        caller.settimeout(0.5)
        return caller.connect_ex(("127.0.0.1", port)) == 0


def port_owner(port: int) -> str:
    """Name the program that listens on the port, as far as /proc lets us look; else ''."""
    inodes = _listening_inodes(port)
    for link in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        with contextlib.suppress(OSError):
            if str(link.readlink()) in inodes:
                return f"{(link.parents[1] / 'comm').read_text().strip()}, {link.parents[1].name}"
    return ""


def last_lines(path: Path, count: int = 5, after: int = 0) -> str:
    """Give the end of a log, of what was written after the byte `after`."""
    try:
        written = path.read_bytes()[after:].decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(written.splitlines()[-count:])


def _listening_inodes(port: int) -> set[str]:
    inodes: set[str] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with contextlib.suppress(OSError):
            rows = [line.split() for line in table.read_text().splitlines()[1:]]
            inodes |= {
                f"socket:[{row[9]}]"
                for row in rows
                if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
            }
    return inodes


@functools.cache
def _spawner(_owner_pid: int) -> ThreadPoolExecutor:
    """One thread for each process: a fork inherits the object but not the thread."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def _popen(
    command: list[str],
    environment: Mapping[str, str] | None,
    folder: Path | None,
    user: int | None,
    group: int | None,
    log: Path | None,
    death_signal: signal.Signals,
    niceness: int,
) -> subprocess.Popen[bytes]:
    with contextlib.ExitStack() as stack:
        output: IO[bytes] | int = subprocess.DEVNULL
        if log is not None:
            output = stack.enter_context(log.open("ab"))
        return subprocess.Popen(
            command,
            env=None if environment is None else dict(environment),
            cwd=folder,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # It only calls a function that was looked up before the fork, so no lock is needed.
            preexec_fn=_before_exec(death_signal, niceness),  # noqa: PLW1509
        )


def _before_exec(death_signal: signal.Signals, niceness: int) -> Callable[[], None]:
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    parent = os.getpid()

    def arm() -> None:
        os.nice(niceness)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, int(death_signal))
            if os.getppid() != parent:
                os._exit(1)

    return arm
