"""Every change by staff leaves a row: who, when, what, before and after."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from chassis.database import DbSession
from chassis.identity import Identity
from ticket.calendar import iso
from ticket.models import StaffChange


class Kind(StrEnum):
    TRAIN = "train"
    COACH_PLAN = "coach_plan"
    FARES = "fares"
    RUN = "run"
    RUN_CANCELLATION = "run_cancellation"
    SALES_WINDOW = "sales_window"


def record(
    session: DbSession,
    *,
    staff: Identity,
    kind: Kind,
    subject: str | UUID,
    before: Any,
    after: Any,
    now: datetime,
) -> None:
    """In the transaction of the change itself: neither is there without the other."""
    session.add(
        StaffChange(
            account_id=staff.account_id,
            email=staff.email,
            changed_at=now,
            kind=kind.value,
            subject=str(subject),
            before=_plain(before),
            after=_plain(after),
        )
    )


def _plain(value: Any) -> Any:
    return None if value is None else orjson.loads(orjson.dumps(value, default=_as_json))


def _as_json(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else str(value)


def rows(parts: Iterable[Any]) -> list[dict[str, Any]]:
    return [vars(part) for part in parts]
