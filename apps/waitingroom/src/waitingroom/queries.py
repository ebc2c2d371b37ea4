"""What the waiting room reads: rows turned into windows, never entities."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, select

from waitingroom.models import Inlet, StaffChange, WaitingWindow, db
from waitingroom.window import Window

TOLD_OF = timedelta(hours=1)
_COLUMNS = [getattr(WaitingWindow, name) for name in Window.__dataclass_fields__]


def _window(row: Row[Any]) -> Window:
    found = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's names
    return Window(**{**found, "run_ids": tuple(found["run_ids"])})


def window_by_id(window_id: UUID) -> Window:
    """A window that is known to be there."""
    with db.engine.connect() as connection:
        return _window(
            connection.execute(select(*_COLUMNS).where(WaitingWindow.window_id == window_id)).one()
        )


def windows_closing_after(moment: datetime) -> list[Window]:
    return _windows(WaitingWindow.closes_at > moment)


def told_windows() -> list[Window]:
    """A closed window is told of for an hour more, so that the last of its line learn it."""
    return _windows(WaitingWindow.closes_at > func.now() - TOLD_OF)


def _windows(condition: ColumnElement[bool]) -> list[Window]:
    with db.engine.connect() as connection:
        rows = connection.execute(
            select(*_COLUMNS)
            .where(condition)
            .order_by(WaitingWindow.opens_at, WaitingWindow.window_id)
        ).all()
    return [_window(row) for row in rows]


def early_copy(window_id: UUID) -> tuple[int, bytes | None]:
    """How many early accounts were counted when the sketch was last kept, and the sketch."""
    with db.engine.connect() as connection:
        counted, sketch = connection.execute(
            select(WaitingWindow.early_counted, WaitingWindow.early_sketch).where(
                WaitingWindow.window_id == window_id
            )
        ).one()
    return counted, sketch


def inlet() -> tuple[float, datetime] | None:
    """The pace, and when it was last set."""
    with db.engine.connect() as connection:
        row = connection.execute(select(Inlet.people_per_second, Inlet.ticked_at)).one_or_none()
    return None if row is None else (row[0], row[1])


def staff_changes(limit: int) -> Sequence[dict[str, Any]]:
    columns = StaffChange.__table__.columns
    with db.engine.connect() as connection:
        rows = connection.execute(
            select(*columns).order_by(StaffChange.change_id.desc()).limit(limit)
        ).mappings()
        return [dict(row) for row in rows]
