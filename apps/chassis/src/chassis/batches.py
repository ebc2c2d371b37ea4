"""
What requests leave behind is written in batches, by a thread beside them: a system call and a
mapped file for each request cost more than the whole of a refusal.

A graceful stop writes the rest; a process that is killed loses the last tenth of a second.
"""

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
REST_SECONDS = 0.1
# A process that is starved of time for its writer does not grow: the requests write themselves.
WAITING_MAX = 5_000
_log = logging.getLogger(__name__)


class Batch(Generic[T]):
    """`write` is given what was added since the last time, in order, by one thread at a time."""

    def __init__(self, write: Callable[[list[T]], None]) -> None:
        self._write = write
        self._waiting: deque[T] = deque()
        self._writing = threading.Lock()
        _writer.batches.add(self)

    def add(self, item: T) -> None:
        self._waiting.append(item)
        if not _writer.is_running:
            _writer.start()
        if len(self._waiting) > WAITING_MAX:
            self.flush()

    def flush(self) -> None:
        with self._writing:
            items = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if items:
                try:
                    self._write(items)
                except Exception:  # noqa: BLE001 - what is noted about requests breaks none
                    _log.exception("%s notes were not written", len(items))

    def forget(self) -> None:
        """A forked child leaves to its parent what the parent had not yet written."""
        self._waiting.clear()
        self._writing = threading.Lock()


class _Writer:
    def __init__(self) -> None:
        self.is_running = False
        self.batches: weakref.WeakSet[Batch[Any]] = weakref.WeakSet()
        self._starting = threading.Lock()

    def start(self) -> None:
        with self._starting:
            if not self.is_running:
                self.is_running = True
                threading.Thread(target=self._run, name="batches", daemon=True).start()

    def after_fork(self) -> None:
        """Threads do not survive a fork, and a lock may have been held by one."""
        self.is_running = False
        self._starting = threading.Lock()
        for batch in self.batches:
            batch.forget()

    def _run(self) -> None:
        while True:
            time.sleep(REST_SECONDS)
            flush_batches()


def flush_batches() -> None:
    """Write what waits now: before the numbers are read, and when the process ends."""
    for batch in list(_writer.batches):
        batch.flush()


_writer = _Writer()
os.register_at_fork(after_in_child=_writer.after_fork)
atexit.register(flush_batches)
