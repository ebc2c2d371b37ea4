"""
Windows that nobody makes by hand: each opening of the catalogue gets its waiting room in time, and
follows it until it opens. Whatever staff made or changed is theirs and is left alone.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from chassis.database import DbSession, transaction
from chassis.peers import PeerRefused, PeerUnavailable
from waitingroom.clients.ticket import TicketClient
from waitingroom.lottery import new_seed
from waitingroom.models import WaitingWindow, db
from waitingroom.openings import Opening, rooms_wanted
from waitingroom.parts import Parts

# Any number that nothing else locks in this database.
WINDOWS_LOCK = 7_301
_log = logging.getLogger(__name__)


def follow_openings(*, parts: Parts, ticket: TicketClient, now: datetime) -> int:
    """
    Make, change and withdraw windows as the catalogue has it; it always rests afterwards, so it
    gives 0. What has opened is not touched. While the catalogue does not answer, nothing changes.
    """
    settings = parts.settings
    if settings.windows_ahead_seconds == 0:
        return 0
    until = now + timedelta(seconds=settings.windows_ahead_seconds)
    try:
        openings = ticket.openings(now, until)
    except (PeerRefused, PeerUnavailable) as silence:
        _log.warning("the next openings are not known: %s", silence)
        return 0
    with transaction(db) as session:
        lock_windows(session)
        rooms = _rooms(session, now, until)
        wanted = rooms_wanted(
            openings,
            of_staff=_runs_of_staff(session, openings),
            had_one={run_id for room in rooms.values() for run_id in room.run_ids},
            now=now,
            notice=timedelta(seconds=settings.windows_notice_seconds),
        )
        _make(session, wanted, rooms, hot_seconds=settings.hot_seconds_max, now=now)
        for window_id, room in rooms.items():
            _follow(room, wanted.get(window_id), now)
    parts.windows.forget()
    return 0


def give_way(
    session: DbSession, *, window_id: UUID, run_ids: Collection[UUID], now: datetime
) -> None:
    """Take the runs of a window of staff out of the automatic ones that have not opened yet."""
    overlapping = session.scalars(
        select(WaitingWindow)
        .where(WaitingWindow.is_automatic, WaitingWindow.opens_at > now)
        .where(WaitingWindow.window_id != window_id)
        .where(WaitingWindow.run_ids.overlap(list(run_ids)))
    )
    for room in overlapping:
        kept = [run_id for run_id in room.run_ids if run_id not in run_ids]
        if kept:
            room.run_ids = kept
        else:
            _follow(room, None, now)


def lock_windows(session: DbSession) -> None:
    """Until the end of the transaction nobody else decides which window a run is in."""
    session.execute(select(func.pg_advisory_xact_lock(WINDOWS_LOCK)))


def _rooms(session: DbSession, now: datetime, until: datetime) -> dict[UUID, WaitingWindow]:
    """The automatic windows that open in the time that was asked about."""
    rows = session.scalars(
        select(WaitingWindow)
        .where(WaitingWindow.is_automatic)
        .where(WaitingWindow.opens_at > now, WaitingWindow.opens_at < until)
        .with_for_update()
    )
    return {room.window_id: room for room in rows}


def _runs_of_staff(session: DbSession, openings: list[Opening]) -> set[UUID]:
    """
    The runs that a window of staff names, be it closed, and those of an opening whose own window
    staff have taken over.
    """
    asked = {run_id for opening in openings for run_id in opening.seats_by_run}
    by_window = {opening.window_id: opening for opening in openings}
    rows = session.execute(
        select(WaitingWindow.window_id, WaitingWindow.run_ids)
        .where(~WaitingWindow.is_automatic)
        .where(
            or_(
                WaitingWindow.run_ids.overlap(list(asked)),
                WaitingWindow.window_id.in_(by_window),
            )
        )
    )
    found: set[UUID] = set()
    for window_id, run_ids in rows:
        found.update(run_ids)
        if window_id in by_window:
            found.update(by_window[window_id].seats_by_run)
    return found


def _make(
    session: DbSession,
    wanted: Mapping[UUID, Opening],
    rooms: Mapping[UUID, WaitingWindow],
    *,
    hot_seconds: int,
    now: datetime,
) -> None:
    for window_id, opening in wanted.items():
        if window_id not in rooms:
            values = {
                "window_id": window_id,
                "is_automatic": True,
                "run_ids": opening.run_ids,
                "opens_at": opening.opens_at,
                "closes_at": opening.opens_at + timedelta(seconds=hot_seconds),
                "seats_total": opening.seats_total,
                "seed": new_seed(),
                "created_at": now,
            }
            session.execute(insert(WaitingWindow).values(values).on_conflict_do_nothing())
            _log.info("window %s is made for %d runs", window_id, len(opening.run_ids))


def _follow(room: WaitingWindow, opening: Opening | None, now: datetime) -> None:
    """Without an opening it is withdrawn: people are told, and the seed stays should it return."""
    if opening is None:
        if room.withdrawn_at is None:
            room.withdrawn_at = now
            _log.info("window %s is withdrawn: nothing opens then", room.window_id)
        return
    wanted = (opening.run_ids, opening.seats_total, None)
    if (room.run_ids, room.seats_total, room.withdrawn_at) != wanted:
        room.run_ids, room.seats_total, room.withdrawn_at = wanted
        _log.info("window %s has %d runs now", room.window_id, len(opening.run_ids))
