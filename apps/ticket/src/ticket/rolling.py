"""
Rolling the catalogue forward: every train that runs on one of the next days gets its run.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select

from chassis.database import DbSession, transaction
from ticket.calendar import days_from, local_date
from ticket.editions import calendars_of, offers_of
from ticket.models import Run, db
from ticket.publishing import Publisher, lock_catalogue

# Trains a transaction: staff never wait long for the catalogue, and half a day's work is kept.
BATCH = 16


def roll_forward(*, days: int, now: datetime) -> int:
    """
    Make the missing runs of today and the next `days` days, by each train's own clock, with their
    version 1; how many were made. Runs that exist are left as they are.
    """
    with transaction(db) as session:
        numbers = sorted(_missing(session, days=days, now=now))
    batches = (numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH))
    return sum(_roll_batch(batch, days=days, now=now) for batch in batches)


def _roll_batch(numbers: Sequence[str], *, days: int, now: datetime) -> int:
    with transaction(db) as session:
        lock_catalogue(session)
        missing = _missing(session, days=days, now=now)
        offers = offers_of(session, numbers)
        wanted = [
            (offers[number].on(service_date), service_date)
            for number in numbers
            for service_date in missing.get(number, ())
            if offers[number].stops.on(service_date)
        ]
        return Publisher(session, now=now).add_runs(wanted)


def _missing(session: DbSession, *, days: int, now: datetime) -> dict[str, list[date]]:
    """The dates on which a train runs and has no run yet, by train number."""
    rows = select(Run.train_number, Run.service_date).where(
        Run.service_date >= now.date() - timedelta(days=2)
    )
    existing = {(number, service_date) for number, service_date in session.execute(rows)}
    found = defaultdict(list)
    for number, (timezone, calendar) in calendars_of(session).items():
        for day in days_from(local_date(now, timezone), days + 1):
            if calendar.runs_on(day) and (number, day) not in existing:
                found[number].append(day)
    return found
