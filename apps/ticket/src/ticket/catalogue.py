"""
The catalogue as a process keeps it: stations, trains and the runs of the coming days, loaded when
the catalogue's version has changed, which is asked at most once in `refresh_seconds`.

Searches never wait for the database, and go on while it is away.
"""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ticket import queries
from ticket.search import ListedRun, Offer, RunIndex, listed_run, offer_of
from ticket.station_names import NameIndex

DEFINITIONS_MAX = 256
# A night train of the day before yesterday may still be boarded somewhere.
PAST_DAYS = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    version: int
    stations: dict[str, dict[str, Any]]
    stations_by_name: NameIndex[dict[str, Any]]
    seat_classes: list[dict[str, Any]]
    trains: dict[str, dict[str, Any]]
    trains_by_name: NameIndex[dict[str, Any]]
    listed: dict[UUID, ListedRun]
    offers: dict[str, Offer]
    runs: RunIndex


class CatalogueReader:
    def __init__(self, *, refresh_seconds: float) -> None:
        self._refresh = timedelta(seconds=refresh_seconds)
        self._checked_at: datetime | None = None
        self._snapshot: Snapshot | None = None
        self._definitions: dict[tuple[UUID, int], bytes] = {}
        self._lock = threading.Lock()

    def snapshot(self, now: datetime) -> Snapshot:
        """While one thread refreshes it, the others go on with what is there."""
        kept = self._snapshot
        if kept is None:
            with self._lock:
                return self._snapshot or self._loaded(now)
        if self._is_due(now) and self._lock.acquire(blocking=False):
            try:
                return self._refreshed(kept, now)
            finally:
                self._lock.release()
        return kept

    def definition(self, mark: queries.VersionMark) -> bytes:
        """A version never changes, so neither does what is kept of it."""
        key = (mark.run_id, mark.version)
        kept = self._definitions.get(key)
        if kept is None:
            with queries.reading() as connection:
                kept = queries.definition(connection, *key)
            if len(self._definitions) >= DEFINITIONS_MAX:
                self._definitions.clear()
            self._definitions[key] = kept
        return kept

    def forget(self) -> None:
        """Start anew, as after the database was replaced."""
        self._snapshot = None
        self._definitions.clear()

    def _is_due(self, now: datetime) -> bool:
        return self._checked_at is None or abs(now - self._checked_at) >= self._refresh

    def _refreshed(self, kept: Snapshot, now: datetime) -> Snapshot:
        self._checked_at = now
        try:
            with queries.reading() as connection:
                version = queries.catalogue_version(connection)
            return kept if version == kept.version else self._loaded(now)
        except SQLAlchemyError as error:
            _log.warning("the catalogue is served as it was: %s", error)
            return kept

    def _loaded(self, now: datetime) -> Snapshot:
        with queries.reading_one_moment() as connection:
            self._snapshot = _load(connection, now, self._snapshot)
        self._checked_at = now
        return self._snapshot


def _load(connection: Connection, now: datetime, before: Snapshot | None) -> Snapshot:
    version = queries.catalogue_version(connection)
    stations = {row["station_code"]: row for row in queries.stations(connection)}
    trains = _trains(connection, now)
    if before is not None and before.stations != stations:
        before = None
    listed = _listed(connection, now, stations, before.listed if before else {})
    offers = _offers(connection, listed, before.offers if before else {})
    return Snapshot(
        version=version,
        stations=stations,
        stations_by_name=NameIndex(
            (row, (row["name"], row["name_bn"], row["station_code"])) for row in stations.values()
        ),
        seat_classes=queries.seat_classes(connection),
        trains=trains,
        trains_by_name=NameIndex(
            (row, (row["train_number"], row["name"], row["name_bn"])) for row in trains.values()
        ),
        listed=listed,
        offers=offers,
        runs=RunIndex(listed.values(), offers),
    )


def _trains(connection: Connection, now: datetime) -> dict[str, dict[str, Any]]:
    ends = queries.ends_of_trains(connection, on=now.date())
    found = {}
    for row in queries.trains(connection):
        first, last = ends.get(row["train_number"], (None, None))
        found[row["train_number"]] = {**row, "from_code": first, "to_code": last}
    return found


def _listed(
    connection: Connection,
    now: datetime,
    stations: dict[str, dict[str, Any]],
    before: dict[UUID, ListedRun],
) -> dict[UUID, ListedRun]:
    since = now.date() - timedelta(days=PAST_DAYS)
    versions = queries.listed_versions(connection, since=since)
    listed = {run_id: run for run_id, run in before.items() if versions.get(run_id) == run.version}
    timezones = {code: row["timezone"] for code, row in stations.items()}
    new = [run_id for run_id in versions if run_id not in listed]
    for head, plan_id in queries.heads(connection, new) if new else ():
        run = listed_run(orjson.loads(head), plan_id, timezones)
        listed[run.run_id] = run
    return listed


def _offers(
    connection: Connection, listed: dict[UUID, ListedRun], before: dict[str, Offer]
) -> dict[str, Offer]:
    wanted = {run.plan_id for run in listed.values()}
    offers = {plan_id: offer for plan_id, offer in before.items() if plan_id in wanted}
    new = sorted(wanted - offers.keys())
    for plan_id, content in queries.plans(connection, new).items() if new else ():
        offers[plan_id] = offer_of(orjson.loads(content))
    return offers
