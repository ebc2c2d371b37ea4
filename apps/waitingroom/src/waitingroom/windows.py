"""
The windows as this process knows them, a fraction of a second old. While PostgreSQL does not
answer, what is known goes on being used: people in the line notice nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chassis.problems import NotFound
from waitingroom.window import Window

# How soon one may look again who was told no by what this process knew.
LOOK_AGAIN_SECONDS = 0.05
_log = logging.getLogger(__name__)


class WindowNotFound(NotFound):
    code, title = "window_not_found", "There is no such waiting room."


class Windows:
    """One read gives all windows: they are few, and everybody asks for the same."""

    def __init__(self, read: Callable[[], list[Window]], *, fresh_seconds: float) -> None:
        self._read = read
        self._fresh_seconds = fresh_seconds
        self._known: Mapping[UUID, Window] | None = None
        self._read_at = float("-inf")
        self._lock = threading.Lock()

    def all(self) -> list[Window]:
        return list(self._fresh(self._fresh_seconds).values())

    def get(self, window_id: UUID) -> Window:
        """
        Raises:
            WindowNotFound: there is none, or it closed long ago.
        """
        known = self._fresh(self._fresh_seconds)
        if window_id not in known:
            # After an idle hour what this process knew may be older than the window.
            known = self._fresh(LOOK_AGAIN_SECONDS)
        return self._of(known, window_id)

    def again(self, window_id: UUID) -> Window:
        """As `get`, as fresh as can be without asking PostgreSQL for each caller."""
        return self._of(self._fresh(LOOK_AGAIN_SECONDS), window_id)

    def forget(self) -> None:
        """What was just written shall be read."""
        self._read_at = float("-inf")

    def _of(self, known: Mapping[UUID, Window], window_id: UUID) -> Window:
        if window_id not in known:
            raise WindowNotFound
        return known[window_id]

    def _fresh(self, seconds: float) -> Mapping[UUID, Window]:
        """One thread reads; the others use what is stale, or wait where there is nothing."""
        known = self._known
        if known is not None and time.monotonic() - self._read_at < seconds:
            return known
        if known is not None and seconds == self._fresh_seconds and self._lock.locked():
            return known
        with self._lock:
            if self._known is None or time.monotonic() - self._read_at >= seconds:
                self._known = self._read_or_keep()
            return self._known

    def _read_or_keep(self) -> Mapping[UUID, Window]:
        began = time.monotonic()
        try:
            found = {window.window_id: window for window in self._read()}
        except (DBAPIError, PoolTimeout) as error:
            if self._known is None:
                raise
            _log.warning("windows are used as they were: %s", type(error).__name__)
            found = dict(self._known)
        self._read_at = began
        return found
