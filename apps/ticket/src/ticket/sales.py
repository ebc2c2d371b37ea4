"""
When the sales of a run open and close.

Bangladesh Railway opens them ten days before the service date, at 08:00 for the west zone and at
14:00 for the east zone, so that two smaller rushes come instead of a big one. They close when the
train leaves its first station. Staff may set other times by windows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from uuid import UUID
from zoneinfo import ZoneInfo

DAYS_AHEAD = 10
OPENING_HOURS = {"west": time(8), "east": time(14)}
OPENING_HOUR_ELSEWHERE = time(8)


class Scope(IntEnum):
    """The more a window says, the stronger it is."""

    ZONE = 1
    TRAIN = 2
    RUN = 3


@dataclass(frozen=True)
class Sales:
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True)
class Window:
    """A window of staff. A time that is None is left as it would be without the window."""

    run_id: UUID | None
    train_number: str | None
    zone: str | None
    from_date: date | None
    until_date: date | None
    opens_at: datetime | None
    closes_at: datetime | None
    updated_at: datetime

    @property
    def scope(self) -> Scope:
        if self.run_id is not None:
            return Scope.RUN
        return Scope.TRAIN if self.train_number is not None else Scope.ZONE

    def covers(self, *, run_id: UUID, train_number: str, zone: str, service_date: date) -> bool:
        if self.run_id is not None:
            return self.run_id == run_id
        named = self.train_number == train_number or (bool(zone) and self.zone == zone)
        if not named or self.from_date is None or self.until_date is None:
            return False
        return self.from_date <= service_date < self.until_date


def regular_sales(service_date: date, *, zone: str, timezone: str, leaves_at: datetime) -> Sales:
    hour = OPENING_HOURS.get(zone, OPENING_HOUR_ELSEWHERE)
    opening_date = service_date - timedelta(days=DAYS_AHEAD)
    opens = datetime.combine(opening_date, hour, tzinfo=ZoneInfo(timezone))
    return Sales(opens_at=opens.astimezone(UTC), closes_at=leaves_at)


def sales_with(regular: Sales, windows: Iterable[Window], *, last_departs_at: datetime) -> Sales:
    """
    Apply the windows that cover a run: the narrower scope is stronger, among equals the later
    word. Nothing is sold once the train has left the last station where one can board.
    """
    opens_at, closes_at = regular.opens_at, regular.closes_at
    for window in sorted(windows, key=lambda window: (window.scope, window.updated_at)):
        opens_at = window.opens_at or opens_at
        closes_at = window.closes_at or closes_at
    return Sales(opens_at=opens_at, closes_at=min(closes_at, last_departs_at))


def sales_state(now: datetime, sales: Sales) -> str:
    if now >= sales.closes_at:
        return "closed"
    return "not_yet" if now < sales.opens_at else "open"
