"""
Writes runs and their versions, inside a transaction that its caller opened.

Writers hold the catalogue's row from their first statement on, so they come one after the other:
two changes of a run never make the same version, and a reader of /run-changes that has seen a
cursor has seen every smaller one.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from flask import current_app
from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from chassis.database import DbSession
from chassis.problems import Problem
from ticket.calendar import iso
from ticket.definition import (
    PlannedTrain,
    altered_coaches,
    has_same_stations,
    head_of,
    plan_of,
    run_id_of,
)
from ticket.editions import TrainOffer
from ticket.models import Catalogue, Plan, Run, RunChange, RunVersion, SalesWindow
from ticket.sales import Sales, Window, regular_sales, sales_with

NEXT_VERSION = Catalogue.version + 1


class CoachPlanInUse(Problem):
    status, code, title = 409, "coach_plan_in_use", "Seats of this coach may have been sold."


class StopsInUse(Problem):
    status, code, title = 409, "stops_in_use", "Tickets between these stops may have been sold."


def lock_catalogue(session: DbSession) -> int:
    """Wait until no other writer is at work, and raise the catalogue's version."""
    raised = (
        insert_or(Catalogue)
        .values(catalogue_id=1, version=1)
        .on_conflict_do_update(index_elements=["catalogue_id"], set_={"version": NEXT_VERSION})
        .returning(Catalogue.version)
    )
    return int(session.execute(raised).scalar_one())


def windows_of(session: DbSession) -> list[Window]:
    rows = session.execute(
        select(
            SalesWindow.run_id, SalesWindow.train_number, SalesWindow.zone,
            SalesWindow.from_date, SalesWindow.until_date,
            SalesWindow.opens_at, SalesWindow.closes_at, SalesWindow.updated_at,
        )
    )  # fmt: skip
    return [Window(*row) for row in rows]


class Publisher:
    """Keeps the plans it has written, since the days of a train mostly share one."""

    def __init__(self, session: DbSession, *, now: datetime) -> None:
        self._session = session
        self._now = now
        self._windows = windows_of(session)
        self._plans: dict[tuple[Any, ...], str] = {}

    def add_runs(self, wanted: Sequence[tuple[PlannedTrain, date]]) -> int:
        """Write runs that do not exist yet, each with its version 1."""
        runs = [_new_run(train.train_number, service_date) for train, service_date in wanted]
        if runs:
            self._session.execute(insert(Run), runs)
            self._write(
                self._row(self._head(train, service_date, 1), self._plan_id(train))
                for train, service_date in wanted
            )
        return len(runs)

    def refresh(self, runs: Sequence[Run], offer: TrainOffer) -> int:
        """
        Bring scheduled runs of a train up to what it offers now; how many changed.

        Raises:
            CoachPlanInUse: a coach of a run would go or change.
            StopsInUse: a run would call at other stations.
        """
        rows = []
        current = current_versions(self._session, runs)
        for run in runs:
            train = offer.on(run.service_date)
            head = self._head(train, run.service_date, run.version + 1)
            rows.append(self._row(head, self._plan_id(train)))
            self._refuse_harm(current[run.run_id], head, rows[-1]["plan_id"])
        return self._write_changed(runs, rows, current)

    def reschedule_sales(self, runs: Sequence[Run], zones: Mapping[str, str]) -> int:
        """Let the windows of staff show in the runs' definitions; how many changed."""
        current = current_versions(self._session, runs)
        rows = []
        for run in runs:
            head = orjson.loads(current[run.run_id].head)
            sales = self._sales_by_head(head, zones[run.train_number])
            head.update(version=run.version + 1, sales=sales)
            rows.append(self._row(head, current[run.run_id].plan_id))
        return self._write_changed(runs, rows, current)

    def cancel(self, run: Run) -> None:
        current = current_versions(self._session, [run])
        head = orjson.loads(current[run.run_id].head)
        head.update(version=run.version + 1, state="cancelled")
        run.state = "cancelled"
        self._write_changed([run], [self._row(head, current[run.run_id].plan_id)], current)

    def _write_changed(
        self,
        runs: Sequence[Run],
        rows: Sequence[dict[str, Any]],
        current: Mapping[UUID, RunVersion],
    ) -> int:
        changed = [
            (run, row)
            for run, row in zip(runs, rows, strict=True)
            if row["content_hash"] != current[run.run_id].content_hash
        ]
        for run, row in changed:
            run.version = row["version"]
        self._session.flush()
        self._write(row for _, row in changed)
        return len(changed)

    def _write(self, rows: Iterable[dict[str, Any]]) -> None:
        versions = list(rows)
        if versions:
            states = [version.pop("state") for version in versions]
            self._session.execute(insert(RunVersion), versions)
            changes = [
                {
                    "run_id": version["run_id"],
                    "version": version["version"],
                    "state": state,
                    "changed_at": self._now,
                }
                for version, state in zip(versions, states, strict=True)
            ]
            self._session.execute(insert(RunChange), changes)

    def _refuse_harm(self, current: RunVersion, head: dict[str, Any], plan_id: str) -> None:
        when = f"The run of {head['service_date']} exists"
        if not has_same_stations(orjson.loads(current.head), head):
            raise StopsInUse(f"{when}: choose a later from_date.")
        if current.plan_id == plan_id:
            return
        before, after = (
            orjson.loads(self._session.get_one(Plan, id_).content)
            for id_ in (current.plan_id, plan_id)
        )
        if altered := altered_coaches(before, after):
            raise CoachPlanInUse(
                f"{when} with coach {altered[0]} as it was: choose a later from_date."
            )

    def _head(self, train: PlannedTrain, service_date: date, version: int) -> dict[str, Any]:
        sales = self._sales(
            run_id=run_id_of(train.train_number, service_date),
            train_number=train.train_number,
            zone=train.zone,
            timezone=train.timezone,
            service_date=service_date,
            leaves_at=train.leaves_at(service_date),
            last_departs_at=train.last_departs_at(service_date),
        )
        return head_of(
            train,
            service_date,
            version=version,
            state="scheduled",
            sales=sales,
            online_charge_minor=current_app.extensions["settings"].online_charge_minor,
        )

    def _sales_by_head(self, head: dict[str, Any], zone: str) -> dict[str, str]:
        departures = [stop["departs_at"] for stop in head["stops"] if stop["departs_at"]]
        sales = self._sales(
            run_id=UUID(head["run_id"]),
            train_number=head["train_number"],
            zone=zone,
            timezone=head["timezone"],
            service_date=date.fromisoformat(head["service_date"]),
            leaves_at=datetime.fromisoformat(departures[0]),
            last_departs_at=datetime.fromisoformat(departures[-1]),
        )
        return {"opens_at": iso(sales.opens_at), "closes_at": iso(sales.closes_at)}

    def _sales(
        self,
        *,
        run_id: UUID,
        train_number: str,
        zone: str,
        timezone: str,
        service_date: date,
        leaves_at: datetime,
        last_departs_at: datetime,
    ) -> Sales:
        covering = [
            window
            for window in self._windows
            if window.covers(
                run_id=run_id, train_number=train_number, zone=zone, service_date=service_date
            )
        ]
        regular = regular_sales(service_date, zone=zone, timezone=timezone, leaves_at=leaves_at)
        return sales_with(regular, covering, last_departs_at=last_departs_at)

    def _row(self, head: dict[str, Any], plan_id: str) -> dict[str, Any]:
        """The hash leaves the version's number out: it tells whether anything has changed."""
        content = orjson.dumps({**head, "version": 0, "plan": plan_id})
        return {
            "run_id": UUID(head["run_id"]),
            "version": head["version"],
            "state": head["state"],
            "plan_id": plan_id,
            "head": orjson.dumps(head).decode(),
            "content_hash": hashlib.sha256(content).hexdigest(),
            "created_at": self._now,
        }

    def _plan_id(self, train: PlannedTrain) -> str:
        key = (train.stops, train.coaches, train.fares)
        if key not in self._plans:
            content = orjson.dumps(plan_of(train))
            plan_id = self._plans[key] = hashlib.sha256(content).hexdigest()
            self._session.execute(
                insert_or(Plan)
                .values(plan_id=plan_id, content=content.decode())
                .on_conflict_do_nothing()
            )
        return self._plans[key]


def current_versions(session: DbSession, runs: Iterable[Run]) -> dict[UUID, RunVersion]:
    run_ids = [run.run_id for run in runs]
    rows = session.scalars(
        select(RunVersion)
        .join(Run, (Run.run_id == RunVersion.run_id) & (Run.version == RunVersion.version))
        .where(Run.run_id.in_(run_ids))
    )
    return {row.run_id: row for row in rows}


def _new_run(train_number: str, service_date: date) -> dict[str, Any]:
    return {
        "run_id": run_id_of(train_number, service_date),
        "train_number": train_number,
        "service_date": service_date,
        "state": "scheduled",
        "version": 1,
    }
