"""
Which runs' claims have changed, so that a snapshot of a run where nothing happens stays good.

Who writes claims notes the run in a small sorted set in Redis, under the next number; each process
reads what is new five times a second. A snapshot carries the number up to which its builder had
read before it asked the database: notes are written after the commit, so only a higher one may
be missing from it. Seats that were freed are noted at once and apart from seats that were claimed,
which go out with the next reading.

Nothing hangs on it. While nobody is heard (Redis is away, the reader is late) snapshots live as
briefly as without it. A note that is lost with its process shows when a snapshot's longest life is
over: until then a freed seat is refused in vain, or a claimed one is tried in vain.
"""

import os
import threading
import time
import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from chassis.cache import SoftRedis

REST_SECONDS = 0.2
HEARD_SECONDS = 0.5
RUNS_NOTED_MAX = 20_000
_KEY = "order:claim-changes"
_FREED, _CLAIMED = "freed:", "claimed:"

# The member of score 0 names the set's life: a set that was lost begins another, and so does one
# whose numbers went back (a replica took over that had not heard all). A number of one life says
# nothing in another.
_NOTE_AND_READ = """
local life = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
local number = tonumber(redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or 0)
local known = tonumber(ARGV[2])
if not life or (life == ARGV[1] and number < known) then
    redis.call('DEL', KEYS[1])
    life, number = ARGV[3], 0
    redis.call('ZADD', KEYS[1], 0, life)
end
if life ~= ARGV[1] then known = 0 end
for i = 5, #ARGV do
    number = number + 1
    redis.call('ZADD', KEYS[1], number, ARGV[i])
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 1, -1 - tonumber(ARGV[4]))
return {life, number, redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. known, '+inf', 'WITHSCORES')}
"""


class Position(NamedTuple):
    """Up to which note a process has read; numbers of another `life` cannot be compared."""

    life: str
    number: int


class ClaimChanges:
    def __init__(self, soft_redis: SoftRedis) -> None:
        self._redis = soft_redis
        self._position = Position("", 0)
        self._heard_until = 0.0
        self._freed: dict[UUID, int] = {}
        self._claimed: dict[UUID, int] = {}
        self._untold: set[str] = set()
        self._reading, self._noting = threading.Lock(), threading.Lock()
        self._reads_in_process = 0

    def position(self) -> Position | None:
        """None while nobody is heard."""
        return self._position if time.monotonic() < self._heard_until else None

    def is_freed_since(self, run_id: UUID, position: Position | None) -> bool:
        """Whether seats of the run are known to have been given back."""
        return self._is_noted_since(self._freed, run_id, position)

    def is_changed_since(self, run_id: UUID, position: Position | None) -> bool:
        """Whether anything happened to the run's claims, or nobody can say that nothing did."""
        return (
            position is None
            or time.monotonic() >= self._heard_until
            or position.life != self._position.life
            or self._is_noted_since(self._freed, run_id, position)
            or self._is_noted_since(self._claimed, run_id, position)
        )

    def _is_noted_since(
        self, noted: dict[UUID, int], run_id: UUID, position: Position | None
    ) -> bool:
        if position is None or position.life != self._position.life:
            return False
        return noted.get(run_id, 0) > position.number

    def note_claimed(self, run_id: UUID) -> None:
        """The others hear of it with the next reading: until then they only try in vain."""
        self.keep_reading()
        with self._noting:
            self._untold.add(f"{_CLAIMED}{run_id}")

    def note_freed(self, run_id: UUID) -> None:
        """The others shall offer the seats again, so they are told now; if not, with the next."""
        self.keep_reading()
        with self._noting:
            self._untold.add(f"{_FREED}{run_id}")
        self.read()

    def keep_reading(self) -> None:
        """Begun where it is needed: a thread does not survive a fork."""
        if self._reads_in_process != os.getpid():
            self._begin_reading()

    def _begin_reading(self) -> None:
        process_id = os.getpid()
        if self._reads_in_process != process_id:
            self._reads_in_process = process_id
            self._reading, self._noting = threading.Lock(), threading.Lock()
            arguments = (weakref.ref(self), process_id)
            threading.Thread(target=_read_on, args=arguments, daemon=True).start()

    def read(self) -> None:
        """Tell what is untold and take in what is new."""
        with self._reading:
            begun_at = time.monotonic()
            with self._noting:
                told, self._untold = self._untold, set()
            answer = self._redis.call(lambda client: self._ask(client, told), None)
            if answer is None:
                with self._noting:
                    self._untold |= told
            else:
                self._take_in(*answer)
                self._heard_until = begun_at + HEARD_SECONDS

    def _ask(self, client: Any, told: Iterable[str]) -> Any:
        life, number = self._position
        known = (life, number, uuid4().hex, RUNS_NOTED_MAX)
        return client.eval(_NOTE_AND_READ, 1, _KEY, *known, *told)

    def _take_in(self, life: bytes, number: int, notes: list[bytes]) -> None:
        if life.decode() != self._position.life:
            self._freed, self._claimed = {}, {}
        for member, score in zip(notes[::2], notes[1::2], strict=True):
            kind, _, run_id = member.decode().partition(":")
            noted = self._freed if f"{kind}:" == _FREED else self._claimed
            noted[UUID(run_id)] = int(float(score))
        self._freed, self._claimed = _newest(self._freed), _newest(self._claimed)
        self._position = Position(life.decode(), number)


def _newest(noted: dict[UUID, int]) -> dict[UUID, int]:
    if len(noted) <= RUNS_NOTED_MAX:
        return noted
    return dict(sorted(noted.items(), key=lambda note: note[1])[RUNS_NOTED_MAX // 2 :])


def _read_on(kept: "weakref.ref[ClaimChanges]", process_id: int) -> None:
    """It ends with what it reads for."""
    while (changes := kept()) is not None and os.getpid() == process_id:
        changes.read()
        del changes
        time.sleep(REST_SECONDS)
