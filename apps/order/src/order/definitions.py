"""
The runs that order knows, kept in the process: a version of a definition never changes, so what is
asked again, now and then, is only which runs have a newer one: once for all of them.
"""

import threading
import time
from dataclasses import dataclass
from uuid import UUID

from chassis.peers import PeerUnavailable
from chassis.problems import Problem
from order.clients.ticket import TicketClient
from order.run import Run, parse_run

UNKNOWN_SECONDS = 2.0
KEPT_MAX = 4_000
CHANGES_A_PAGE = 500


class RunNotFound(Problem):
    status, code, title = 404, "run_not_found", "There is no such run."


@dataclass
class _Kept:
    run: Run | None
    etag: str
    fresh_until: float


class Definitions:
    """
    `get` gives the run's current definition, at most `fresh_seconds` old. While the catalogue
    does not answer, what is known goes on being used: sales do not stop with it.
    """

    def __init__(self, client: TicketClient, *, fresh_seconds: float) -> None:
        self._client = client
        self._fresh_seconds = fresh_seconds
        self._kept: dict[UUID, _Kept] = {}
        self._locks: dict[UUID, threading.Lock] = {}
        self._guard = threading.Lock()
        # The newest version of each run that changed, up to the cursor; and how long that holds.
        self._versions: dict[UUID, int] = {}
        self._cursor = 0
        self._current_until = 0.0
        self._catching_up = threading.Lock()

    def get(self, run_id: UUID) -> Run:
        """
        Raises:
            RunNotFound: the catalogue has no such run.
            PeerUnavailable: the run is unknown here and the catalogue does not answer.
        """
        kept = self._kept.get(run_id)
        if kept is None or not (kept.fresh_until > time.monotonic() or self._is_current(kept)):
            kept = self._refresh(run_id, kept)
        if kept.run is None:
            raise RunNotFound
        return kept.run

    def _is_current(self, kept: _Kept) -> bool:
        """While one thread asks for what has changed, the others go on with what they know."""
        if kept.run is None or not self._fresh_seconds:
            return False
        if self._current_until <= time.monotonic() and self._catching_up.acquire(blocking=False):
            try:
                self._catch_up()
            finally:
                self._catching_up.release()
        return kept.run.version >= self._versions.get(kept.run.run_id, 0)

    def _catch_up(self) -> None:
        """Cursors become visible in their order, so nothing is missed."""
        while self._current_until <= time.monotonic():
            try:
                changes = self._client.changes(after=self._cursor, limit=CHANGES_A_PAGE)
            except PeerUnavailable:
                self._current_until = time.monotonic() + UNKNOWN_SECONDS
                return
            for change in changes:
                self._versions[change.run_id] = change.version
                self._cursor = change.cursor
            if len(changes) < CHANGES_A_PAGE:
                self._current_until = time.monotonic() + self._fresh_seconds

    def _refresh(self, run_id: UUID, stale: _Kept | None) -> _Kept:
        """One thread asks; the others use what is stale, or wait where there is nothing."""
        lock = self._lock_of(run_id)
        if stale is not None and stale.run is not None and lock.locked():
            return stale
        with lock:
            kept = self._kept.get(run_id)
            if kept is not None and kept.fresh_until > time.monotonic():
                return kept
            kept = self._fetch(run_id, kept)
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[run_id] = kept
            return kept

    def _fetch(self, run_id: UUID, stale: _Kept | None) -> _Kept:
        known = stale if stale is not None and stale.run is not None else None
        try:
            answer = self._client.definition(run_id, etag=known.etag if known else "")
        except PeerUnavailable:
            if known is None:
                raise
            return _Kept(known.run, known.etag, time.monotonic() + UNKNOWN_SECONDS)
        fresh_until = time.monotonic() + self._fresh_seconds
        if answer is None:
            return _Kept(None, "", time.monotonic() + UNKNOWN_SECONDS)
        if answer.definition is None and known is not None:
            return _Kept(known.run, known.etag, fresh_until)
        return _Kept(parse_run(answer.definition or {}), answer.etag, fresh_until)

    def _lock_of(self, run_id: UUID) -> threading.Lock:
        with self._guard:
            if len(self._locks) >= KEPT_MAX:
                self._locks.clear()
            return self._locks.setdefault(run_id, threading.Lock())
