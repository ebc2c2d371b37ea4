"""
Whether a backup can begin at all, and be looked into: AWS Backup begins none while RDS backs up or
maintains itself, nor in the hour before the second, and a rehearsal opens no door by itself.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ci.infrastructure.terraform import Plan, Values
from ci.manifests.faults import Fault

DAY_MINUTES = 24 * 60
BEFORE_MAINTENANCE_MINUTES = 60
GROUPS = "vpcSecurityGroupIds"


def check_backups(plan: Plan) -> Iterator[Fault]:
    """Days are not compared: what is refused on one of seven is refused."""
    closed = {minute for one in plan.of_kind("aws_db_instance") for minute in _closed(one.values)}
    made: set[int] = set()
    for one in plan.of_kind("aws_backup_plan"):
        for rule in one.values["rule"]:
            begins = _minute(rule["schedule"], rule["schedule_expression_timezone"])
            made |= _span(begins, rule["start_window"] + rule["completion_window"])
            if closed & _span(begins, rule["start_window"]):
                yield Fault("backup", one.where, "is to begin when RDS lets none begin")
    for one in plan.of_kind("aws_backup_restore_testing_plan"):
        values = one.values
        begins = _minute(values["schedule_expression"], values["schedule_expression_timezone"])
        if made & _span(begins, values["start_window_hours"] * 60):
            yield Fault("backup", one.where, "is restored before the day's backup is whole")
    for one in plan.of_kind("aws_backup_restore_testing_selection"):
        if not (one.values["restore_metadata_overrides"] or {}).get(GROUPS):
            yield Fault("backup", one.where, "nobody can look into what is restored")


def _closed(database: Values) -> set[int]:
    return _window(database["backup_window"]) | _window(
        database["maintenance_window"], BEFORE_MAINTENANCE_MINUTES
    )


def _window(said: str, before: int = 0) -> set[int]:
    """`18:30-19:30`, or with a day before each end."""
    begins, ends = (
        int(hour) * 60 + int(minute) for hour, minute in re.findall(r"(\d\d):(\d\d)", said)
    )
    return _span(begins - before, before + (ends - begins) % DAY_MINUTES)


def _minute(schedule: str, timezone: str) -> int:
    """Of the day, in UTC, of a `cron(minute hour …)`."""
    minute, hour = (int(number) for number in re.findall(r"\d+", schedule)[:2])
    at = datetime(2026, 1, 1, hour, minute, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    return at.hour * 60 + at.minute


def _span(begins: int, minutes: int) -> set[int]:
    return {minute % DAY_MINUTES for minute in range(begins, begins + minutes)}
