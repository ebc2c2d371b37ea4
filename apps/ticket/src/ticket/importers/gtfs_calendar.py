"""
The days of a GTFS service: weekdays within a period, and the exceptions.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta

from ticket.importers.gtfs_feed import Feed, Row
from ticket.importers.report import Report

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
RUNS = {"1": True, "2": False}


@dataclass
class Service:
    """`valid_until` is the day after the last; exceptions are stronger than both."""

    running_days: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    exceptions: dict[date, bool] = field(default_factory=dict)

    @property
    def ever_runs(self) -> bool:
        return bool(self.running_days) or any(self.exceptions.values())


def services_of(feed: Feed, report: Report) -> dict[str, Service]:
    services: dict[str, Service] = defaultdict(Service)
    for row in feed.calendar:
        _take_calendar(row, services, report)
    for row in feed.calendar_dates:
        _take_exception(row, services, report)
    return dict(services)


def _take_calendar(row: Row, services: dict[str, Service], report: Report) -> None:
    report.reads("calendar")
    service_id = row["service_id"]
    start, end = _day(row["start_date"]), _day(row["end_date"])
    if start is None or end is None or end < start or service_id in services:
        why = "its period cannot be read, or it is there twice"
        report.refuses("calendar", service_id, rule=why, detail=f"{row}")
        return
    report.takes("calendar")
    services[service_id] = Service(
        running_days="".join(str(n) for n, day in enumerate(WEEKDAYS, 1) if row.get(day) == "1"),
        valid_from=start,
        valid_until=end + timedelta(days=1),
    )


def _take_exception(row: Row, services: dict[str, Service], report: Report) -> None:
    report.reads("calendar exception")
    day, runs = _day(row["date"]), RUNS.get(row["exception_type"])
    item = f"{row['service_id']} {row['date']}"
    if day is None or runs is None:
        report.refuses("calendar exception", item, rule="it cannot be read", detail=f"{row}")
    elif day in services[row["service_id"]].exceptions:
        report.refuses("calendar exception", item, rule="the day has one already", detail=f"{row}")
    else:
        services[row["service_id"]].exceptions[day] = runs
        report.takes("calendar exception")


def _day(text: str) -> date | None:
    if len(text) != 8 or not text.isdecimal():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None
