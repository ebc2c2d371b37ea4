"""
How the seats of a coach are numbered and where they stand.

Seats are numbered row by row from 1. Columns count from 1; the aisle takes a column, so it shows
as a gap. A seat's id is its coach's number and its own, so it means the same in every version.
"""

from dataclasses import dataclass
from typing import Any

SEATS_PER_COACH_MAX = 999


@dataclass(frozen=True)
class CoachPlan:
    """Seats per row left and right of the aisle; with none on the left the aisle is the wall's."""

    coach_number: int
    letter: str
    letter_bn: str
    seat_class: str
    rows: int
    left_seats: int
    right_seats: int

    @property
    def seats_total(self) -> int:
        return self.rows * (self.left_seats + self.right_seats)


def seats_of(coach: CoachPlan) -> list[dict[str, Any]]:
    right_end = coach.left_seats + 1 + coach.right_seats
    columns = [
        *range(1, coach.left_seats + 1),
        *range(coach.left_seats + 2, right_end + 1),
    ]
    places = [(row, column) for row in range(1, coach.rows + 1) for column in columns]
    return [
        {
            "seat_id": coach.coach_number * 1000 + number,
            "number": str(number),
            "row": row,
            "column": column,
            "is_window": column == 1 or (coach.right_seats > 0 and column == right_end),
        }
        for number, (row, column) in enumerate(places, start=1)
    ]
