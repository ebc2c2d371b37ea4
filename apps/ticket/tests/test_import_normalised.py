"""The normalised timetable keeps what is written to it, and refuses files that do not fit."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ticket.importers.faults import faults
from ticket.importers.normalised import (
    Agency,
    BrokenTimetableError,
    CalendarDate,
    Coach,
    Fare,
    SeatClass,
    Station,
    Stop,
    Timetable,
    Train,
    read,
    write,
)
from ticket.importers.report import Report


def a_timetable(**changes):
    tables = {
        "agency": Agency("X", "X Rail", "", "Asia/Dhaka", "BDT", "ours", "", date(2031, 1, 2)),
        "stations": (
            Station("BBB", 'Bel, the "old" town', "বেল", 23.5, -90.25, "west", "Asia/Dhaka"),
            Station("AAA", "Asharpur", ""),
        ),
        "trains": (
            Train("100", "Late", "", "1", "east"),
            Train("9", "Early", "নয়", "1234567", "", date(2031, 1, 1), date(2032, 1, 1)),
        ),
        "calendar_dates": (CalendarDate("9", date(2031, 5, 1), runs=False),),
        "stops": (
            Stop("9", 1, "BBB", 1500, None),
            Stop("9", 0, "AAA", None, 1430),
            Stop("100", 0, "BBB", None, 60),
            Stop("100", 1, "AAA", 130, None),
        ),
        "seat_classes": (SeatClass("S", "Second", "", "other"),),
        "fares": (Fare("9", "S", "AAA", "BBB", 11500, 1500),),
        "coaches": (Coach("9", 1, "KA", "ক", "S", 15, 2, 2),),
    }
    return Timetable(**(tables | changes))


def test_what_is_written_is_read_again(tmp_path):
    timetable = a_timetable()
    write(timetable, tmp_path)
    assert read(tmp_path) == timetable


def test_rows_come_in_the_order_of_train_numbers_and_stops(tmp_path):
    timetable = a_timetable()
    assert [train.train_number for train in timetable.trains] == ["9", "100"]
    assert [stop.station_code for stop in timetable.stops] == ["AAA", "BBB", "BBB", "AAA"]


def test_writing_twice_gives_the_same_bytes_with_plain_line_ends(tmp_path):
    write(a_timetable(), tmp_path / "one")
    write(read(tmp_path / "one"), tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        assert b"\r" not in path.read_bytes()


def test_a_missing_file_is_named(tmp_path):
    write(a_timetable(), tmp_path)
    (tmp_path / "fares.csv").unlink()
    with pytest.raises(BrokenTimetableError, match=r"fares\.csv is missing"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("trains.csv", "train_number,name\n", r"trains\.csv must have the columns train_number,"),
        ("calendar_dates.csv", "train_number,service_date,runs\n9,2031-05-01,yes\n", r":2 .*'yes'"),
        ("calendar_dates.csv", "train_number,service_date,runs\n9,2031-02-30,1\n", r":2 "),
        ("calendar_dates.csv", "train_number,service_date,runs\n9,2031-02-03\n", "3 cells"),
        ("calendar_dates.csv", "train_number,service_date,runs\n9,2031-02-03,1,1\n", "3 cells"),
        (
            "agency.csv",
            "agency_code,name,name_bn,timezone,currency,source,licence,retrieved_date\n",
            "one row, not 0",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_line(tmp_path: Path, name, text, message):
    write(a_timetable(), tmp_path)
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(BrokenTimetableError, match=message):
        read(tmp_path)


def test_a_sound_timetable_has_no_faults():
    assert faults(a_timetable()) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"stations": (Station("AAA", "Asharpur", ""),)}, "unknown station BBB"),
        ({"stops": ()}, "train 9 has fewer than two stops"),
        ({"coaches": ()}, "train 9 sells S but has no such coach"),
        ({"seat_classes": ()}, "unknown seat class"),
        ({"fares": (Fare("9", "S", "BBB", "AAA", 11500, 0),)}, "not a leg of the train"),
        ({"fares": (Fare("9", "S", "AAA", "BBB", 0, 0),)}, "no positive price"),
        ({"fares": (Fare("9", "S", "AAA", "BBB", 9, 1),) * 2}, "occurs 2 times"),
        ({"trains": ()}, "has stops but is not in the list"),
        (
            {"coaches": (Coach("9", 1, "KA", "ক", "S", 0, 2, 2),)},
            "coach 9/1 has an unknown train, an unknown class or no seat",
        ),
    ],
)
def test_a_fault_is_named(changes, fault):
    assert any(fault in found for found in faults(a_timetable(**changes)))


def test_an_unknown_time_zone_is_a_fault():
    timetable = a_timetable()
    lost = replace(timetable, agency=replace(timetable.agency, timezone="Mars/Olympus"))
    assert faults(lost) == ["time zone Mars/Olympus is unknown"]


@pytest.mark.parametrize(
    ("stops", "fault"),
    [
        ([Stop("9", 0, "AAA", None, 60), Stop("9", 1, "BBB", 50, None)], "goes back in time"),
        ([Stop("9", 0, "AAA", None, 60), Stop("9", 2, "BBB", 70, None)], "gaps in its sequence"),
        ([Stop("9", 0, "AAA", 50, 60), Stop("9", 1, "BBB", 70, None)], "first stop has no arrival"),
        (
            [Stop("9", 0, "AAA", None, 60), Stop("9", 1, "BBB", 70, 80)],
            "last stop has no departure",
        ),
        ([Stop("9", 0, "AAA", None, 60), Stop("9", 1, "AAA", 70, None)], "AAA occurs 2 times"),
    ],
)
def test_a_fault_of_stops_is_named(stops, fault):
    kept = [stop for stop in a_timetable().stops if stop.train_number != "9"]
    found = faults(a_timetable(stops=(*kept, *stops), fares=(), coaches=()))
    assert any(fault in text for text in found)


def test_a_report_that_loses_a_row_does_not_balance():
    report = Report("test")
    report.reads("stop", 3)
    report.takes("stop", 1)
    report.refuses("stop", "9 Asharpur", rule="because", detail="refused")
    assert report.unbalanced() == ["stop"]
    report.takes("stop")
    assert report.unbalanced() == []
    assert "| stop | 3 | 2 | 0 | 1 |" in report.as_markdown()


def test_two_repairs_of_one_item_count_as_one_repaired_item():
    report = Report("test")
    report.repairs("stop", "9 Asharpur", rule="one", detail="a | b")
    report.repairs("stop", "9 Asharpur", rule="two", detail="c")
    assert report.repaired("stop") == 1
    assert "a / b" in report.as_markdown()
