"""
A service's worker: a few loops side by side, each in a thread of its own, so that a slow mail
server holds up mails and nothing else. SIGTERM lets each finish what it has in hand.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Flask

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loop:
    """`work` returns how much it did: after some it is called at once again, else it rests."""

    name: str
    work: Callable[[], int]
    rest_seconds: float = 1.0


class Heartbeat:
    """
    A file as old as the loop that is longest overdue: one that hangs shows, whatever the others
    do. A loop that rests is due when its rest ends, which may be in the future.
    """

    def __init__(self, path: Path, loops: list[Loop]) -> None:
        self._path, self._lock = path, threading.Lock()
        self._due_epoch_seconds = dict.fromkeys((loop.name for loop in loops), time.time())
        # A worker before this one, in the same pod, may have left its own.
        path.unlink(missing_ok=True)

    def beat(self, loop: Loop, *, rest_seconds: float) -> None:
        with self._lock:
            self._due_epoch_seconds[loop.name] = time.time() + rest_seconds
            due = min(self._due_epoch_seconds.values())
            if not self._path.exists():
                self._path.touch()
            os.utime(self._path, (due, due))


def run_worker(app: Flask, loops: list[Loop]) -> None:
    """
    Run until SIGTERM or SIGINT. WORKER_HEARTBEAT names a file for a liveness probe, there from
    the first round on.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    path = os.environ.get("WORKER_HEARTBEAT")
    heartbeat = Heartbeat(Path(path), loops) if path else None
    threads = [
        threading.Thread(target=_turn, args=(app, loop, stop, heartbeat), name=loop.name)
        for loop in loops
    ]
    for thread in threads:
        thread.start()
    _log.info("worker of %s is running: %s", app.name, ", ".join(loop.name for loop in loops))
    stop.wait()
    for thread in threads:
        thread.join(timeout=20)


def _turn(app: Flask, loop: Loop, stop: threading.Event, heartbeat: Heartbeat | None) -> None:
    while not stop.is_set():
        done = 0
        try:
            with app.app_context():
                done = loop.work()
        except Exception:  # noqa: BLE001 - the loop outlives whatever fails in it
            _log.exception("%s failed and will be tried again", loop.name)
        rest_seconds = 0.0 if done else loop.rest_seconds
        if heartbeat is not None:
            heartbeat.beat(loop, rest_seconds=rest_seconds)
        stop.wait(rest_seconds)
