"""Running days and moments, over midnight and over the days on which clocks change."""

from datetime import UTC, date, datetime

from ticket.calendar import Calendar, iso, local_date, moment

WEDNESDAY = date(2026, 11, 25)


def test_train_runs_on_its_weekdays_only():
    calendar = Calendar("1245")
    assert not calendar.runs_on(WEDNESDAY)
    assert calendar.runs_on(date(2026, 11, 26))


def test_validity_includes_its_first_day_and_not_its_last():
    calendar = Calendar("1234567", date(2026, 11, 25), date(2026, 11, 27))
    days = [date(2026, 11, day) for day in (24, 25, 26, 27)]
    assert [calendar.runs_on(day) for day in days] == [False, True, True, False]


def test_exceptions_are_stronger_than_weekdays_and_validity():
    off, extra = date(2026, 11, 26), date(2027, 1, 1)
    calendar = Calendar("1234567", None, date(2026, 12, 1), {off: False, extra: True})
    assert not calendar.runs_on(off)
    assert calendar.runs_on(extra)


def test_train_without_weekdays_runs_on_its_exceptions_only():
    calendar = Calendar("", exceptions={WEDNESDAY: True})
    assert calendar.runs_on(WEDNESDAY)
    assert not calendar.runs_on(date(2026, 12, 2))


def test_minutes_count_from_local_midnight():
    assert moment(WEDNESDAY, 420, "Asia/Dhaka") == datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


def test_minutes_beyond_a_day_reach_into_the_next():
    at = moment(WEDNESDAY, 25 * 60 + 30, "Asia/Dhaka")
    assert iso(at) == "2026-11-25T19:30:00Z"
    assert local_date(at, "Asia/Dhaka") == date(2026, 11, 26)


def test_departure_by_night_keeps_its_clock_time_when_clocks_go_forward():
    """On 8 March 2026 Toronto's clocks jumped at 02:00: noon is an hour nearer to midnight."""
    spring = date(2026, 3, 8)
    assert iso(moment(spring, 12 * 60, "America/Toronto")) == "2026-03-08T16:00:00Z"
    assert iso(moment(spring, 8 * 60, "America/Toronto")) == "2026-03-08T12:00:00Z"
    assert iso(moment(spring, 0, "America/Toronto")) == "2026-03-08T04:00:00Z"


def test_journey_takes_as_long_as_ever_when_clocks_go_back():
    autumn = date(2026, 11, 1)
    leaves = moment(autumn, 0, "America/Toronto")
    arrives = moment(autumn, 300, "America/Toronto")
    assert (arrives - leaves).total_seconds() == 5 * 3600
