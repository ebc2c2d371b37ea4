"""The Bangladesh importer repairs what can be proved, refuses the rest, and reports both."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from ticket.importers.__main__ import main
from ticket.importers.bangladesh import import_bangladesh
from ticket.importers.faults import faults
from ticket.importers.normalised import read

FEEDS = Path(__file__).parent / "feeds"
SMALL, PLACES = FEEDS / "bangladesh-small", FEEDS / "bangladesh-small-places"


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    into = tmp_path_factory.mktemp("timetable")
    report = import_bangladesh(source=SMALL, stations_source=PLACES, into=into)
    return read(into), report


@pytest.fixture
def timetable(imported):
    return imported[0]


@pytest.fixture
def report(imported):
    return imported[1]


def stops_of(timetable, number):
    names = {row.station_code: row.name for row in timetable.stations}
    return [
        (names[stop.station_code], stop.arrives_minute, stop.departs_minute)
        for stop in timetable.stops
        if stop.train_number == number
    ]


def entries(report, outcome, item):
    return [entry for entry in report.entries if (entry.outcome, entry.item) == (outcome, item)]


def reasons(report, outcome, item):
    return [entry.rule for entry in entries(report, outcome, item)]


def test_taken_and_refused_add_up_to_what_was_read(report):
    assert report.unbalanced() == []
    for kind, count in report.read.items():
        assert report.taken[kind] + report.refused(kind) == count
    assert dict(report.read) == {
        "station": 9, "train": 9, "stop": 37, "fare": 17, "seats seen": 4,
    }  # fmt: skip


def test_what_is_counted_as_taken_is_in_the_files(timetable, report):
    assert report.taken["station"] == len(timetable.stations)
    assert report.taken["train"] == len(timetable.trains)
    assert report.taken["stop"] == len(timetable.stops)
    assert report.taken["fare"] == len(timetable.fares)


def test_the_result_is_sound(timetable):
    assert faults(timetable) == []


def test_importing_again_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        import_bangladesh(source=SMALL, stations_source=PLACES, into=tmp_path / name)
    written = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(written) == 9
    for name in written:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_night_train_goes_on_after_midnight(timetable):
    assert stops_of(timetable, "11")[2:] == [
        ("Chitranagar", 1430, 1445),
        ("Dighi Para", 1480, 1480),
        ("Ektala", 1520, 1525),
        ("Phulbagh", 1560, None),
    ]


def test_a_stop_with_an_arrival_only_is_a_halt_of_no_length(timetable, report):
    assert ("Dighi Para", 1480, 1480) in stops_of(timetable, "11")
    assert reasons(report, "repaired", "11 Dighi Para") == [
        "a stop without departure is kept as a halt of no length"
    ]


def test_a_departure_before_the_arrival_is_moved_as_little_as_possible(timetable, report):
    assert ("Chitranagar", 480, 480) in stops_of(timetable, "12")
    assert "goes back by minutes" in reasons(report, "repaired", "12 Chitranagar")[0]


def test_a_slip_by_minutes_is_timed_between_neighbours_if_another_train_proves_it(
    timetable, report
):
    assert stops_of(timetable, "12")[1:4] == [
        ("Ektala", 400, 405),
        ("Dighi Para", 442, 442),
        ("Chitranagar", 480, 480),
    ]
    assert "train 11 shows" in entries(report, "repaired", "12 Dighi Para")[0].detail


def test_a_stop_in_the_wrong_place_is_moved_to_where_another_train_calls(timetable, report):
    assert stops_of(timetable, "13")[0] == ("Asharpur", None, 540)
    assert stops_of(timetable, "13")[3] == ("Dighi Para", 690, 690)
    assert "wrong place" in reasons(report, "repaired", "13 Dighi Para")[0]


def test_a_stop_that_no_other_train_knows_may_be_one_place_off(timetable, report):
    assert stops_of(timetable, "15")[2] == ("Gopalbari", 550, 550)
    assert "wrong place" in reasons(report, "repaired", "15 Gopalbari")[0]


def test_a_stop_that_nothing_proves_is_refused_and_so_are_its_fares(timetable, report):
    assert [name for name, *_ in stops_of(timetable, "14")] == [
        "Asharpur",
        "Bel Tola",
        "Chitranagar",
    ]
    assert len(entries(report, "refused", "14 Sonadanga")) == 1
    assert len(entries(report, "refused", "14 S_CHAIR Asharpur - Sonadanga (line 9)")) == 1
    assert reasons(report, "refused", "Sonadanga") == ["no train calls there"]


def test_an_unreadable_time_is_reported(timetable, report):
    assert ("Bel Tola", 460, 460) in stops_of(timetable, "17")
    assert "cannot be read" in reasons(report, "repaired", "17 Bel Tola")[0]


def test_a_second_call_at_a_station_is_refused(timetable, report):
    assert [name for name, *_ in stops_of(timetable, "17")].count("Bel Tola") == 1
    assert "calls there twice" in reasons(report, "refused", "17 Bel Tola")[0]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("16", "its running days cannot be read"),
        ("11", "its number is taken by a train before it"),
        ("18", "fewer than two stops are left"),
    ],
)
def test_a_train_that_cannot_run_is_refused(report, number, reason):
    assert reasons(report, "refused", number) == [reason]


def test_running_days_are_iso_weekdays(timetable):
    days = {train.train_number: train.running_days for train in timetable.trains}
    assert days["11"] == "1234567"
    assert days["12"] == "57"


def test_trains_have_their_names_in_both_languages_by_number(timetable):
    names = {train.train_number: (train.name, train.name_bn) for train in timetable.trains}
    assert names["11"] == ("Roopshikha Express", "রূপশিখা এক্সপ্রেস")
    assert names["13"] == ("Cox's Shuttle", "কক্স শাটল")
    assert names["14"] == ("Meghdoot", "মেঘদূত")
    assert names["15"] == ("Meghdoot", "")


def test_spellings_of_a_station_become_one_name(timetable, report):
    names = [station.name for station in timetable.stations]
    assert names.count("Bel Tola") == 1
    assert "Bel Tola and Bel_Tola became" in entries(report, "repaired", "Bel Tola")[0].detail
    assert "Chitranagar" in names


def test_a_place_is_taken_only_where_both_languages_agree(timetable):
    stations = {station.name: station for station in timetable.stations}
    assert stations["Chitranagar"].station_code == "CHT"
    assert stations["Dighi Para"].station_code == "DGP"
    assert stations["Dighi Para"].latitude == 23.9
    assert stations["Phulbagh"].station_code != "PHB"
    assert stations["Phulbagh"].latitude is None


def test_coordinates_that_no_train_can_reach_are_left_out(timetable, report):
    stations = {station.name: station for station in timetable.stations}
    assert stations["Bel Tola"].latitude is None
    assert stations["Asharpur"].latitude == 23.0
    left_out = [
        entry.detail
        for entry in entries(report, "repaired", "Bel Tola")
        if "322 km" in entry.detail
    ]
    assert len(left_out) == 1


def test_sales_open_by_the_zone_of_the_origin_or_of_most_stations(timetable):
    zones = {train.train_number: train.zone for train in timetable.trains}
    assert zones["11"] == "east"
    assert zones["12"] == "west"


def test_a_fare_is_in_poisha_with_its_vat(timetable):
    fares = {(f.train_number, f.seat_class, f.from_code): f for f in timetable.fares}
    assert fares["11", "SNIGDHA", "ASH"].price_minor == 65600
    assert fares["11", "SNIGDHA", "ASH"].vat_minor == 8600


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("12 S_CHAIR Asharpur - Phulbagh (line 7)", "it goes against the direction of the train"),
        ("14 S_CHAIR Asharpur - Chitranagar (line 11)", "the pair has a fare already"),
        ("14 S_CHAIR Asharpur - Bel Tola (line 12)", "a fare of nothing is no fare"),
        ("14 SNIGDHA Asharpur - Bel Tola (line 13)", "an amount cannot be read"),
        ("14 SNIGDHA Asharpur - Bel Tola (line 14)", "an amount is no sum of money"),
        ("14 SALOON Asharpur - Bel Tola (line 15)", "there is no such seat class"),
        ("99 S_CHAIR Asharpur - Bel Tola (line 18)", "there is no such train in the timetable"),
    ],
)
def test_an_offer_that_is_no_fare_is_refused(report, item, reason):
    assert reasons(report, "refused", item) == [reason]


def test_two_trains_may_ask_different_fares_for_a_pair(timetable):
    prices = {f.price_minor for f in timetable.fares if {f.from_code, f.to_code} == {"ASH", "PHL"}}
    assert {34500, 36000} < prices


def test_oddities_are_only_reported(report):
    assert "rounded up" in reasons(report, "noted", "11 SNIGDHA Bel Tola - Dighi Para (line 5)")[0]
    assert "riding further costs less" in reasons(report, "noted", "11 S_CHAIR")[0]


def test_every_class_on_sale_has_coaches_for_the_seats_that_were_seen(timetable):
    seats = defaultdict(int)
    for coach in timetable.coaches:
        seats[coach.train_number, coach.seat_class] += coach.seats
    assert seats["11", "S_CHAIR"] >= 121
    assert all(seats[fare.train_number, fare.seat_class] > 0 for fare in timetable.fares)


def test_coaches_bear_bengali_letters_in_their_order(timetable):
    letters = [(c.letter, c.letter_bn) for c in timetable.coaches if c.train_number == "11"]
    assert letters == [("KA", "ক"), ("KHA", "খ"), ("GA", "গ"), ("GHA", "ঘ")]


def test_without_places_every_code_is_ours(tmp_path):
    import_bangladesh(source=SMALL, stations_source=None, into=tmp_path)
    timetable = read(tmp_path)
    assert all(station.latitude is None for station in timetable.stations)
    assert {train.zone for train in timetable.trains} == {"east"}


def test_no_train_goes_back_in_time(timetable):
    times = defaultdict(list)
    for stop in timetable.stops:
        both = (stop.arrives_minute, stop.departs_minute)
        times[stop.train_number] += [minute for minute in both if minute is not None]
    for minutes in times.values():
        assert all(sooner <= later for sooner, later in pairwise(minutes))


def test_the_program_prints_the_report_and_writes_it(tmp_path, capsys):
    into = tmp_path / "out"
    arguments = ["bangladesh", str(SMALL), "--stations", str(PLACES), "--into", str(into)]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out == (into / "report.md").read_text(encoding="utf-8")
    assert "Reading" in printed.err


def test_the_program_says_in_one_sentence_what_it_cannot_use(tmp_path, capsys):
    assert main(["bangladesh", str(tmp_path / "nothing"), "--into", str(tmp_path / "out")]) == 1
    assert "There is no folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
