"""On which dates a train runs, and when: service dates and minutes become moments in UTC."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NOON = time(12)
HALF_DAY = timedelta(hours=12)


@dataclass(frozen=True)
class Calendar:
    """
    `running_days` are ISO weekdays ("1" is Monday). `exceptions` are stronger than both the
    weekdays and the half-open range of validity.
    """

    running_days: str
    valid_from: date | None = None
    valid_until: date | None = None
    exceptions: Mapping[date, bool] = field(default_factory=dict)

    def runs_on(self, service_date: date) -> bool:
        if service_date in self.exceptions:
            return self.exceptions[service_date]
        if self.valid_from is not None and service_date < self.valid_from:
            return False
        if self.valid_until is not None and service_date >= self.valid_until:
            return False
        return str(service_date.isoweekday()) in self.running_days


def moment(service_date: date, minute: int, timezone: str) -> datetime:
    """
    The moment `minute` minutes after noon minus twelve hours of the service date: 00:00 except on
    the two days a year on which clocks change, when trains still take as long as they take.
    """
    noon = datetime.combine(service_date, NOON, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    return noon - HALF_DAY + timedelta(minutes=minute)


def local_date(at: datetime, timezone: str) -> date:
    return at.astimezone(ZoneInfo(timezone)).date()


def days_from(first: date, days: int) -> Iterator[date]:
    return (first + timedelta(days=offset) for offset in range(days))


def iso(at: datetime) -> str:
    """The form of every time in a definition: whole seconds, UTC, "Z"."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
