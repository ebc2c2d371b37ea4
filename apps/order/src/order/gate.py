"""
A small gate in Redis: of the many who reach for the same seat at the same moment, one goes on to
the database and the others are refused at once.

The gate grants nothing. It may be emptied, lost or passed by, and the database still decides; it
only keeps a thousand buyers of one seat from queueing there.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chassis.cache import SoftRedis
from order.run import Leg

# All of the keys or none; who comes back with the same order passes.
_ENTER = """
for _, key in ipairs(KEYS) do
    local holder = redis.call('GET', key)
    if holder and holder ~= ARGV[1] then return 0 end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
return 1
"""
_LEAVE = """
for _, key in ipairs(KEYS) do
    if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""


class Gate:
    def __init__(self, soft_redis: SoftRedis, *, seconds: float) -> None:
        self._redis = soft_redis
        self._milliseconds = int(seconds * 1000)

    def enter(self, run_id: UUID, leg: Leg, seat_ids: Sequence[int], order_id: UUID) -> bool:
        keys = _keys(run_id, leg, seat_ids)

        def use(client: Any) -> int:
            return int(client.eval(_ENTER, len(keys), *keys, str(order_id), self._milliseconds))

        return bool(self._redis.call(use, 1))

    def leave(self, run_id: UUID, leg: Leg, seat_ids: Sequence[int], order_id: UUID) -> None:
        """Let others try when the order was refused for a reason of its own."""
        keys = _keys(run_id, leg, seat_ids)
        self._redis.call(lambda client: client.eval(_LEAVE, len(keys), *keys, str(order_id)), None)


def _keys(run_id: UUID, leg: Leg, seat_ids: Sequence[int]) -> list[str]:
    """The same leg and seat: those who overlap otherwise meet in the database."""
    return [f"order:gate:{{{run_id}}}:{seat}:{leg[0]}-{leg[1]}" for seat in seat_ids]
