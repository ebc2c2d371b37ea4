"""
The rake plan: which coaches a train has, since no source says so.

A train gets as many coaches of a class as hold the most seats ever seen free in it, and one of
every class it sells. The plans of the coaches are ours: plausible, easy to read off, and never
smaller than what was seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ticket.importers.normalised import Coach
from ticket.importers.sources import UnusableSourceError


@dataclass(frozen=True)
class SeatPlan:
    """Rows of seats, so many left and right of the aisle; no seat left of it is a side corridor."""

    rows: int
    left_seats: int
    right_seats: int

    @property
    def seats(self) -> int:
        return self.rows * (self.left_seats + self.right_seats)


# In the order in which the coaches are coupled. A compartment with its side corridor is modelled
# as rows of three: two facing rows are one compartment of six.
PLANS = {
    "AC_B": SeatPlan(rows=11, left_seats=0, right_seats=3),
    "AC_S": SeatPlan(rows=11, left_seats=0, right_seats=3),
    "AC_CHAIR": SeatPlan(rows=14, left_seats=2, right_seats=2),
    "SNIGDHA": SeatPlan(rows=14, left_seats=2, right_seats=2),
    "F_BERTH": SeatPlan(rows=6, left_seats=0, right_seats=3),
    "F_SEAT": SeatPlan(rows=11, left_seats=0, right_seats=3),
    "F_CHAIR": SeatPlan(rows=14, left_seats=2, right_seats=2),
    "S_CHAIR": SeatPlan(rows=15, left_seats=2, right_seats=2),
    "SHOVAN": SeatPlan(rows=18, left_seats=2, right_seats=3),
    "SHULOV": SeatPlan(rows=18, left_seats=2, right_seats=3),
}

# Of the source's coach names the extra coaches, the luggage van and "no seat" are no letters.
NO_LETTERS = ("XTR1", "XTR2", "XTR3", "SLR", "STD")


class TooManyCoachesError(UnusableSourceError):
    """A train needs more coaches than there are coach letters."""


def rake(
    train_number: str, seats_wanted: Mapping[str, int], letters: Sequence[tuple[str, str]]
) -> list[Coach]:
    """
    Give the train's coaches; `seats_wanted` goes by seat class, `letters` are (English, Bengali).

    Raises:
        TooManyCoachesError: the letters do not suffice.
    """
    usable = [pair for pair in letters if pair[0] not in NO_LETTERS]
    classes = [
        seat_class
        for seat_class in PLANS
        if seat_class in seats_wanted
        for _ in range(coaches_for(seat_class, seats_wanted[seat_class]))
    ]
    if len(classes) > len(usable):
        raise TooManyCoachesError(
            f"Train {train_number} needs {len(classes)} coaches, but letters are {len(usable)}."
        )
    return [
        Coach(train_number, number, letter, letter_bn, seat_class, plan.rows, plan.left_seats,
              plan.right_seats)
        for number, (seat_class, (letter, letter_bn)) in enumerate(
            zip(classes, usable, strict=False), start=1
        )
        for plan in (PLANS[seat_class],)
    ]  # fmt: skip


def coaches_for(seat_class: str, seats: int) -> int:
    """Give the coaches that hold so many seats; at least one."""
    return max(1, -(-seats // PLANS[seat_class].seats))
