"""What staff may not write."""

import pytest

from ticket.definition import FareRule, StopTimes
from ticket.rules import coach_faults, fare_faults, stop_faults
from ticket.seatplan import CoachPlan

CODES = {"DHK", "CML", "CTG"}
STOPS = (StopTimes("DHK", None, 420), StopTimes("CML", 500, 505), StopTimes("CTG", 720, None))


def test_sound_stops_have_no_fault():
    assert stop_faults(STOPS, CODES) == []


@pytest.mark.parametrize(
    ("stops", "fault"),
    [
        ([("DHK", None, 420), ("XXX", 500, None)], "There is no station XXX."),
        ([("DHK", None, 420), ("DHK", 500, None)], "Station DHK occurs 2 times."),
        ([("DHK", None, 420), ("CTG", 410, None)], "The times go back."),
        ([("DHK", 410, 420), ("CTG", 500, None)], "Stop 0: all stops but the first have"),
        ([("DHK", None, 420), ("CTG", 500, 510)], "Stop 1: all stops but the last have"),
        ([("DHK", None, None), ("CTG", 500, None)], "Stop 0: all stops but the last have"),
    ],
)
def test_stops_that_are_no_way_of_a_train_are_refused(stops, fault):
    faults = stop_faults([StopTimes(*stop) for stop in stops], CODES)
    assert any(text.startswith(fault) for text in faults)


@pytest.mark.parametrize(
    ("fare", "fault"),
    [
        (("FIRST", "DHK", "CTG", 10, 0), "there is no such seat class"),
        (("S_CHAIR", "CTG", "DHK", 10, 0), "is not a leg"),
        (("S_CHAIR", "DHK", "DHK", 10, 0), "is not a leg"),
        (("S_CHAIR", "DHK", "RAJ", 10, 0), "is not a leg"),
        (("S_CHAIR", "DHK", "CTG", 10, 11), "at least its VAT"),
        (("S_CHAIR", "DHK", "CTG", 10, -1), "at least its VAT"),
    ],
)
def test_fares_that_mean_nothing_are_refused(fare, fault):
    faults = fare_faults([FareRule(*fare)], STOPS, {"S_CHAIR"})
    assert len(faults) == 1
    assert fault in faults[0]


def test_one_price_for_a_class_and_pair():
    fare = FareRule("S_CHAIR", "DHK", "CTG", 10, 0)
    dearer = FareRule("S_CHAIR", "DHK", "CTG", 20, 0)
    assert fare_faults([fare, dearer], STOPS, {"S_CHAIR"}) == [
        "Fare S_CHAIR DHK-CTG occurs 2 times."
    ]


@pytest.mark.parametrize(
    ("coaches", "fault"),
    [
        ([(1, "KA", "S_CHAIR", 5), (1, "KHA", "S_CHAIR", 5)], "Coach 1 occurs 2 times."),
        ([(1, "KA", "S_CHAIR", 5), (2, "KA", "S_CHAIR", 5)], "Letter KA occurs 2 times."),
        ([(1, "KA", "FIRST", 5)], "There is no seat class FIRST."),
        ([(1, "KA", "S_CHAIR", 250)], "Coach 1 must have 1 to 999 seats."),
    ],
)
def test_coaches_that_cannot_be_told_apart_or_filled_are_refused(coaches, fault):
    plans = [
        CoachPlan(number, letter, "", seat_class, rows, 2, 2)
        for number, letter, seat_class, rows in coaches
    ]
    assert coach_faults(plans, {"S_CHAIR"}) == [fault]
