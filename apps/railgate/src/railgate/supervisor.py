"""Starts the programs of a table, keeps them running, and ends them together."""

import http
import http.client
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from railgate import children
from railgate.launching import Server, ServerFailed
from railgate.town import Program

READY_SECONDS = 90.0
PREPARE_SECONDS = 600.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.1
WATCH_SECONDS = 0.2
BACKOFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
# Who lived this long is healthy: his next death is a first one.
HEALTHY_SECONDS = 30.0
LOG_BYTES_MAX = 20_000_000


class ProgramFailed(Exception):
    """A program does not come up; the message ends with what its log says."""


@dataclass
class Kept:
    """A program that should be running."""

    program: Program
    child: "subprocess.Popen[bytes]"
    started_at: float
    deaths: int = 0
    again_at: float | None = None


class Supervisor:
    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self.logs = logs
        self.say = say
        self.pids_changed = False
        self._kept: list[Kept] = []
        self._servers: list[Server] = []

    @property
    def pids(self) -> dict[str, int]:
        programs = {kept.program.name: kept.child.pid for kept in self._kept}
        servers = {s.name.lower(): s.pid for s in self._servers if s.given_url is None}
        return servers | programs

    def watch_server(self, server: Server) -> None:
        self._servers.append(server)

    def start(self, programs: Sequence[Program]) -> None:
        """
        Start all at once and wait until each is ready.

        Raises:
            ProgramFailed: one ended, or is not ready in time.
        """
        waiting = [Kept(p, self._spawn(p), time.monotonic()) for p in programs]
        self._kept += waiting
        deadline = time.monotonic() + READY_SECONDS
        while waiting := [kept for kept in waiting if not self._is_ready(kept)]:
            if time.monotonic() > deadline:
                raise self._failure(waiting[0].program, "is not ready in time")
            time.sleep(POLL_SECONDS)

    def run_chains(self, chains: Iterable[Sequence[Program]]) -> None:
        """
        Run chains of commands beside each other, the commands of a chain in their order.

        Raises:
            ProgramFailed: a command ended with an error.
        """
        left = [list(chain) for chain in chains if chain]
        running = [(chain, chain.pop(0)) for chain in left]
        links = [(chain, program, self._spawn(program)) for chain, program in running]
        deadline = time.monotonic() + PREPARE_SECONDS
        try:
            while links:
                links = [link for old in links for link in self._next_link(*old)]
                if time.monotonic() > deadline:
                    raise self._failure(links[0][1], "does not end")
                time.sleep(POLL_SECONDS / 4)
        finally:
            stop_together([child for _, _, child in links])

    def watch_once(self) -> None:
        """Look after every program once: say who died, and start him again a little later."""
        for kept in self._kept:
            self._look_after(kept)
        for server in self._servers:
            self._look_after_server(server)

    def stop(self) -> None:
        """End everything, the last started first: nobody asks who is gone already."""
        gateway_first = sorted(self._kept, key=lambda kept: kept.program.name != "gateway")
        self._kept = []
        stop_together([kept.child for kept in gateway_first[:1]])
        stop_together([kept.child for kept in gateway_first[1:]])

    def _next_link(
        self, chain: list[Program], program: Program, child: "subprocess.Popen[bytes]"
    ) -> list[tuple[list[Program], Program, "subprocess.Popen[bytes]"]]:
        ended = child.poll()
        if ended is None:
            return [(chain, program, child)]
        if ended != 0:
            raise self._failure(program, "failed")
        return [(chain, chain[0], self._spawn(chain.pop(0)))] if chain else []

    def _look_after(self, kept: Kept) -> None:
        now = time.monotonic()
        if kept.again_at is not None:
            if now >= kept.again_at:
                kept.again_at, kept.started_at = None, now
                kept.child = self._spawn(kept.program)
                self.pids_changed = True
        elif kept.child.poll() is not None:
            kept.deaths = 0 if now - kept.started_at > HEALTHY_SECONDS else kept.deaths
            pause = BACKOFF_SECONDS[min(kept.deaths, len(BACKOFF_SECONDS) - 1)]
            kept.deaths, kept.again_at = kept.deaths + 1, now + pause
            children.sweep(kept.child)
            self.say(f"{kept.program.name} {ending(kept.child)}: starting it again in {pause} s")

    def _look_after_server(self, server: Server) -> None:
        if server.is_running:
            return
        self.say(f"{server.name} ended: starting it again")
        self.pids_changed = True
        try:
            server.restart()
        except ServerFailed as error:
            self.say(str(error))
            time.sleep(BACKOFF_SECONDS[2])

    def _spawn(self, program: Program) -> "subprocess.Popen[bytes]":
        if program.emptied_folder is not None:
            shutil.rmtree(program.emptied_folder, ignore_errors=True)
            program.emptied_folder.mkdir(parents=True)
        return children.spawn(
            program.command,
            environment=program.environment,
            log=self._log(program),
            niceness=program.niceness,
        )

    def _log(self, program: Program) -> Path:
        log = self.logs / f"{program.name}.log"
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".old"))
        return log

    def _is_ready(self, kept: Kept) -> bool:
        if kept.child.poll() is not None:
            raise self._failure(kept.program, ending(kept.child))
        if kept.program.ready_url is not None:
            return answers_200(kept.program.ready_url)
        return kept.program.port is None or children.port_answers(kept.program.port)

    def _failure(self, program: Program, what: str) -> ProgramFailed:
        log = self._log(program)
        words = " ".join(program.command[1:])
        said = children.last_lines(log, 12) or "nothing"
        return ProgramFailed(f"{program.name} {what} ({words}). {log} ends with:\n{said}")


def stop_together(running: "Sequence[subprocess.Popen[bytes]]") -> None:
    for child in running:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for child in running:
        left = max(0.0, deadline - time.monotonic())
        children.stop(child, how=signal.SIGTERM, seconds=left)


def ending(child: "subprocess.Popen[bytes]") -> str:
    code = child.returncode
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def answers_200(url: str) -> bool:
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.netloc, timeout=2)
    try:
        link.request("GET", parts.path)
        return link.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()
