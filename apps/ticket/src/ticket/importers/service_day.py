"""
The service day: when a minute of the timetable is, also on the days the clocks change.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NOON = time(12)


def moment_at(service_date: date, minute: int, timezone: str) -> datetime:
    """
    Give the moment, in UTC, of a timetable minute on a service date.

    Minutes count from noon minus twelve hours (the rule of GTFS, stop_times.txt), so on a day of
    23 or 25 hours a train that leaves in the afternoon leaves when the clock says so.
    """
    noon = datetime.combine(service_date, NOON, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    return noon + timedelta(minutes=minute - 12 * 60)
