"""Who of the called came to be let in, by number: Redis remembers it, and may forget it."""

from typing import Any, NamedTuple
from uuid import UUID

from chassis.cache import SoftRedis


class Counted(NamedTuple):
    """
    How many accounts came in all; `last` is the greatest number up to `noticed` that came, or 0;
    then how many came of the last numbers up to `noticed`, and of those above it.
    """

    total: int
    last: int
    lately: int
    newest: int


class Comers:
    def __init__(self, soft_redis: SoftRedis) -> None:
        self._redis = soft_redis

    def note(self, window_id: UUID, account_id: UUID, number: int, kept_seconds: int) -> bool:
        """
        Once an account, however often it comes; give whether it had not come before. Without Redis
        everybody is new.
        """
        key = _key(window_id)

        def use(client: Any) -> bool:
            with client.pipeline(transaction=False) as pipe:
                pipe.zadd(key, {account_id.bytes: number}).expire(key, kept_seconds)
                return bool(pipe.execute()[0])

        return self._redis.call(use, fallback=True)

    def count(self, window_id: UUID, *, after: int, noticed: int, newest: int) -> Counted | None:
        """Of the numbers in (after, noticed] and (noticed, newest]; None without Redis."""
        key = _key(window_id)

        def use(client: Any) -> Counted:
            with client.pipeline(transaction=False) as pipe:
                pipe.zcard(key).zrevrangebyscore(key, noticed, 0, 0, 1, withscores=True)
                pipe.zcount(key, f"({after}", noticed).zcount(key, f"({noticed}", newest)
                total, last, lately, above = pipe.execute()
            return Counted(total, int(last[0][1]) if last else 0, lately, above)

        return self._redis.call(use, None)


def _key(window_id: UUID) -> str:
    return f"waitingroom:{{{window_id}}}:comers"
