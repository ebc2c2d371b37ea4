"""
Takes a normalised timetable into the catalogue.

The first one is in force from ever; a later one, train by train, from the day after the train's
last run, because runs that exist may have been sold. What a timetable leaves out is never
deleted: trains end.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from chassis.database import DbSession, transaction
from ticket.definition import FareRule, StopTimes
from ticket.editions import (
    ALWAYS,
    first_free_dates,
    offers_of,
    write_coaches,
    write_fares,
    write_stops,
)
from ticket.importers import normalised
from ticket.importers.faults import faults
from ticket.importers.normalised import Timetable
from ticket.models import SeatClass, Station, TimetableLoad, Train, TrainDate, db
from ticket.publishing import lock_catalogue
from ticket.seatplan import SEATS_PER_COACH_MAX, CoachPlan

FAULTS_TOLD_MAX = 5


@dataclass(frozen=True)
class Loaded:
    is_new: bool
    trains: int = 0
    stations: int = 0


def load_timetable(*, folder: Path, now: datetime) -> Loaded:
    """
    Load the folder's timetable unless the one loaded last had the same content.

    Raises:
        BrokenTimetableError: the folder is not a normalised timetable, or not a sound one.
    """
    content_hash = content_hash_of(folder)
    with transaction(db) as session:
        if _is_loaded(session, content_hash):
            return Loaded(is_new=False)
    timetable = normalised.read(folder)
    _refuse_unsound(timetable)
    with transaction(db) as session:
        lock_catalogue(session)
        if _is_loaded(session, content_hash):
            return Loaded(is_new=False)
        _write(session, timetable)
        _record(session, timetable, content_hash, now)
    return Loaded(
        is_new=True,
        trains=len(timetable.trains),
        stations=len(timetable.stations),
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


def _is_loaded(session: DbSession, content_hash: str) -> bool:
    newest = select(TimetableLoad.content_hash).order_by(TimetableLoad.load_id.desc()).limit(1)
    return session.execute(newest).scalar_one_or_none() == content_hash


def _refuse_unsound(timetable: Timetable) -> None:
    crowded = [
        f"coach {coach.train_number}/{coach.coach_number} must have a number from 1 "
        f"and 1 to {SEATS_PER_COACH_MAX} seats"
        for coach in timetable.coaches
        if coach.coach_number < 1 or not 0 < coach.seats <= SEATS_PER_COACH_MAX
    ]
    if found := [*crowded, *faults(timetable)]:
        more = f"; and {len(found) - FAULTS_TOLD_MAX} more" if len(found) > FAULTS_TOLD_MAX else ""
        raise normalised.BrokenTimetableError("; ".join(found[:FAULTS_TOLD_MAX]) + more)


def _write(session: DbSession, timetable: Timetable) -> None:
    _upsert(session, Station, "station_code", [vars(row) for row in timetable.stations])
    _upsert(session, SeatClass, "seat_class", [vars(row) for row in timetable.seat_classes])
    _upsert(session, Train, "train_number", _train_rows(timetable))
    _write_dates(session, timetable)
    free_from = first_free_dates(session)
    _end_missing(session, timetable, free_from)
    _write_sets(session, timetable, free_from)


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


def _end_missing(session: DbSession, timetable: Timetable, free_from: Mapping[str, date]) -> None:
    numbers = {train.train_number for train in timetable.trains}
    for train in session.scalars(select(Train).where(Train.is_imported)):
        if train.train_number not in numbers:
            end = free_from.get(train.train_number, ALWAYS)
            train.valid_until = min(train.valid_until or end, end)
            session.execute(
                delete(TrainDate)
                .where(TrainDate.train_number == train.train_number, TrainDate.service_date >= end)
                .execution_options(synchronize_session=False)
            )


def _write_sets(session: DbSession, timetable: Timetable, free_from: Mapping[str, date]) -> None:
    """Only sets that differ from what is in force; a set that is left out stays as it is."""
    offers = offers_of(session, [train.train_number for train in timetable.trains])
    stops, coaches, fares = _stops(timetable), _coaches(timetable), _fares(timetable)
    for number, offer in offers.items():
        start = free_from.get(number, ALWAYS)
        if stops[number] and tuple(stops[number]) != offer.stops.on(start):
            write_stops(session, number, start, stops[number])
        if coaches[number] and tuple(coaches[number]) != offer.coaches.on(start):
            write_coaches(session, number, start, coaches[number])
        if fares[number] and set(fares[number]) != set(offer.fares.on(start)):
            write_fares(session, number, start, fares[number])


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


def _record(session: DbSession, timetable: Timetable, content_hash: str, now: datetime) -> None:
    session.add(
        TimetableLoad(
            content_hash=content_hash,
            source=timetable.agency.source,
            licence=timetable.agency.licence,
            retrieved_date=timetable.agency.retrieved_date,
            loaded_at=now,
        )
    )
