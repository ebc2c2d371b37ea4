"""
Snapshots of runs, shared: one query builds what every process and thread uses for a moment.

A process keeps a snapshot for a fraction of a second, Redis shares it for a second at most, and
one builder works at a time; meanwhile the others go on with one that is only just over. Where it is
known that the run's claims have not changed since (`order.claim_changes`), both keep it for up to
twenty seconds, so that the cost of a refusal does not grow with the number of runs asked for.
Without Redis each process builds its own, as often as it must: slower, never wrong.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from chassis.cache import SoftRedis
from order.claim_changes import ClaimChanges, Position
from order.snapshot import LiveClaim, Snapshot

BUILD_SECONDS_MAX = 0.5
POLL_SECONDS = 0.02
KEPT_MAX = 4_000


class _Kept(NamedTuple):
    """Good until `fresh_until` whatever others claim; until `good_until` where nothing happens."""

    snapshot: Snapshot
    position: Position | None
    fresh_until: float
    good_until: float


class _Shared(NamedTuple):
    snapshot: Snapshot
    position: Position | None
    age_seconds: float


class Snapshots:
    """
    `build` runs the one query: the live claims of a run. `longest_seconds` is how long a snapshot
    lives where nothing happens; at 0 nobody listens for changes.
    """

    def __init__(
        self,
        soft_redis: SoftRedis,
        build: Callable[[UUID], list[LiveClaim]],
        *,
        local_seconds: float,
        shared_seconds: float,
        longest_seconds: float = 0.0,
    ) -> None:
        self._redis = soft_redis
        self._build = build
        self._local_seconds = local_seconds
        self._shared_seconds = shared_seconds
        self._longest_seconds = longest_seconds
        self._changes = ClaimChanges(soft_redis)
        self._kept: dict[UUID, _Kept] = {}
        self._locks: dict[UUID, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, run_id: UUID) -> Snapshot:
        if self._longest_seconds:
            self._changes.keep_reading()
        kept, now = self._kept.get(run_id), time.monotonic()
        if kept is not None and self._is_good(run_id, kept, now):
            return kept.snapshot
        lock = self._lock_of(run_id)
        is_just_over = kept is not None and kept.fresh_until + self._shared_seconds > now
        if kept is not None and is_just_over and lock.locked():
            return kept.snapshot
        with lock:
            return self._refresh(run_id)

    def fresh(self, run_id: UUID) -> Snapshot:
        """Build a new one now: for who lost a race for seats that looked free."""
        position = self._changes.position()
        snapshot = Snapshot(time.time(), self._build(run_id))
        self._keep(run_id, snapshot, position, 0.0)
        return snapshot

    def add(self, run_id: UUID, claims: list[LiveClaim]) -> None:
        """Seats were claimed: here it is seen at once, elsewhere soon."""
        kept = self._kept.get(run_id)
        if kept is not None:
            kept.snapshot.add(claims)
        self.note_claimed(run_id)

    def note_claimed(self, run_id: UUID) -> None:
        """Claims last longer than others may think: they were pinned or sold."""
        if self._longest_seconds:
            self._changes.note_claimed(run_id)

    def forget(self, run_id: UUID) -> None:
        """Seats were given back: the next reader, here or elsewhere, shall see it."""
        self._kept.pop(run_id, None)
        self._redis.call(lambda client: client.delete(_key(run_id)), None)
        if self._longest_seconds:
            self._changes.note_freed(run_id)

    def _is_good(self, run_id: UUID, kept: _Kept, now: float) -> bool:
        if now < kept.fresh_until:
            return not self._changes.is_freed_since(run_id, kept.position)
        return now < kept.good_until and not self._changes.is_changed_since(run_id, kept.position)

    def _refresh(self, run_id: UUID) -> Snapshot:
        kept = self._kept.get(run_id)
        if kept is not None and self._is_good(run_id, kept, time.monotonic()):
            return kept.snapshot
        shared = self._shared(run_id) or self._build_for_all(run_id)
        self._keep(run_id, *shared)
        return shared.snapshot

    def _keep(
        self, run_id: UUID, snapshot: Snapshot, position: Position | None, age_seconds: float
    ) -> None:
        if len(self._kept) >= KEPT_MAX:
            self._kept.clear()
        now = time.monotonic()
        good_until = now - age_seconds + self._longest_seconds
        self._kept[run_id] = _Kept(snapshot, position, now + self._local_seconds, good_until)

    def _shared(self, run_id: UUID) -> _Shared | None:
        """One of the last second, or one since which nothing happened; none if seats were freed."""
        found: Any = self._redis.call(lambda client: _ask(client, run_id), None)
        if found is None or found[0] is None:
            return None
        snapshot, position = _decoded(found[0])
        age_seconds = self._shared_life_seconds - found[1] / 1000
        if self._changes.is_freed_since(run_id, position):
            return None
        is_young = age_seconds <= self._shared_seconds
        if not is_young and self._changes.is_changed_since(run_id, position):
            return None
        return _Shared(snapshot, position, age_seconds)

    @property
    def _shared_life_seconds(self) -> float:
        return max(self._longest_seconds, self._shared_seconds)

    def _build_for_all(self, run_id: UUID) -> _Shared:
        """Build, unless another process is at it: then its result is awaited for a moment."""
        if not self._redis.call(lambda client: _begin_building(client, run_id), fallback=True):
            deadline = time.monotonic() + BUILD_SECONDS_MAX
            while time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
                shared = self._shared(run_id)
                if shared is not None:
                    return shared
        position = self._changes.position()
        snapshot = Snapshot(time.time(), self._build(run_id))
        raw = _encoded(snapshot, position)
        milliseconds = int(self._shared_life_seconds * 1000)
        self._redis.call(lambda client: _publish(client, run_id, raw, milliseconds), None)
        return _Shared(snapshot, position, 0.0)

    def _lock_of(self, run_id: UUID) -> threading.Lock:
        with self._guard:
            if len(self._locks) >= KEPT_MAX:
                self._locks.clear()
            return self._locks.setdefault(run_id, threading.Lock())


def _key(run_id: UUID) -> str:
    return f"order:live-claims:{run_id}"


def _ask(client: Any, run_id: UUID) -> Any:
    """The age is told by Redis's clock: those of the builders may differ."""
    with client.pipeline(transaction=False) as pipe:
        return pipe.get(_key(run_id)).pttl(_key(run_id)).execute()


def _begin_building(client: Any, run_id: UUID) -> bool:
    key = f"order:snapshot-building:{run_id}"
    return bool(client.set(key, 1, nx=True, px=int(BUILD_SECONDS_MAX * 1000)))


def _publish(client: Any, run_id: UUID, raw: bytes, milliseconds: int) -> None:
    with client.pipeline(transaction=False) as pipe:
        pipe.set(_key(run_id), raw, px=milliseconds)
        pipe.delete(f"order:snapshot-building:{run_id}")
        pipe.execute()


def _encoded(snapshot: Snapshot, position: Position | None) -> bytes:
    return orjson.dumps([snapshot.as_of, snapshot.claims, position], default=list)


def _decoded(raw: bytes) -> tuple[Snapshot, Position | None]:
    as_of, claims, position = orjson.loads(raw)
    snapshot = Snapshot(as_of, [LiveClaim(*claim) for claim in claims])
    return snapshot, None if position is None else Position(*position)
