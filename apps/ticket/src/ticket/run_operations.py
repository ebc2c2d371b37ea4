"""What staff do to runs: add one outside the calendar, cancel one, set the times of sales."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from chassis.database import DbSession, transaction
from chassis.identity import Identity
from chassis.problems import IdReused, InvalidRequest, Problem
from ticket.auditing import Kind, record
from ticket.calendar import local_date
from ticket.definition import run_id_of
from ticket.editions import offer_of
from ticket.models import Run, SalesWindow, Train, db
from ticket.operations import TrainNotFound
from ticket.publishing import Publisher, lock_catalogue

RUN_DAYS_AHEAD_MAX = 60


class RunNotFound(Problem):
    status, code, title = 404, "run_not_found", "There is no such run."


class TrainHasNoStops(Problem):
    status, code, title = 409, "train_has_no_stops", "The train calls nowhere on that date."


@dataclass(frozen=True)
class RunOutcome:
    is_new: bool
    run_id: UUID
    version: int
    state: str
    cancellation_reason: str | None


def put_run(
    *, run_id: UUID, train_number: str, service_date: date, staff: Identity, now: datetime
) -> RunOutcome:
    """
    Add a run on a date on which the train's calendar has none.

    Raises:
        InvalidRequest: the id is not that of the train and date, or the date is out of reach.
        TrainNotFound, TrainHasNoStops: as they say.
    """
    if run_id != run_id_of(train_number, service_date):
        raise InvalidRequest(errors={"run_id": ["Not the id of this train and date."]})
    with transaction(db) as session:
        lock_catalogue(session)
        run = session.get(Run, run_id)
        if run is not None:
            return _outcome(run, is_new=False)
        offer = offer_of(session, train_number)
        if offer is None:
            raise TrainNotFound
        _refuse_out_of_reach(service_date, local_date(now, offer.train.timezone))
        if not offer.stops.on(service_date):
            raise TrainHasNoStops
        Publisher(session, now=now).add_runs([(offer.on(service_date), service_date)])
        record(
            session, staff=staff, kind=Kind.RUN, subject=run_id, before=None,
            after={"train_number": train_number, "service_date": service_date}, now=now,
        )  # fmt: skip
        return _outcome(session.get_one(Run, run_id), is_new=True)


def _refuse_out_of_reach(service_date: date, today: date) -> None:
    if not today <= service_date <= today + timedelta(days=RUN_DAYS_AHEAD_MAX):
        raise InvalidRequest(
            errors={"service_date": [f"From today on, at most {RUN_DAYS_AHEAD_MAX} days ahead."]}
        )


def cancel_run(*, run_id: UUID, reason: str, staff: Identity, now: datetime) -> RunOutcome:
    """
    Cancel a run for good.

    Raises:
        RunNotFound: as it says.
        IdReused: it was cancelled for another reason.
    """
    with transaction(db) as session:
        lock_catalogue(session)
        run = session.get(Run, run_id)
        if run is None:
            raise RunNotFound
        if run.state == "cancelled":
            if run.cancellation_reason != reason:
                raise IdReused(f"The run was cancelled before: {run.cancellation_reason}")
            return _outcome(run, is_new=False)
        run.cancellation_reason = reason
        Publisher(session, now=now).cancel(run)
        record(
            session, staff=staff, kind=Kind.RUN_CANCELLATION, subject=run_id,
            before={"state": "scheduled"}, after={"state": "cancelled", "reason": reason}, now=now,
        )  # fmt: skip
        return _outcome(run, is_new=True)


def _outcome(run: Run, *, is_new: bool) -> RunOutcome:
    return RunOutcome(
        is_new=is_new,
        run_id=run.run_id,
        version=run.version,
        state=run.state,
        cancellation_reason=run.cancellation_reason,
    )


@dataclass(frozen=True)
class WindowTerms:
    """For one run, or for a train or a zone and the service dates of `[from_date, until_date)`."""

    run_id: UUID | None
    train_number: str | None
    zone: str | None
    from_date: date | None
    until_date: date | None
    opens_at: datetime | None
    closes_at: datetime | None


@dataclass(frozen=True)
class WindowOutcome:
    is_new: bool
    runs_changed: int


def put_sales_window(
    *, sales_window_id: UUID, terms: WindowTerms, staff: Identity, now: datetime
) -> WindowOutcome:
    """
    Open or close sales at other times than the regular ones. A later window for the same runs
    is stronger than an earlier one, so a window is never changed.

    Raises:
        RunNotFound, TrainNotFound: as they say.
        IdReused: the window says something else.
    """
    with transaction(db) as session:
        lock_catalogue(session)
        window = session.get(SalesWindow, sales_window_id)
        if window is not None:
            if any(getattr(window, name) != value for name, value in vars(terms).items()):
                raise IdReused
            return WindowOutcome(is_new=False, runs_changed=0)
        runs = _runs_of(session, terms)
        session.add(SalesWindow(sales_window_id=sales_window_id, updated_at=now, **vars(terms)))
        session.flush()
        changed = Publisher(session, now=now).reschedule_sales(runs, _zones(session))
        record(
            session, staff=staff, kind=Kind.SALES_WINDOW, subject=sales_window_id,
            before=None, after=vars(terms), now=now,
        )  # fmt: skip
        return WindowOutcome(is_new=True, runs_changed=changed)


def _runs_of(session: DbSession, terms: WindowTerms) -> list[Run]:
    """The scheduled runs that exist and that the window covers; later ones find it themselves."""
    rows = select(Run).where(Run.state == "scheduled").order_by(Run.run_id)
    if terms.run_id is not None:
        if session.get(Run, terms.run_id) is None:
            raise RunNotFound
        return list(session.scalars(rows.where(Run.run_id == terms.run_id)))
    rows = rows.where(Run.service_date >= terms.from_date, Run.service_date < terms.until_date)
    if terms.train_number is not None:
        if session.get(Train, terms.train_number) is None:
            raise TrainNotFound
        return list(session.scalars(rows.where(Run.train_number == terms.train_number)))
    in_zone = select(Train.train_number).where(Train.zone == terms.zone)
    return list(session.scalars(rows.where(Run.train_number.in_(in_zone))))


def _zones(session: DbSession) -> dict[str, str]:
    rows = session.execute(select(Train.train_number, Train.zone))
    return {number: zone for number, zone in rows}  # noqa: C416 - rows are no mapping
