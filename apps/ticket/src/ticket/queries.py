"""What is read from the catalogue's tables; nothing here writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select

from ticket.calendar import iso, local_date
from ticket.editions import offer_of
from ticket.models import (
    Catalogue,
    Plan,
    Run,
    RunChange,
    RunVersion,
    SeatClass,
    StaffChange,
    Station,
    Train,
    TrainStop,
    db,
)


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection for single statements, which need no transaction around them."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


@contextmanager
def reading_one_moment() -> Iterator[Connection]:
    """A connection whose statements all see the same moment."""
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield connection


@dataclass(frozen=True)
class VersionMark:
    run_id: UUID
    version: int
    etag: str


# The statements of the busiest reads are built once: building one costs as much as running it.
CATALOGUE_VERSION = select(Catalogue.version)
CURRENT_VERSION = (
    select(RunVersion.version, RunVersion.content_hash)
    .join(Run, (Run.run_id == RunVersion.run_id) & (Run.version == RunVersion.version))
    .where(Run.run_id == bindparam("run_id"))
)
VERSION_MARK = select(RunVersion.version, RunVersion.content_hash).where(
    RunVersion.run_id == bindparam("run_id"), RunVersion.version == bindparam("version")
)
DEFINITION = (
    select(RunVersion.head, Plan.content)
    .join(Plan, Plan.plan_id == RunVersion.plan_id)
    .where(RunVersion.run_id == bindparam("run_id"), RunVersion.version == bindparam("version"))
)
RUN_CHANGES = (
    select(
        RunChange.cursor, RunChange.run_id, RunChange.version,
        RunChange.state, RunChange.changed_at,
    )
    .where(RunChange.cursor > bindparam("after"))
    .order_by(RunChange.cursor)
    .limit(bindparam("limit"))
)  # fmt: skip
# Beyond what the column holds there is no version, and PostgreSQL would refuse the number.
VERSION_MAX = 2**31 - 1


def catalogue_version(connection: Connection) -> int:
    return connection.execute(CATALOGUE_VERSION).scalar_one_or_none() or 0


def current_version(connection: Connection, run_id: UUID) -> VersionMark | None:
    """The version in force, as of this very moment: whoever was told of a change finds it."""
    row = connection.execute(CURRENT_VERSION, {"run_id": run_id}).one_or_none()
    return None if row is None else _mark(run_id, *row)


def version_mark(connection: Connection, run_id: UUID, version: int) -> VersionMark | None:
    if version > VERSION_MAX:
        return None
    row = connection.execute(VERSION_MARK, {"run_id": run_id, "version": version}).one_or_none()
    return None if row is None else _mark(run_id, *row)


def _mark(run_id: UUID, version: int, content_hash: str) -> VersionMark:
    return VersionMark(run_id, version, f"{version}-{content_hash[:32]}")


def definition(connection: Connection, run_id: UUID, version: int) -> bytes:
    """The definition's JSON: head and plan, which are stored apart, as one object."""
    wanted = {"run_id": run_id, "version": version}
    head, plan = connection.execute(DEFINITION, wanted).one()
    return f"{head[:-1]},{plan[1:]}".encode()


def run_changes(connection: Connection, *, after: int, limit: int) -> dict[str, Any]:
    rows = connection.execute(RUN_CHANGES, {"after": after, "limit": limit}).all()
    changes = [
        {
            "cursor": row.cursor,
            "run_id": row.run_id,
            "version": row.version,
            "state": row.state,
            "changed_at": iso(row.changed_at),
        }
        for row in rows
    ]
    return {"changes": changes, "next_after": rows[-1].cursor if rows else after}


def staff_changes(*, before: int | None, subject: str | None, limit: int) -> list[StaffChange]:
    """Newest first."""
    rows = select(StaffChange).order_by(StaffChange.change_id.desc()).limit(limit)
    if before is not None:
        rows = rows.where(StaffChange.change_id < before)
    if subject is not None:
        rows = rows.where(StaffChange.subject == subject)
    return list(db.session.scalars(rows))


def train_detail(train_number: str, *, now: datetime) -> dict[str, Any] | None:
    """A train's stops and coaches, as they are on today's service date."""
    offer = offer_of(db.session, train_number)
    if offer is None:
        return None
    today = local_date(now, offer.train.timezone)
    return {
        "timezone": offer.train.timezone,
        "currency": offer.train.currency,
        "stops": [
            {"sequence": sequence, **vars(offer.names.stations[stop.station_code]), **vars(stop)}
            for sequence, stop in enumerate(offer.stops.on(today))
        ],
        "coaches": [vars(coach) for coach in offer.coaches.on(today)],
    }


def stations(connection: Connection) -> list[dict[str, Any]]:
    columns = select(
        Station.station_code, Station.name, Station.name_bn,
        Station.latitude, Station.longitude, Station.zone, Station.timezone,
    )  # fmt: skip
    return [_dict(row) for row in connection.execute(columns.order_by(Station.name))]


def seat_classes(connection: Connection) -> list[dict[str, Any]]:
    columns = select(
        SeatClass.seat_class, SeatClass.name, SeatClass.name_bn, SeatClass.refund_category
    )
    return [_dict(row) for row in connection.execute(columns.order_by(SeatClass.seat_class))]


def trains(connection: Connection) -> list[dict[str, Any]]:
    columns = select(
        Train.train_number, Train.name, Train.name_bn, Train.running_days, Train.zone,
        Train.valid_from, Train.valid_until,
    )  # fmt: skip
    order = (func.length(Train.train_number), Train.train_number)
    return [_dict(row) for row in connection.execute(columns.order_by(*order))]


def ends_of_trains(connection: Connection, *, on: date) -> dict[str, tuple[str, str]]:
    """The codes of the first and the last station, by train number."""
    in_force = (
        select(TrainStop.train_number, func.max(TrainStop.from_date).label("from_date"))
        .where(TrainStop.from_date <= on)
        .group_by(TrainStop.train_number)
        .subquery()
    )
    rows = connection.execute(
        select(TrainStop.train_number, TrainStop.station_code)
        .join(
            in_force,
            (in_force.c.train_number == TrainStop.train_number)
            & (in_force.c.from_date == TrainStop.from_date),
        )
        .order_by(TrainStop.train_number, TrainStop.sequence)
    )
    ends: dict[str, tuple[str, str]] = {}
    for number, code in rows:
        ends[number] = (ends.get(number, (code,))[0], code)
    return ends


def listed_versions(connection: Connection, *, since: date) -> dict[UUID, int]:
    rows = connection.execute(select(Run.run_id, Run.version).where(Run.service_date >= since))
    return {run_id: version for run_id, version in rows}  # noqa: C416 - rows are no mapping


def heads(connection: Connection, run_ids: list[UUID]) -> list[tuple[str, str]]:
    """The head and the plan's id of the version in force, run by run."""
    rows = connection.execute(
        select(RunVersion.head, RunVersion.plan_id)
        .join(Run, (Run.run_id == RunVersion.run_id) & (Run.version == RunVersion.version))
        .where(Run.run_id.in_(run_ids))
    )
    return [(head, plan_id) for head, plan_id in rows]


def plans(connection: Connection, plan_ids: list[str]) -> dict[str, str]:
    rows = connection.execute(select(Plan.plan_id, Plan.content).where(Plan.plan_id.in_(plan_ids)))
    return {plan_id: content for plan_id, content in rows}  # noqa: C416 - rows are no mapping


def _dict(row: Any) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's published name
