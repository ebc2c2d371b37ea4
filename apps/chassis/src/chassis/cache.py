"""
Redis as an accelerator that may vanish at any moment: each use names what happens without it.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import redis

from chassis.problems import Problem

T = TypeVar("T")
TIMEOUT_SECONDS = 0.25
PAUSE_SECONDS = 1.0
PAUSE_SECONDS_AFTER_A_TIMEOUT = 0.25
_log = logging.getLogger(__name__)


class SoftRedis:
    """
    Calls that fail give the fallback. After a failure nobody asks for a second, so that a dead
    Redis costs one time-out a second and process, not one a request. One slow answer says less:
    the pause begins at a quarter of that and doubles with each time-out in a row.
    """

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=redis.retry.Retry(redis.backoff.NoBackoff(), 1),
            health_check_interval=0,
        ) if url else None  # fmt: skip
        self._paused_until = 0.0
        self._timeouts = 0

    def call(self, use: Callable[["redis.Redis"], T], fallback: T) -> T:
        if self._client is None or time.monotonic() < self._paused_until:
            return fallback
        try:
            found = use(self._client)
        except redis.RedisError as error:
            self._pause(error)
            return fallback
        self._timeouts = 0
        return found

    def _pause(self, error: redis.RedisError) -> None:
        seconds = PAUSE_SECONDS
        if isinstance(error, redis.TimeoutError):
            seconds = min(PAUSE_SECONDS_AFTER_A_TIMEOUT * 2**self._timeouts, PAUSE_SECONDS)
            self._timeouts += 1
        self._paused_until = time.monotonic() + seconds
        _log.warning("redis is passed over for %s s: %s", seconds, error)

    def ping(self) -> None:
        if self._client is not None:
            self._client.ping()


class TooManyRequests(Problem):
    status, code, title = 429, "too_many_requests", "Please wait a little and try again."

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(
            f"This is possible again in {wait_seconds} seconds.",
            headers={"Retry-After": str(wait_seconds)},
        )


class Throttle:
    """
    At most `limit` events a window and key, counted in Redis; without Redis each process counts
    for itself, which is laxer but never open.
    """

    def __init__(self, soft_redis: SoftRedis) -> None:
        self._redis = soft_redis
        self._local: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def count(self, key: str, *, limit: int, window_seconds: int, now: float) -> None:
        """
        Count one event.

        Raises:
            TooManyRequests: it is above the limit, with the seconds until the window ends.
        """
        self.count_each({key: limit}, window_seconds=window_seconds, now=now)

    def count_each(self, limits: Mapping[str, int], *, window_seconds: int, now: float) -> None:
        """
        Count one event under several keys, in one question to Redis.

        Raises:
            TooManyRequests: it is above one of the limits.
        """
        window = int(now // window_seconds)
        keys = [f"throttle:{key}:{window}" for key in limits]
        counted = self._redis.call(lambda client: _count(client, keys, window_seconds), None)
        if counted is None:
            counted = [self._count_here(key, window) for key in limits]
        if any(count > limit for count, limit in zip(counted, limits.values(), strict=True)):
            raise TooManyRequests(int((window + 1) * window_seconds - now) + 1)

    def _count_here(self, key: str, window: int) -> int:
        with self._lock:
            if len(self._local) > 10_000:
                self._local.clear()
            self._local[key, window] = self._local.get((key, window), 0) + 1
            return self._local[key, window]


def _count(client: Any, keys: list[str], window_seconds: int) -> list[int]:
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.incr(key).expire(key, window_seconds)
        return [int(counted) for counted in pipe.execute()[::2]]
