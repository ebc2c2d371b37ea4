"""
Where buyers collide. A run on which the database has just refused somebody is hot for a moment, and
only there is the gate in Redis worth its round trip, which costs as much as a third of a claim.
"""

import time
from uuid import UUID

HOT_SECONDS = 2.0
KEPT_MAX = 2_000


class Contention:
    def __init__(self) -> None:
        self._hot_until: dict[UUID, float] = {}

    def note_collision(self, run_id: UUID) -> None:
        if len(self._hot_until) >= KEPT_MAX:
            self._hot_until.clear()
        self._hot_until[run_id] = time.monotonic() + HOT_SECONDS

    def is_hot(self, run_id: UUID) -> bool:
        return self._hot_until.get(run_id, 0.0) > time.monotonic()
