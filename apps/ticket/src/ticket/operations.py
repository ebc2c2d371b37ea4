"""
What staff do to trains. A change is in force from a date on; runs of that date and later which
exist already get a new version, unless that would hurt what has been sold of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from chassis.database import DbSession, transaction
from chassis.identity import Identity
from chassis.problems import InvalidRequest, Problem
from ticket.auditing import Kind, record, rows
from ticket.calendar import local_date
from ticket.definition import FareRule, StopTimes
from ticket.editions import (
    DatedSets,
    TrainOffer,
    first_free_dates,
    names_of,
    offer_of,
    write_coaches,
    write_fares,
    write_stops,
)
from ticket.models import Run, Train, db
from ticket.publishing import Publisher, lock_catalogue
from ticket.rules import coach_faults, fare_faults, stop_faults
from ticket.seatplan import CoachPlan

FROM_DATE_DAYS_MAX = 400


class TrainNotFound(Problem):
    status, code, title = 404, "train_not_found", "There is no such train."


@dataclass(frozen=True)
class Outcome:
    """What a change did; `is_new` when what it names was not there before."""

    is_new: bool
    from_date: date
    runs_changed: int


@dataclass(frozen=True)
class TrainTerms:
    name: str
    name_bn: str
    zone: str
    running_days: str
    valid_from: date | None
    valid_until: date | None


def put_train(
    *,
    train_number: str,
    terms: TrainTerms,
    stops: Sequence[StopTimes],
    from_date: date | None,
    timezone: str,
    currency: str,
    staff: Identity,
    now: datetime,
) -> Outcome:
    """
    Write a train and its stops. A new train takes `timezone` and `currency`; it offers nothing
    until it has coaches and fares.

    Raises:
        InvalidRequest: the stops are no way of a train, or the date is past.
        StopsInUse: runs from that date on exist and call elsewhere.
    """
    with transaction(db) as session:
        lock_catalogue(session)
        _refuse("stops", stop_faults(stops, names_of(session).stations))
        offer = offer_of(session, train_number)
        start = _start(
            session, train_number, from_date, offer.train.timezone if offer else timezone, now
        )
        before = _train_now(offer, start)
        after = {**vars(terms), "from_date": start, "stops": rows(stops)}
        if before is not None and {**before, "from_date": start} == after:
            return Outcome(is_new=False, from_date=start, runs_changed=0)
        _write_train(session, offer, train_number, terms, timezone, currency)
        if offer is None or tuple(stops) != offer.stops.on(start):
            write_stops(session, train_number, start, stops)
        changed = _refresh_runs(session, train_number, start, now)
        record(
            session, staff=staff, kind=Kind.TRAIN, subject=train_number,
            before=before, after=after, now=now,
        )  # fmt: skip
        return Outcome(is_new=offer is None, from_date=start, runs_changed=changed)


def put_coach_plan(
    *,
    train_number: str,
    coaches: Sequence[CoachPlan],
    from_date: date | None,
    staff: Identity,
    now: datetime,
) -> Outcome:
    """
    Raises:
        TrainNotFound, InvalidRequest: as they say.
        CoachPlanInUse: a run from that date on exists with a coach that would go or change.
    """
    ordered = sorted(coaches, key=lambda coach: coach.coach_number)

    def faults(offer: TrainOffer, _: date) -> list[str]:
        return coach_faults(ordered, offer.names.classes)

    return _put_set(
        _Part("coaches", Kind.COACH_PLAN, lambda offer: offer.coaches, write_coaches, faults),
        train_number, ordered, from_date, staff, now,
    )  # fmt: skip


def put_fares(
    *,
    train_number: str,
    fares: Sequence[FareRule],
    from_date: date | None,
    staff: Identity,
    now: datetime,
) -> Outcome:
    """
    Raises:
        TrainNotFound, InvalidRequest: as they say.
    """
    ordered = sorted(fares, key=lambda fare: (fare.seat_class, fare.from_code, fare.to_code))

    def faults(offer: TrainOffer, start: date) -> list[str]:
        return fare_faults(ordered, offer.stops.on(start), offer.names.classes)

    return _put_set(
        _Part("fares", Kind.FARES, lambda offer: offer.fares, write_fares, faults),
        train_number, ordered, from_date, staff, now,
    )  # fmt: skip


@dataclass(frozen=True)
class _Part:
    """One of the dated sets of a train: where it is, how it is written, what is wrong with it."""

    field: str
    kind: Kind
    of: Callable[[TrainOffer], DatedSets[Any]]
    write: Callable[[DbSession, str, date, Sequence[Any]], None]
    faults: Callable[[TrainOffer, date], list[str]]


def _put_set(
    part: _Part,
    train_number: str,
    wanted: Sequence[Any],
    from_date: date | None,
    staff: Identity,
    now: datetime,
) -> Outcome:
    with transaction(db) as session:
        lock_catalogue(session)
        offer = offer_of(session, train_number)
        if offer is None:
            raise TrainNotFound
        start = _start(session, train_number, from_date, offer.train.timezone, now)
        _refuse(part.field, part.faults(offer, start))
        before = part.of(offer).on(start)
        if set(before) == set(wanted):
            return Outcome(is_new=False, from_date=start, runs_changed=0)
        part.write(session, train_number, start, wanted)
        changed = _refresh_runs(session, train_number, start, now)
        record(
            session, staff=staff, kind=part.kind, subject=train_number,
            before={part.field: rows(before)} if before else None,
            after={"from_date": start, part.field: rows(wanted)}, now=now,
        )  # fmt: skip
        return Outcome(is_new=not before, from_date=start, runs_changed=changed)


def _refuse(field: str, faults: list[str]) -> None:
    if faults:
        raise InvalidRequest(errors={field: faults[:20]})


def _start(
    session: DbSession, train_number: str, from_date: date | None, timezone: str, now: datetime
) -> date:
    """Without a date, the day after the train's last run: nothing that exists is touched."""
    today = local_date(now, timezone)
    if from_date is None:
        return max(first_free_dates(session).get(train_number, today), today)
    if not today <= from_date <= today + timedelta(days=FROM_DATE_DAYS_MAX):
        raise InvalidRequest(
            errors={"from_date": [f"From today on, at most {FROM_DATE_DAYS_MAX} days ahead."]}
        )
    return from_date


def _train_now(offer: TrainOffer | None, start: date) -> dict[str, Any] | None:
    if offer is None:
        return None
    terms = {name: getattr(offer.train, name) for name in TrainTerms.__dataclass_fields__}
    return {**terms, "stops": rows(offer.stops.on(start))}


def _write_train(
    session: DbSession,
    offer: TrainOffer | None,
    train_number: str,
    terms: TrainTerms,
    timezone: str,
    currency: str,
) -> None:
    if offer is None:
        session.add(
            Train(
                train_number=train_number,
                timezone=timezone,
                currency=currency,
                is_imported=False,
                **vars(terms),
            )
        )
    else:
        for name, value in vars(terms).items():
            setattr(offer.train, name, value)
    session.flush()


def _refresh_runs(session: DbSession, train_number: str, start: date, now: datetime) -> int:
    offer = offer_of(session, train_number)
    runs = session.scalars(
        select(Run)
        .where(
            Run.train_number == train_number,
            Run.service_date >= start,
            Run.state == "scheduled",
        )
        .order_by(Run.service_date)
    ).all()
    return Publisher(session, now=now).refresh(runs, offer) if offer and runs else 0
