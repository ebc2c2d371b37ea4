"""What staff decide: which runs have a waiting room, and when it opens and closes."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from chassis.database import transaction
from chassis.problems import Problem
from waitingroom.following import give_way, lock_windows
from waitingroom.lottery import new_seed
from waitingroom.models import StaffChange, WaitingWindow, db
from waitingroom.parts import Parts

_log = logging.getLogger(__name__)


class WindowHasOpened(Problem):
    status, code, title = 409, "window_has_opened", "The opening cannot be moved after it."


@dataclass(frozen=True)
class WindowTerms:
    run_ids: list[UUID]
    opens_at: datetime
    closes_at: datetime
    seats_total: int


def put_window(
    *, parts: Parts, window_id: UUID, terms: WindowTerms, account_id: UUID, now: datetime
) -> bool:
    """
    Make a window, or change it; True when it is new. The seed is drawn with the window and never
    again. The opening may be moved until it has come: after it the order of the line is fixed.
    Its runs leave the automatic windows that have not opened.

    Raises:
        WindowHasOpened: the opening of an open window would be moved.
    """
    with transaction(db) as session:
        lock_windows(session)
        is_new = session.scalar(_insertion(window_id, terms, now)) is not None
        window = session.scalars(
            select(WaitingWindow).where(WaitingWindow.window_id == window_id).with_for_update()
        ).one()
        before = None if is_new else _terms_of(window)
        after = _described(terms, is_automatic=False)
        if before != after:
            _change(window, terms, now)
            give_way(session, window_id=window_id, run_ids=terms.run_ids, now=now)
            session.add(
                StaffChange(
                    window_id=window_id,
                    account_id=account_id,
                    changed_at=now,
                    before=before,
                    after=after,
                )
            )
            _log.info("window %s is written by %s", window_id, account_id)
    parts.windows.forget()
    return is_new


def _insertion(window_id: UUID, terms: WindowTerms, now: datetime) -> ReturningInsert[tuple[UUID]]:
    """Of two who make the same window at once one makes it and the other finds it."""
    values = {"window_id": window_id, "seed": new_seed(), "created_at": now, **vars(terms)}
    statement = insert(WaitingWindow).values(values).on_conflict_do_nothing()
    return statement.returning(WaitingWindow.window_id)


def _change(window: WaitingWindow, terms: WindowTerms, now: datetime) -> None:
    has_opened = now >= window.opens_at or window.early_places is not None
    if has_opened and terms.opens_at != window.opens_at:
        raise WindowHasOpened
    for name, value in vars(terms).items():
        setattr(window, name, value)
    window.is_automatic, window.withdrawn_at = False, None


def _terms_of(window: WaitingWindow) -> dict[str, Any]:
    return _described(
        WindowTerms(window.run_ids, window.opens_at, window.closes_at, window.seats_total),
        is_automatic=window.is_automatic,
    )


def _described(terms: WindowTerms, *, is_automatic: bool) -> dict[str, Any]:
    return {
        "is_automatic": is_automatic,
        "run_ids": sorted(str(run_id) for run_id in terms.run_ids),
        "opens_at": terms.opens_at.isoformat(),
        "closes_at": terms.closes_at.isoformat(),
        "seats_total": terms.seats_total,
    }
