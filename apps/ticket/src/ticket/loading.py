"""
Takes a normalised timetable into the catalogue.

The first one is in force from ever; a later one from the first day that has no run yet, because
runs that exist may have been sold. What a timetable leaves out is never deleted: trains end.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from chassis.database import transaction
from ticket.definition import FareRule, StopTimes
from ticket.editions import (
    ALWAYS,
    DbSession,
    offers_of,
    write_coaches,
    write_fares,
    write_stops,
)
from ticket.importers import normalised
from ticket.importers.normalised import Timetable
from ticket.models import Run, SeatClass, Station, TimetableLoad, Train, TrainDate, db
from ticket.publishing import lock_catalogue
from ticket.seatplan import SEATS_PER_COACH_MAX, CoachPlan


@dataclass(frozen=True)
class Loaded:
    is_new: bool
    trains: int = 0
    stations: int = 0
    from_date: date | None = None


def load_timetable(*, folder: Path, now: datetime) -> Loaded:
    """
    Load the folder's timetable unless the one loaded last had the same content.

    Raises:
        BrokenTimetableError: the folder is not a normalised timetable.
    """
    content_hash = content_hash_of(folder)
    with transaction(db) as session:
        if _is_loaded(session, content_hash):
            return Loaded(is_new=False)
    timetable = normalised.read(folder)
    _refuse_what_has_no_number(timetable)
    with transaction(db) as session:
        lock_catalogue(session)
        if _is_loaded(session, content_hash):
            return Loaded(is_new=False)
        from_date = first_free_date(session) or ALWAYS
        _write(session, timetable, from_date)
        _record(session, timetable, content_hash, from_date, now)
    return Loaded(
        is_new=True,
        trains=len(timetable.trains),
        stations=len(timetable.stations),
        from_date=from_date,
    )


def content_hash_of(folder: Path) -> str:
    """
    Raises:
        BrokenTimetableError: a file is missing.
    """
    digest = hashlib.sha256()
    for name in sorted(normalised.TABLES):
        path = folder / f"{name}.csv"
        if not path.is_file():
            raise normalised.BrokenTimetableError(f"{path.name} is missing in {folder}")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def first_free_date(session: DbSession) -> date | None:
    """The first service date on or after which there is no run yet; None without any run."""
    last = session.execute(select(func.max(Run.service_date))).scalar_one()
    return None if last is None else last + timedelta(days=1)


def _is_loaded(session: DbSession, content_hash: str) -> bool:
    newest = select(TimetableLoad.content_hash).order_by(TimetableLoad.load_id.desc()).limit(1)
    return session.execute(newest).scalar_one_or_none() == content_hash


def _refuse_what_has_no_number(timetable: Timetable) -> None:
    for coach in timetable.coaches:
        if coach.coach_number < 1 or not 0 < coach.seats <= SEATS_PER_COACH_MAX:
            raise normalised.BrokenTimetableError(
                f"coach {coach.train_number}/{coach.coach_number} must have a number from 1 "
                f"and 1 to {SEATS_PER_COACH_MAX} seats"
            )


def _write(session: DbSession, timetable: Timetable, from_date: date) -> None:
    _upsert(session, Station, "station_code", [vars(row) for row in timetable.stations])
    _upsert(session, SeatClass, "seat_class", [vars(row) for row in timetable.seat_classes])
    _upsert(session, Train, "train_number", _train_rows(timetable))
    _write_dates(session, timetable)
    _end_missing(session, timetable, from_date)
    _write_sets(session, timetable, from_date)


def _train_rows(timetable: Timetable) -> list[dict[str, Any]]:
    railway = {
        "timezone": timetable.agency.timezone,
        "currency": timetable.agency.currency,
        "is_imported": True,
    }
    return [{**vars(row), **railway} for row in timetable.trains]


def _upsert(session: DbSession, table: Any, key: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    upsert = insert_or(table)
    changed = {column: upsert.excluded[column] for column in rows[0] if column != key}
    session.execute(upsert.values(rows).on_conflict_do_update(index_elements=[key], set_=changed))


def _write_dates(session: DbSession, timetable: Timetable) -> None:
    numbers = [train.train_number for train in timetable.trains]
    session.execute(
        delete(TrainDate)
        .where(TrainDate.train_number.in_(numbers))
        .execution_options(synchronize_session=False)
    )
    if timetable.calendar_dates:
        session.execute(insert(TrainDate), [vars(row) for row in timetable.calendar_dates])


def _end_missing(session: DbSession, timetable: Timetable, from_date: date) -> None:
    numbers = [train.train_number for train in timetable.trains]
    gone = Train.is_imported & Train.train_number.not_in(numbers)
    session.execute(
        update(Train)
        .where(gone, func.coalesce(Train.valid_until, date.max) > from_date)
        .values(valid_until=from_date)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(TrainDate)
        .where(
            TrainDate.train_number.in_(select(Train.train_number).where(gone)),
            TrainDate.service_date >= from_date,
        )
        .execution_options(synchronize_session=False)
    )


def _write_sets(session: DbSession, timetable: Timetable, from_date: date) -> None:
    """Only sets that differ from what is in force; a set that is left out stays as it is."""
    offers = offers_of(session, [train.train_number for train in timetable.trains])
    stops, coaches, fares = _stops(timetable), _coaches(timetable), _fares(timetable)
    for number, offer in offers.items():
        if stops[number] and tuple(stops[number]) != offer.stops.on(from_date):
            write_stops(session, number, from_date, stops[number])
        if coaches[number] and tuple(coaches[number]) != offer.coaches.on(from_date):
            write_coaches(session, number, from_date, coaches[number])
        if fares[number] and set(fares[number]) != set(offer.fares.on(from_date)):
            write_fares(session, number, from_date, fares[number])


def _stops(timetable: Timetable) -> Mapping[str, list[StopTimes]]:
    return _by_train(
        (row.train_number, StopTimes(row.station_code, row.arrives_minute, row.departs_minute))
        for row in timetable.stops
    )


def _coaches(timetable: Timetable) -> Mapping[str, list[CoachPlan]]:
    return _by_train(
        (
            row.train_number,
            CoachPlan(
                **{name: value for name, value in vars(row).items() if name != "train_number"}
            ),
        )
        for row in timetable.coaches
    )


def _fares(timetable: Timetable) -> Mapping[str, list[FareRule]]:
    return _by_train(
        (
            row.train_number,
            FareRule(row.seat_class, row.from_code, row.to_code, row.price_minor, row.vat_minor),
        )
        for row in timetable.fares
    )


def _by_train(rows: Iterable[tuple[str, Any]]) -> Mapping[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for number, row in rows:
        found[number].append(row)
    return found


def _record(
    session: DbSession, timetable: Timetable, content_hash: str, from_date: date, now: datetime
) -> None:
    session.add(
        TimetableLoad(
            content_hash=content_hash,
            source=timetable.agency.source,
            licence=timetable.agency.licence,
            retrieved_date=timetable.agency.retrieved_date,
            from_date=from_date,
            loaded_at=now,
        )
    )
