"""The shipped timetable is sound, and is what the importer makes of its sources."""

import csv
import os
from collections import defaultdict
from pathlib import Path

import pytest

from ticket.importers.bangladesh import import_bangladesh
from ticket.importers.faults import faults
from ticket.importers.normalised import SHIPPED, read, write

SOURCES = os.environ.get("RAILGATE_SOURCES")
needs_sources = pytest.mark.skipif(
    not SOURCES,
    reason="RAILGATE_SOURCES does not name the folder with bangladesh-railway and"
    " bd-stations-distances: the shipped timetable was NOT compared with its sources",
)


@pytest.fixture(scope="module")
def shipped():
    return read()


def test_the_shipped_timetable_is_sound(shipped):
    assert faults(shipped) == []


def test_the_whole_railway_is_there(shipped):
    assert len(shipped.trains) == 128
    assert len(shipped.stations) == 234
    assert len(shipped.stops) == 1711
    assert len(shipped.fares) == 12069


def test_the_report_says_what_was_read(shipped):
    report = (SHIPPED / "report.md").read_text(encoding="utf-8")
    assert "| stop | 1713 | 1711 |" in report
    assert "| fare | 12094 | 12069 |" in report


def test_every_train_sells_something_in_coaches_it_has(shipped):
    coaches = {(coach.train_number, coach.seat_class) for coach in shipped.coaches}
    sold = {(fare.train_number, fare.seat_class) for fare in shipped.fares}
    assert sold == coaches
    assert {number for number, _ in sold} == {train.train_number for train in shipped.trains}


def test_every_train_has_a_zone_and_a_name_in_both_languages(shipped):
    assert {train.zone for train in shipped.trains} == {"west", "east"}
    assert all(train.name and train.name_bn for train in shipped.trains)
    assert [s.name for s in shipped.stations if not s.name_bn] == ["Jamalganj"]


def test_the_coach_letters_are_unique_in_a_train(shipped):
    letters = [(coach.train_number, coach.letter_bn) for coach in shipped.coaches]
    assert len(letters) == len(set(letters))


def test_the_notice_and_both_licences_travel_with_the_files():
    notice = (SHIPPED / "NOTICE.md").read_text(encoding="utf-8")
    assert "Copyright (c) 2024 NISHAT MAHMUD" in notice
    assert "Copyright (c) 2026 Hussain Ahmed" in notice
    assert notice.count("Permission is hereby granted, free of charge") == 2


def test_the_files_are_as_the_importer_writes_them(shipped, tmp_path):
    write(shipped, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (SHIPPED / path.name).read_bytes(), path.name


@needs_sources
def test_importing_the_sources_again_changes_nothing(tmp_path):
    sources = Path(SOURCES)
    report = import_bangladesh(
        source=sources / "bangladesh-railway",
        stations_source=sources / "bd-stations-distances",
        into=tmp_path,
    )
    assert report.unbalanced() == []
    assert dict(report.read) == {
        "station": 234, "train": 128, "stop": 1713, "fare": 12094, "seats seen": 377,
    }  # fmt: skip
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (SHIPPED / path.name).read_bytes(), path.name


@needs_sources
def test_every_class_has_at_least_the_seats_that_were_seen(shipped):
    seats = defaultdict(int)
    for coach in shipped.coaches:
        seats[coach.train_number, coach.seat_class] += coach.seats
    with (Path(SOURCES) / "bangladesh-railway" / "seats_seen.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 377
    for row in rows:
        seen = max(int(row[column] or 0) for column in row if column.startswith("most_free"))
        assert seats[row["train_no"], row["class"]] >= max(seen, 1), row
