"""Loading a timetable and rolling runs forward, again and again."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select

from chassis.application import utc_now
from chassis.database import transaction
from ticket.editions import offer_of
from ticket.importers import normalised
from ticket.importers.normalised import BrokenTimetableError, CalendarDate, Coach, Fare, Stop
from ticket.loading import load_timetable
from ticket.models import Fare as FareRow
from ticket.models import (
    Plan,
    Run,
    RunChange,
    RunVersion,
    Station,
    TimetableLoad,
    Train,
    TrainStop,
    db,
)
from ticket.publishing import Publisher
from ticket.rolling import roll_forward

DAY_TRAIN, NIGHT_TRAIN, WEST_TRAIN = "702", "742", "753"
DAYS_AHEAD = 10


def load(content: normalised.Timetable, folder: Path):
    normalised.write(content, folder)
    return load_timetable(folder=folder, now=utc_now())


def roll() -> int:
    return roll_forward(days=DAYS_AHEAD, now=utc_now())


def count(model) -> int:
    return db.session.scalar(select(func.count()).select_from(model))


def dates_of(train_number: str) -> set[date]:
    return set(db.session.scalars(select(Run.service_date).where(Run.train_number == train_number)))


def test_same_timetable_is_loaded_once(app, tmp_path, timetable):
    first, second = load(timetable(), tmp_path), load(timetable(), tmp_path)
    assert (first.is_new, first.trains, first.stations) == (True, 3, 6)
    assert not second.is_new
    assert (count(TimetableLoad), count(Station), count(FareRow)) == (1, 6, 5)


def test_broken_folder_is_refused_and_leaves_nothing(app, tmp_path):
    with pytest.raises(BrokenTimetableError, match=r"agency\.csv is missing"):
        load_timetable(folder=tmp_path, now=utc_now())
    assert count(TimetableLoad) == 0


def test_coach_whose_seats_would_share_ids_with_the_next_is_refused(app, tmp_path, timetable):
    others = [row for row in timetable().coaches if row.train_number != DAY_TRAIN]
    crowded = timetable(coaches=(*others, Coach(DAY_TRAIN, 1, "KA", "ক", "S_CHAIR", 500, 1, 1)))
    with pytest.raises(BrokenTimetableError, match="1 to 999 seats"):
        load(crowded, tmp_path)
    assert count(Train) == 0


def test_every_day_from_today_to_the_tenth_has_its_runs(loaded, today):
    days = {today + timedelta(days=offset) for offset in range(DAYS_AHEAD + 1)}
    assert dates_of(DAY_TRAIN) == dates_of(WEST_TRAIN) == days
    assert count(Run) == count(RunVersion) == count(RunChange) == 33


def test_rolling_again_makes_nothing(loaded):
    assert roll() == 0
    assert count(RunVersion) == 33


def test_next_day_brings_one_run_a_train(loaded):
    assert roll_forward(days=DAYS_AHEAD, now=utc_now() + timedelta(days=1)) == 3


def test_days_of_a_train_share_one_plan(loaded):
    assert count(Plan) == 3


def test_off_days_and_exceptions_decide_about_runs(app, tmp_path, today, timetable):
    weekday = str((today + timedelta(days=1)).isoweekday())
    extra, off = today + timedelta(days=3), today + timedelta(days=8)
    trains = tuple(
        replace(row, running_days=weekday) if row.train_number == DAY_TRAIN else row
        for row in timetable().trains
    )
    exceptions = (
        CalendarDate(DAY_TRAIN, extra, runs=True),
        CalendarDate(DAY_TRAIN, off, runs=False),
    )
    load(timetable(trains=trains, calendar_dates=exceptions), tmp_path)
    roll()
    assert dates_of(DAY_TRAIN) == {today + timedelta(days=1), extra}


def test_train_without_stops_gets_no_run_and_stops_nobody(app, tmp_path, timetable):
    load(timetable(), tmp_path)
    db.session.execute(delete(TrainStop).where(TrainStop.train_number == WEST_TRAIN))
    db.session.commit()
    assert roll() == 22
    assert dates_of(WEST_TRAIN) == set()


def test_unsound_timetable_is_refused_and_leaves_nothing(app, tmp_path, timetable):
    nowhere = Fare(DAY_TRAIN, "S_CHAIR", "CTG", "DHK", 100, 0)
    with pytest.raises(BrokenTimetableError, match="is not a leg of the train"):
        load(timetable(fares=(nowhere,)), tmp_path)
    assert count(Train) == 0


def test_extra_run_far_ahead_holds_no_other_train_back(loaded, tmp_path, timetable, today):
    far = today + timedelta(days=40)
    planned = offer_of(db.session, DAY_TRAIN).on(far)
    with transaction(db) as session:
        Publisher(session, now=utc_now()).add_runs([(planned, far)])
    dearer = tuple(replace(fare, price_minor=99_900) for fare in timetable().fares)
    load(timetable(fares=dearer), tmp_path)
    soon = today + timedelta(days=DAYS_AHEAD + 1)
    prices = {
        number: {fare.price_minor for fare in offer_of(db.session, number).fares.on(soon)}
        for number in (DAY_TRAIN, NIGHT_TRAIN)
    }
    assert prices == {DAY_TRAIN: {45_000, 85_500}, NIGHT_TRAIN: {99_900}}


def test_newer_timetable_is_in_force_from_the_first_day_without_runs(
    loaded, tmp_path, today, timetable
):
    dearer = tuple(replace(fare, price_minor=99_900) for fare in timetable().fares)
    assert load(timetable(fares=dearer), tmp_path).is_new
    first_free = today + timedelta(days=DAYS_AHEAD + 1)
    offer = offer_of(db.session, DAY_TRAIN)
    assert {fare.price_minor for fare in offer.fares.on(today)} == {45_000, 85_500}
    assert {fare.price_minor for fare in offer.fares.on(first_free)} == {99_900}
    assert offer.coaches.starting(first_free) == ()


def test_train_that_a_newer_timetable_leaves_out_ends(loaded, tmp_path, timetable):
    def without(rows):
        return tuple(row for row in rows if row.train_number != NIGHT_TRAIN)

    content = timetable()
    load(
        timetable(
            trains=without(content.trains),
            stops=without(content.stops),
            fares=without(content.fares),
            coaches=without(content.coaches),
        ),
        tmp_path,
    )
    assert roll_forward(days=DAYS_AHEAD, now=utc_now() + timedelta(days=1)) == 2


def test_runs_follow_the_clock_of_their_railway(app, tmp_path, timetable):
    """At 20:00 UTC it is tomorrow in Dhaka, and the first run is tomorrow's."""
    load(timetable(), tmp_path)
    now = utc_now().replace(hour=20, minute=0)
    roll_forward(days=0, now=now)
    assert dates_of(DAY_TRAIN) == {now.date() + timedelta(days=1)}


def test_shipped_timetable_loads_and_rolls_within_seconds(app):
    began = utc_now()
    outcome = load_timetable(folder=normalised.SHIPPED, now=began)
    assert outcome.trains == 128
    assert roll() > 1_000
    assert (utc_now() - began).total_seconds() < 30
    assert not load_timetable(folder=normalised.SHIPPED, now=utc_now()).is_new


def test_staff_trains_survive_a_newer_timetable(loaded, tmp_path, timetable):
    train = db.session.get_one(Train, WEST_TRAIN)
    train.is_imported = False
    db.session.commit()
    content = timetable()

    def without(rows):
        return tuple(row for row in rows if row.train_number != WEST_TRAIN)

    load(
        timetable(
            trains=without(content.trains),
            stops=without(content.stops),
            fares=without(content.fares),
            coaches=without(content.coaches),
        ),
        tmp_path,
    )
    assert db.session.get_one(Train, WEST_TRAIN, populate_existing=True).valid_until is None


def test_changed_stops_wait_for_days_without_runs(loaded, tmp_path, today, timetable):
    others = [row for row in timetable().stops if row.train_number != DAY_TRAIN]
    direct = [Stop(DAY_TRAIN, 0, "DHK", None, 430), Stop(DAY_TRAIN, 1, "CTG", 700, None)]
    load(timetable(stops=(*others, *direct)), tmp_path)
    offer = offer_of(db.session, DAY_TRAIN)
    assert len(offer.stops.on(today)) == 3
    assert len(offer.stops.on(today + timedelta(days=DAYS_AHEAD + 1))) == 2
