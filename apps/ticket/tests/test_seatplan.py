"""Seats of a coach: numbers, places, windows."""

import pytest

from ticket.seatplan import CoachPlan, seats_of


def coach(rows: int, left: int, right: int, number: int = 3) -> CoachPlan:
    return CoachPlan(number, "GA", "গ", "S_CHAIR", rows, left, right)


def test_seats_are_numbered_row_by_row_and_the_aisle_is_a_gap():
    seats = seats_of(coach(2, 2, 3))
    assert [seat["number"] for seat in seats] == [str(n) for n in range(1, 11)]
    assert [seat["column"] for seat in seats[:5]] == [1, 2, 4, 5, 6]
    assert [seat["row"] for seat in seats] == [1] * 5 + [2] * 5


def test_seat_id_holds_the_coach_and_the_number():
    assert [seat["seat_id"] for seat in seats_of(coach(1, 1, 1))] == [3001, 3002]


@pytest.mark.parametrize(
    ("left", "right", "windows"),
    [
        (2, 3, [True, False, False, False, True]),
        (1, 1, [True, True]),
        (0, 3, [False, False, True]),
        (2, 0, [True, False]),
    ],
)
def test_windows_are_at_the_walls_and_not_at_the_aisle(left, right, windows):
    assert [seat["is_window"] for seat in seats_of(coach(1, left, right))] == windows
