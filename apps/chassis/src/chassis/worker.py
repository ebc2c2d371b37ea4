"""
A service's worker: a few loops side by side, each in a thread of its own, so that a slow mail
server holds up mails and nothing else. SIGTERM lets each finish what it has in hand.
"""

import logging
import os
import signal
import threading
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


def run_worker(app: Flask, loops: list[Loop]) -> None:
    """
    Run until SIGTERM or SIGINT. WORKER_HEARTBEAT names a file touched after each round,
    for a liveness probe.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threads = [
        threading.Thread(target=_turn, args=(app, loop, stop), name=loop.name) for loop in loops
    ]
    for thread in threads:
        thread.start()
    _log.info("worker of %s is running: %s", app.name, ", ".join(loop.name for loop in loops))
    stop.wait()
    for thread in threads:
        thread.join(timeout=20)


def _turn(app: Flask, loop: Loop, stop: threading.Event) -> None:
    heartbeat = os.environ.get("WORKER_HEARTBEAT")
    while not stop.is_set():
        done = 0
        try:
            with app.app_context():
                done = loop.work()
        except Exception:  # noqa: BLE001 - the loop outlives whatever fails in it
            _log.exception("%s failed and will be tried again", loop.name)
        if heartbeat:
            Path(heartbeat).touch()
        if not done:
            stop.wait(loop.rest_seconds)
