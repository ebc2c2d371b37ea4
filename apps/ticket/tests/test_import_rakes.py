"""Rakes made up for the classes on sale, and codes made up for stations that have none."""

import pytest

from ticket.importers import rakes
from ticket.importers.gazetteer import Place, generated_codes, match_all


def test_a_rake_never_uses_the_luggage_van_or_an_extra_coach_as_a_letter():
    letters = [("KA", "ক"), ("XTR1", "x"), ("SLR", "x"), ("STD", "x")]
    with pytest.raises(rakes.TooManyCoachesError, match="needs 2 coaches, but letters are 1"):
        rakes.rake("1", {"S_CHAIR": 61}, letters)


@pytest.mark.parametrize("seat_class", rakes.PLANS)
@pytest.mark.parametrize("seats", [0, 1, 33, 34, 60, 61, 445])
def test_a_class_always_gets_enough_coaches(seat_class, seats):
    count = rakes.coaches_for(seat_class, seats)
    assert count >= 1
    assert count * rakes.PLANS[seat_class].seats >= seats


def test_generated_codes_are_distinct_and_do_not_depend_on_the_order():
    names = [f"{first}ar{last}pur" for first in "ABCD" for last in "bcdfgh"] + [
        "Bo",
        "Hi-Tech City",
    ]
    codes = generated_codes(names, ["ARB", "ARP"])
    assert len(set(codes.values()) | {"ARB", "ARP"}) == len(names) + 2
    assert all(3 <= len(code) <= 5 and code.isupper() for code in codes.values())
    assert codes == generated_codes(reversed(names), ["ARB", "ARP"])


def a_place(code, name, name_bn=""):
    return Place(code, name, name_bn, 23.0, 90.0, "west")


def test_a_place_that_two_stations_want_goes_to_the_closer_name():
    places = [a_place("X", "Bhanga Junction")]
    found = match_all([("Bhanga", ""), ("Bhanga Junction", "")], places)
    assert found["Bhanga Junction"].doubt == ""
    assert "fits the place better" in found["Bhanga"].doubt


def test_a_name_that_several_places_bear_is_in_doubt():
    found = match_all([("Mirpur", "")], [a_place("X", "Mirpur"), a_place("Y", "Mirpur")])
    assert found["Mirpur"].doubt == "several places have this name"


def test_a_name_in_parentheses_is_found():
    found = match_all([("Biman Bandar", "")], [a_place("X", "Airport (Biman Bandar)")])
    assert found["Biman Bandar"].place.code == "X"
