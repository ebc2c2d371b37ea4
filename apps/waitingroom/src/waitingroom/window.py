"""
A waiting room's window: the runs of one opening of sales, and what is known of its queue.

Numbers form one line. The people who came before the opening have 1 … `early_places`, shuffled;
those who came later follow, each one further. Whoever's number is at most `serving` is served.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from waitingroom.lottery import number_of_early

BEFORE, OPEN, CLOSED = "before", "open", "closed"
SOLD_OUT, HELD_BY_OTHERS = "sold_out", "held_by_others"
EARLY, LATE = "early", "late"


@dataclass(frozen=True)
class Place:
    """What a signed place says. `late_number` counts from 1 among those who came late."""

    window_id: UUID
    account_id: UUID
    arrival: str
    late_number: int | None


@dataclass(frozen=True)
class Window:
    """
    `early_places` is None until the opening has fixed how many there are; `stock` is what the
    last look at the seats found: open, sold_out or held_by_others.
    """

    window_id: UUID
    run_ids: tuple[UUID, ...]
    opens_at: datetime
    closes_at: datetime
    seats_total: int
    seed: bytes
    early_places: int | None
    numbers_reserved: int
    serving: int
    stock: str
    people_per_second: float
    calm_since: datetime | None
    cooled_at: datetime | None
    is_automatic: bool
    withdrawn_at: datetime | None

    def is_before(self, now: datetime) -> bool:
        return now < self.opens_at

    def state_at(self, now: datetime) -> str:
        if now >= self.closes_at or self.withdrawn_at is not None:
            return CLOSED
        return BEFORE if now < self.opens_at else self.stock

    def is_hot(self, now: datetime, *, hot_seconds_max: int) -> bool:
        """From its making until the rush is over: only then a pass is demanded."""
        ends_at = min(self.closes_at, self.opens_at + timedelta(seconds=hot_seconds_max))
        is_over = self.cooled_at is not None or self.withdrawn_at is not None
        return not is_over and now < ends_at

    def number_of(self, place: Place) -> int | None:
        """None while it cannot be known: an early one before the opening."""
        if self.early_places is None:
            return None
        if place.late_number is not None:
            return self.early_places + place.late_number
        return number_of_early(self.seed, place.account_id, self.early_places)

    def serves(self, place: Place) -> bool:
        number = self.number_of(place)
        return number is not None and number <= self.serving
