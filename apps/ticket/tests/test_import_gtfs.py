"""The GTFS importer takes trains with times of their own, and says what it refuses and why."""

import shutil
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ticket.calendar import moment
from ticket.importers.__main__ import main
from ticket.importers.faults import faults
from ticket.importers.gtfs import import_gtfs
from ticket.importers.gtfs_sales import CoachOrder, coach_order
from ticket.importers.normalised import CalendarDate, read
from ticket.importers.sources import UnusableSourceError

FEED = Path(__file__).parent / "feeds" / "gtfs-small"


def taken(into, feed=FEED, **options):
    report = import_gtfs(feed=feed, into=into, currency="CAD", **options)
    return read(into), report


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    return taken(tmp_path_factory.mktemp("gtfs"), fares=FEED / "fares.csv")


@pytest.fixture
def timetable(imported):
    return imported[0]


@pytest.fixture
def report(imported):
    return imported[1]


def stops_of(timetable, number):
    return [
        (stop.station_code, stop.arrives_minute, stop.departs_minute)
        for stop in timetable.stops
        if stop.train_number == number
    ]


def train(timetable, number):
    return next(row for row in timetable.trains if row.train_number == number)


def reasons(report, outcome, item):
    found = [entry for entry in report.entries if (entry.outcome, entry.item) == (outcome, item)]
    return {entry.rule for entry in found}


def test_taken_and_refused_add_up_to_what_was_read(report):
    for kind, count in report.read.items():
        assert report.taken[kind] + report.refused(kind) == count
    assert report.read["train"] == 12
    assert report.read["stop"] == 32


def test_the_result_is_sound(timetable):
    assert faults(timetable) == []


def test_hours_beyond_24_count_on(timetable):
    assert stops_of(timetable, "1") == [
        ("EASTON", None, 1330),
        ("MILL", 1420, 1425),
        ("QRR", 1519, 1519),
        ("LAKE", 1800, 1820),
        ("WEST", 2535, None),
    ]


def test_times_are_those_of_the_agencys_zone_even_where_the_station_has_another(timetable):
    zones = {station.station_code: station.timezone for station in timetable.stations}
    assert zones["WEST"] == "America/Winnipeg"
    assert zones["LAKE"] is None
    assert timetable.agency.timezone == "America/Toronto"
    arrives = moment(date(2031, 1, 1), 2535, timetable.agency.timezone)
    assert arrives == datetime(2031, 1, 2, 23, 15, tzinfo=UTC)


def test_on_the_day_the_clocks_change_a_train_still_leaves_when_its_clock_says(timetable):
    zone = timetable.agency.timezone
    day_of_23_hours = date(2031, 3, 9)
    assert moment(day_of_23_hours, 1330, zone) == datetime(2031, 3, 10, 2, 10, tzinfo=UTC)
    assert moment(date(2031, 3, 8), 1330, zone) == datetime(2031, 3, 9, 3, 10, tzinfo=UTC)


def test_weekdays_period_and_exceptions_are_kept_apart(timetable):
    night = train(timetable, "1")
    assert night.running_days == "357"
    assert (night.valid_from, night.valid_until) == (date(2031, 1, 1), date(2032, 1, 1))
    assert [row for row in timetable.calendar_dates if row.train_number == "1"] == [
        CalendarDate("1", date(2031, 3, 8), runs=False),
        CalendarDate("1", date(2031, 7, 4), runs=True),
    ]


def test_a_train_may_run_on_single_dates_only(timetable):
    holiday = train(timetable, "h-train")
    assert (holiday.running_days, holiday.valid_from) == ("", None)
    assert CalendarDate("h-train", date(2031, 12, 25), runs=True) in timetable.calendar_dates


def test_trains_of_one_number_get_numbers_of_their_own(timetable, report):
    assert {"20", "20-2", "20-3"} < {row.train_number for row in timetable.trains}
    assert stops_of(timetable, "20-2")[0] == ("EASTON", None, 720)
    assert stops_of(timetable, "20-3")[0] == ("EASTON", None, 1020)
    assert reasons(report, "repaired", "20-3") == {
        "another train bears its number: it got one of its own"
    }


def test_platforms_are_their_station_and_two_in_a_row_are_one_stop(timetable, report):
    assert stops_of(timetable, "20")[0] == ("EASTON", None, 426)
    assert "made one with the first" in str(reasons(report, "refused", "20 1"))


def test_a_stop_without_times_is_timed_by_distance_or_evenly(timetable, report):
    assert stops_of(timetable, "1")[2] == ("QRR", 1519, 1519)
    assert stops_of(timetable, "20")[1] == ("MILL", 486, 486)
    assert "by the distance" in str(reasons(report, "repaired", "1 3"))
    assert "evenly" in str(reasons(report, "repaired", "20 2"))


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("B1", "route_type 3 is not a train"),
        ("S1", "it runs by frequency, so it has no times of its own"),
        ("L1", "it calls twice at a station, and no fare could say which is meant"),
        ("L2", "its times go back"),
        ("L3", "it runs on no day"),
        ("L4", "its first or last stop has no time"),
        ("L5", "its stop 1x is no station of the feed"),
    ],
)
def test_a_train_that_cannot_be_sold_is_refused(timetable, report, number, reason):
    assert reason in reasons(report, "refused", number)
    assert stops_of(timetable, number) == []


def test_broken_calendar_rows_are_refused(report):
    assert reasons(report, "refused", "upsidedown")
    assert reasons(report, "refused", "weekend 2031-01-01") == {"it cannot be read"}
    assert reasons(report, "refused", "holiday 20311225") == {"the day has one already"}


def test_codes_are_the_feeds_own_or_made_from_the_name(timetable, report):
    codes = {station.name: station.station_code for station in timetable.stations}
    assert codes["Millbrook"] == "MILL"
    assert codes["Quarry"] == "QRR"
    assert reasons(report, "noted", "Quarry") == {"without a code of its own"}
    assert "Ghost Town" not in codes


def test_fares_of_a_table_are_taken_for_one_train_or_for_all(timetable, report):
    fares = {(f.train_number, f.from_code, f.to_code): f.price_minor for f in timetable.fares}
    assert fares["1", "EASTON", "WEST"] == 19900
    assert fares["20", "EASTON", "MILL"] == fares["20-2", "EASTON", "MILL"] == 2500
    assert report.read["fare row"] == 5
    assert report.taken["fare row"] == 2


def test_where_alighting_is_not_allowed_nothing_is_sold(timetable):
    assert ("20-3", "MILL") not in {(fare.train_number, fare.to_code) for fare in timetable.fares}


def test_fares_by_distance_grow_with_the_way_and_heed_boarding_rules(tmp_path):
    timetable, _ = taken(tmp_path, fare_minor_per_km=10)
    prices = {
        (f.from_code, f.to_code): f.price_minor for f in timetable.fares if f.train_number == "1"
    }
    assert prices["EASTON", "MILL"] < prices["EASTON", "LAKE"] < prices["EASTON", "WEST"]
    assert prices["EASTON", "MILL"] == pytest.approx(1662, abs=5)
    assert not any(from_code == "WEST" for from_code, _ in prices)
    assert not any((f.train_number, f.to_code) == ("20-3", "MILL") for f in timetable.fares)


def test_without_coordinates_no_distance_gives_a_fare(tmp_path):
    feed = a_copy(tmp_path)
    edit(feed / "stops.txt", "46.5,-85.0", ",")
    timetable, report = taken(tmp_path / "out", feed, fare_minor_per_km=10)
    assert "1" not in {fare.train_number for fare in timetable.fares}
    assert "no coordinates" in str(reasons(report, "noted", "1"))


def test_without_fares_nothing_is_on_sale_and_the_report_says_so(tmp_path):
    timetable, report = taken(tmp_path)
    assert timetable.fares == ()
    assert reasons(report, "noted", "all") == {"no fares were given"}


def test_coaches_are_as_ordered(tmp_path):
    orders = [coach_order("FIRST:1:10x1+2:first"), coach_order("SECOND:2:15x2+2")]
    timetable, _ = taken(tmp_path, coaches=orders)
    rake = [coach for coach in timetable.coaches if coach.train_number == "1"]
    assert [(c.letter, c.seat_class, c.seats) for c in rake] == [
        ("A", "FIRST", 30), ("B", "SECOND", 60), ("C", "SECOND", 60),
    ]  # fmt: skip
    assert {c.seat_class: c.refund_category for c in timetable.seat_classes} == {
        "FIRST": "first", "SECOND": "other",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["SECOND", "second:1:10x2+2", "A:0:10x2+2", "A:1:10x0+0", "A:1:10"]
)
def test_an_order_of_coaches_that_means_nothing_is_refused(text):
    with pytest.raises(UnusableSourceError, match="is not CLASS:COACHES"):
        coach_order(text)


def test_more_coaches_than_letters_are_refused(tmp_path):
    with pytest.raises(UnusableSourceError, match="more than there are letters"):
        taken(tmp_path / "out", coaches=[CoachOrder("SECOND", 27, 15, 2, 2)])
    assert not (tmp_path / "out").exists()


def test_a_zip_file_is_read_like_a_folder(tmp_path, timetable):
    with zipfile.ZipFile(tmp_path / "gtfs-small", "w") as archive:
        for path in FEED.iterdir():
            archive.write(path, path.name)
    zipped, _ = taken(tmp_path / "out", tmp_path / "gtfs-small", fares=FEED / "fares.csv")
    assert zipped == timetable


def a_copy(tmp_path):
    return Path(shutil.copytree(FEED, tmp_path / "feed"))


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("agency.txt", "America/Toronto", "Mars/Olympus", "time zone Mars/Olympus is unknown"),
        ("stops.txt", "stop_name", "nombre", r"stops\.txt of .* lacks stop_name"),
    ],
)
def test_a_feed_that_breaks_the_rules_of_gtfs_is_unusable(tmp_path, name, old, new, message):
    feed = a_copy(tmp_path)
    edit(feed / name, old, new)
    with pytest.raises(UnusableSourceError, match=message):
        taken(tmp_path / "out", feed)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (["stop_times.txt"], r"has no stop_times\.txt"),
        (["calendar.txt", "calendar_dates.txt"], "neither calendar"),
    ],
)
def test_a_feed_without_a_table_is_unusable(tmp_path, missing, message):
    feed = a_copy(tmp_path)
    for name in missing:
        (feed / name).unlink()
    with pytest.raises(UnusableSourceError, match=message):
        taken(tmp_path / "out", feed)


def test_a_file_that_is_no_zip_is_unusable(tmp_path):
    (tmp_path / "feed.zip").write_text("not a zip")
    with pytest.raises(UnusableSourceError, match="cannot be read as a GTFS feed"):
        taken(tmp_path / "out", tmp_path / "feed.zip")


@pytest.mark.parametrize("broken", ["24:7", "7 o'clock", "-1:00:00"])
def test_a_train_with_an_unreadable_time_is_refused(tmp_path, broken):
    feed = a_copy(tmp_path)
    edit(feed / "stop_times.txt", "30:00:00", broken)
    timetable, report = taken(tmp_path / "out", feed)
    assert stops_of(timetable, "1") == []
    assert "cannot be read" in str(reasons(report, "refused", "1"))


@pytest.mark.parametrize("degrees", ["nan", "inf", "900", "north"])
def test_coordinates_that_are_none_are_left_out(tmp_path, degrees):
    feed = a_copy(tmp_path)
    edit(feed / "stops.txt", "46.5,", f"{degrees},")
    timetable, _ = taken(tmp_path / "out", feed, fare_minor_per_km=10)
    lakeside = next(row for row in timetable.stations if row.station_code == "LAKE")
    assert lakeside.latitude is None


def test_the_program_imports_a_feed(tmp_path, capsys):
    arguments = ["gtfs", str(FEED), "--into", str(tmp_path), "--currency", "CAD"]
    assert main([*arguments, "--fare-minor-per-km", "12", "--coaches", "SECOND:2:15x2+2"]) == 0
    assert "| train | 12 | 5 |" in capsys.readouterr().out
    assert len(read(tmp_path).coaches) == 10


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--fare-minor-per-km", "0"], "must be positive"),
        (["--fares", "/nowhere/fares.csv"], "cannot be read"),
        (["--fares", str(FEED / "agency.txt")], "must have the columns"),
    ],
)
def test_the_program_says_in_one_sentence_what_it_cannot_use(tmp_path, capsys, option, message):
    into = tmp_path / "out"
    assert main(["gtfs", str(FEED), "--into", str(into), "--currency", "CAD", *option]) == 1
    assert message in capsys.readouterr().err
    assert not into.exists()
