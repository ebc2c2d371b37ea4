"""
The line's memory: which place an account has, and the late numbers, first come first served.

Redis counts and remembers; PostgreSQL bounds it, so that Redis may be emptied, lost or passed by
and still nobody gets an earlier number than somebody before him:

* Late numbers come in blocks. PostgreSQL notes the end of a block before Redis gives any of it.
* A block is given under a lease. While it lasts only Redis gives numbers; a process that does not
  reach Redis, or finds it empty, refuses for that moment (`numbers_paused`) instead of guessing.
* After the lease whoever comes first goes on above everything noted: with a new block, or, where
  Redis is down, one by one in PostgreSQL.

An emptied Redis forgets who came, not the places, which are signed: who shows his place is known
again, who cannot joins behind. A fail-over to a replica that lags may give the last numbers a
second time; equal numbers are served together.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from chassis.cache import SoftRedis
from chassis.problems import Problem
from waitingroom.models import db

PAUSES = (0.0, 0.01, 0.02, 0.04, 0.08)
# How long a lease in PostgreSQL outlives the one in Redis; how late the latter may be set whole.
LEASE_MARGIN_SECONDS = 0.5
INSTALL_SECONDS_MAX = 0.25
NO_LEASE, EXHAUSTED, UNREACHABLE = -1, -2, -3

# Of what is remembered and what is shown the earlier place counts; early ones are 0.
_JOIN = """
local known = tonumber(redis.call('HGET', KEYS[1], ARGV[1]))
local place, is_new = known, 0
local shown = tonumber(ARGV[4])
if shown and (not known or shown < known) then place = shown end
if not place and ARGV[2] == 'early' then place, is_new = 0, 1 end
if not place then
    local block = redis.call('HMGET', KEYS[2], 'last', 'end', 'lease')
    if not block[2] then return {-1, -1} end
    local clock = redis.call('TIME')
    local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
    if now >= tonumber(block[3]) then return {-1, tonumber(block[2])} end
    if tonumber(block[1]) >= tonumber(block[2]) then return {-2, tonumber(block[2])} end
    place, is_new = redis.call('HINCRBY', KEYS[2], 'last', 1), 1
end
if place ~= known then
    redis.call('HSET', KEYS[1], ARGV[1], place)
    redis.call('EXPIRE', KEYS[1], ARGV[3])
    if place == 0 then
        redis.call('PFADD', KEYS[3], ARGV[1])
        redis.call('EXPIRE', KEYS[3], ARGV[3])
    end
end
return {place, is_new}
"""
# A block never goes back: one that starts below what was given already is not taken.
_INSTALL = """
local block = redis.call('HMGET', KEYS[1], 'last', 'end')
local last, first_end = tonumber(block[1]) or 0, tonumber(block[2]) or -1
local start, block_end = tonumber(ARGV[1]), tonumber(ARGV[2])
if first_end ~= block_end and start < last then return 0 end
local clock = redis.call('TIME')
local lease = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[3])
if first_end ~= block_end then last = start end
redis.call('HSET', KEYS[1], 'last', last, 'end', block_end, 'lease', string.format('%.0f', lease))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""

_RESERVE = text("""
UPDATE waiting_window SET numbers_reserved = numbers_reserved + :size,
    lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
WHERE window_id = :window_id AND (lease_until IS NULL OR lease_until <= clock_timestamp()
    OR numbers_reserved = :exhausted_end)
RETURNING numbers_reserved
""")
_RENEW = text("""
UPDATE waiting_window SET lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
WHERE window_id = :window_id AND numbers_reserved = :block_end
RETURNING numbers_reserved
""")
_TAKE_ONE = text("""
UPDATE waiting_window SET numbers_reserved = numbers_reserved + 1
WHERE window_id = :window_id AND (lease_until IS NULL OR lease_until <= clock_timestamp())
RETURNING numbers_reserved
""")


class NumbersPaused(Problem):
    status, code, title = 503, "numbers_paused", "Please ask again in a moment."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


@dataclass(frozen=True)
class Standing:
    """0 for an early place, else the late number; `is_new` when this call gave it."""

    late_number: int
    is_new: bool


class Numbers:
    def __init__(self, soft_redis: SoftRedis, *, block_size: int, lease_seconds: float) -> None:
        self._redis = soft_redis
        self._block_size = block_size
        self._lease_seconds = lease_seconds
        self._refilling = threading.Lock()

    def stand(
        self,
        window_id: UUID,
        account_id: UUID,
        *,
        is_early: bool,
        shown: int | None,
        kept_seconds: int,
    ) -> Standing:
        """
        Give the account its one place; `shown` is what a signed place of his says.

        Raises:
            NumbersPaused: a late number cannot be given fairly at this moment.
        """
        words = [account_id.bytes, "early" if is_early else "late", kept_seconds]
        words.append("" if shown is None else shown)
        answer = self._ask(window_id, account_id, words)
        for pause in PAUSES:
            if answer[0] >= 0 or answer[0] == UNREACHABLE:
                break
            time.sleep(pause)
            answer = self._ask_with_refill(window_id, account_id, words)
        if answer[0] == UNREACHABLE:
            return self._without_redis(window_id, is_early=is_early, shown=shown)
        if answer[0] < 0:
            raise NumbersPaused
        return Standing(answer[0], bool(answer[1]))

    def _ask(self, window_id: UUID, account_id: UUID, words: list[Any]) -> tuple[int, int]:
        """The place and whether it is new, or why there is none and the block's end."""
        keys = [_bucket(window_id, account_id), _block_key(window_id), _sketch_key(window_id)]
        found, more = self._redis.call(
            lambda client: client.eval(_JOIN, 3, *keys, *words), (UNREACHABLE, 0)
        )
        return int(found), int(more)

    def _ask_with_refill(
        self, window_id: UUID, account_id: UUID, words: list[Any]
    ) -> tuple[int, int]:
        """One thread of a process gets a block; the others find it when they have waited."""
        with self._refilling:
            place, more = self._ask(window_id, account_id, words)
            if place in {NO_LEASE, EXHAUSTED}:
                self._refill(window_id, place, more, words[2])
                place, more = self._ask(window_id, account_id, words)
            return place, more

    def last_number(self, window_id: UUID) -> int | None:
        """The last late number that Redis gave; None where it does not know."""
        raw: Any = self._redis.call(lambda c: c.hget(_block_key(window_id), "last"), None)
        return None if raw is None else int(raw)

    def _without_redis(self, window_id: UUID, *, is_early: bool, shown: int | None) -> Standing:
        if shown is not None:
            return Standing(shown, is_new=False)
        if is_early:
            return Standing(0, is_new=True)
        number = _one_value(_TAKE_ONE, window_id=window_id)
        if number is None:
            raise NumbersPaused
        return Standing(number, is_new=True)

    def _refill(self, window_id: UUID, why: int, block_end: int, kept_seconds: int) -> None:
        """
        Get a lease from PostgreSQL, then tell Redis. An answer that took long leaves Redis the less
        of it, and none at all when it was as long as the lease.
        """
        began = time.monotonic()
        lease = {"lease_seconds": self._lease_seconds + LEASE_MARGIN_SECONDS}
        renewed, start = None, block_end - self._block_size
        if why == NO_LEASE and block_end >= 0:
            renewed = _one_value(_RENEW, window_id=window_id, block_end=block_end, **lease)
        if renewed is None:
            exhausted = block_end if why == EXHAUSTED else -1
            renewed = _one_value(
                _RESERVE,
                window_id=window_id,
                size=self._block_size,
                exhausted_end=exhausted,
                **lease,
            )
            start = (renewed or 0) - self._block_size
        late_seconds = max(0.0, time.monotonic() - began - INSTALL_SECONDS_MAX)
        left_ms = int((self._lease_seconds - late_seconds) * 1000)
        if renewed is None or left_ms <= 0:
            return
        words = (start, renewed, left_ms, kept_seconds)
        key = _block_key(window_id)
        self._redis.call(lambda client: client.eval(_INSTALL, 1, key, *words), 0)


def _one_value(statement: TextClause, **values: Any) -> int | None:
    """One statement that is a transaction of its own; None where it found no row."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        found: int | None = connection.execute(statement, values).scalar_one_or_none()
        return found


def _bucket(window_id: UUID, account_id: UUID) -> str:
    """65,536 small hashes a window, which Redis keeps packed: some 30 bytes a place."""
    return f"waitingroom:{{{window_id}}}:places:{int.from_bytes(account_id.bytes[-2:], 'big')}"


def _block_key(window_id: UUID) -> str:
    return f"waitingroom:{{{window_id}}}:block"


def _sketch_key(window_id: UUID) -> str:
    return f"waitingroom:{{{window_id}}}:early"


class EarlyCount:
    """
    How many different accounts came early: a HyperLogLog of Redis (12 kB however many there are,
    right to a percent), with a copy in PostgreSQL that brings it back after a loss.
    """

    def __init__(self, soft_redis: SoftRedis) -> None:
        self._redis = soft_redis

    def count(self, window_id: UUID) -> int:
        return int(self._redis.call(lambda client: client.pfcount(_sketch_key(window_id)), 0))

    def sketch(self, window_id: UUID) -> bytes | None:
        raw: Any = self._redis.call(lambda client: client.get(_sketch_key(window_id)), None)
        return None if raw is None else bytes(raw)

    def bring_back(self, window_id: UUID, sketch: bytes, kept_seconds: int) -> None:
        """Unite the copy with what was counted since."""
        key = _sketch_key(window_id)

        def use(client: Any) -> None:
            copy = f"{key}:copy"
            with client.pipeline(transaction=True) as pipe:
                pipe.set(copy, sketch, ex=60).pfmerge(key, copy).delete(copy)
                pipe.expire(key, kept_seconds).execute()

        self._redis.call(use, None)
