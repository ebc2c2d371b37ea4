"""
Snapshots of runs, shared: one query builds what every process and thread uses for a moment.

A process keeps a snapshot for a fraction of a second, Redis shares it for a second at most, and
one builder works at a time; meanwhile the others go on with one that is only just over. Without
Redis each process builds its own: slower, never wrong.
"""

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson

from chassis.cache import SoftRedis
from order.snapshot import LiveClaim, Snapshot

BUILD_SECONDS_MAX = 0.5
POLL_SECONDS = 0.02
KEPT_MAX = 2_000


class Snapshots:
    """`build` runs the one query: the live claims of a run."""

    def __init__(
        self,
        soft_redis: SoftRedis,
        build: Callable[[UUID], list[LiveClaim]],
        *,
        local_seconds: float,
        shared_seconds: float,
    ) -> None:
        self._redis = soft_redis
        self._build = build
        self._local_seconds = local_seconds
        self._shared_seconds = shared_seconds
        self._kept: dict[UUID, tuple[float, Snapshot]] = {}
        self._locks: dict[UUID, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, run_id: UUID) -> Snapshot:
        kept = self._kept.get(run_id)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        lock = self._lock_of(run_id)
        is_just_over = kept is not None and kept[0] + self._shared_seconds > time.monotonic()
        if kept is not None and is_just_over and lock.locked():
            return kept[1]
        with lock:
            return self._refresh(run_id)

    def fresh(self, run_id: UUID) -> Snapshot:
        """Build a new one now: for who lost a race for seats that looked free."""
        snapshot = Snapshot(time.time(), self._build(run_id))
        self._keep(run_id, snapshot)
        return snapshot

    def add(self, run_id: UUID, claims: list[LiveClaim]) -> None:
        kept = self._kept.get(run_id)
        if kept is not None:
            kept[1].add(claims)

    def forget(self, run_id: UUID) -> None:
        """Seats were given back: the next reader, here or elsewhere, shall see it."""
        self._kept.pop(run_id, None)
        self._redis.call(lambda client: client.delete(_key(run_id)), None)

    def _refresh(self, run_id: UUID) -> Snapshot:
        kept = self._kept.get(run_id)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        snapshot = self._shared(run_id) or self._build_for_all(run_id)
        self._keep(run_id, snapshot)
        return snapshot

    def _keep(self, run_id: UUID, snapshot: Snapshot) -> None:
        if len(self._kept) >= KEPT_MAX:
            self._kept.clear()
        self._kept[run_id] = (time.monotonic() + self._local_seconds, snapshot)

    def _shared(self, run_id: UUID) -> Snapshot | None:
        raw: Any = self._redis.call(lambda client: client.get(_key(run_id)), None)
        return None if raw is None else _decoded(raw)

    def _build_for_all(self, run_id: UUID) -> Snapshot:
        """Build, unless another process is at it: then its result is awaited for a moment."""
        if not self._redis.call(lambda client: _begin_building(client, run_id), fallback=True):
            deadline = time.monotonic() + BUILD_SECONDS_MAX
            while time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
                snapshot = self._shared(run_id)
                if snapshot is not None:
                    return snapshot
        snapshot = Snapshot(time.time(), self._build(run_id))
        raw = _encoded(snapshot)
        milliseconds = int(self._shared_seconds * 1000)
        self._redis.call(lambda client: _publish(client, run_id, raw, milliseconds), None)
        return snapshot

    def _lock_of(self, run_id: UUID) -> threading.Lock:
        with self._guard:
            if len(self._locks) >= KEPT_MAX:
                self._locks.clear()
            return self._locks.setdefault(run_id, threading.Lock())


def _key(run_id: UUID) -> str:
    return f"order:snapshot:{run_id}"


def _begin_building(client: Any, run_id: UUID) -> bool:
    key = f"order:snapshot-building:{run_id}"
    return bool(client.set(key, 1, nx=True, px=int(BUILD_SECONDS_MAX * 1000)))


def _publish(client: Any, run_id: UUID, raw: bytes, milliseconds: int) -> None:
    with client.pipeline(transaction=False) as pipe:
        pipe.set(_key(run_id), raw, px=milliseconds)
        pipe.delete(f"order:snapshot-building:{run_id}")
        pipe.execute()


def _encoded(snapshot: Snapshot) -> bytes:
    return orjson.dumps([snapshot.as_of, snapshot.claims], default=list)


def _decoded(raw: bytes) -> Snapshot:
    as_of, claims = orjson.loads(raw)
    return Snapshot(as_of, [LiveClaim(*claim) for claim in claims])
