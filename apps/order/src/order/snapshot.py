"""
The live claims of a run at one moment, with their expiry: enough to refuse a taken seat, draw a
map and count what is free, without asking the database. What others claimed a second ago may be
missing from it, so it only ever says no early; the yes is the database's.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from order.run import Leg, Run, Seat

SeatState = Literal["free", "held", "sold"]
ORDER_MARK_LENGTH = 12


class LiveClaim(NamedTuple):
    """`expires_at` in epoch seconds, 0 when sold; `order_mark` is the start of the order's id."""

    seat_id: int
    from_sequence: int
    to_sequence: int
    expires_at: float
    order_mark: str

    def is_live(self, now: float) -> bool:
        return self.expires_at == 0 or self.expires_at > now


class Counts(NamedTuple):
    free: int
    held: int
    sold: int


def order_mark(order_id: str) -> str:
    return order_id.replace("-", "")[:ORDER_MARK_LENGTH]


@dataclass
class Snapshot:
    """`counts` and `answers` are remembered under the period in which they hold."""

    as_of: float
    claims: list[LiveClaim]
    by_seat: dict[int, list[LiveClaim]] = field(init=False)
    counts: dict[tuple[float, str, int, int], Counts] = field(init=False, default_factory=dict)
    answers: dict[tuple[Any, ...], bytes] = field(init=False, default_factory=dict)
    _marks: set[str] = field(init=False, default_factory=set)
    _period: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.by_seat = {}
        claims, self.claims = self.claims, []
        self.add(claims)

    def add(self, claims: Iterable[LiveClaim]) -> None:
        """Take in what this process has just claimed, ahead of the next snapshot."""
        for claim in claims:
            self.claims.append(claim)
            self.by_seat.setdefault(claim.seat_id, []).append(claim)
            self._marks.add(claim.order_mark)
        self._period = 0.0
        self.counts.clear()
        self.answers.clear()

    def period(self, now: float) -> float:
        """
        The moment at which the next hold lapses: what is counted now holds until then. A snapshot
        may live for seconds, and a hold that lapses is free at that very moment.
        """
        if now >= self._period:
            self.counts.clear()
            self.answers.clear()
            lapses = (claim.expires_at for claim in list(self.claims) if claim.expires_at > now)
            self._period = min(lapses, default=math.inf)
        return self._period

    def state_of(self, seat_id: int, leg: Leg, now: float) -> SeatState:
        state: SeatState = "free"
        for claim in self.by_seat.get(seat_id, ()):
            if claim.is_live(now) and leg.overlaps(claim.from_sequence, claim.to_sequence):
                if claim.expires_at == 0:
                    return "sold"
                state = "held"
        return state

    def first_taken(
        self, seat_ids: Sequence[int], leg: Leg, now: float, own_mark: str
    ) -> int | None:
        """Give the first of the seats that another order keeps, or None."""
        for seat_id in seat_ids:
            for claim in self.by_seat.get(seat_id, ()):
                if (
                    leg.overlaps(claim.from_sequence, claim.to_sequence)
                    and claim.is_live(now)
                    and claim.order_mark != own_mark
                ):
                    return seat_id
        return None

    def knows(self, mark: str) -> bool:
        return mark in self._marks

    def count(self, seats: Iterable[Seat], leg: Leg, now: float) -> Counts:
        tally = {"free": 0, "held": 0, "sold": 0}
        for seat in seats:
            tally[self.state_of(seat.seat_id, leg, now)] += 1
        return Counts(**tally)

    def slack_around(self, run: Run, seat_id: int, leg: Leg, now: float) -> int:
        """
        The free segments on both sides of the leg up to the next claims: 0 is a perfect fit.
        The seat must be free on the leg.
        """
        begins, ends = 0, run.segments_total
        for claim in self.by_seat.get(seat_id, ()):
            if not claim.is_live(now):
                continue
            if claim.to_sequence <= leg.from_sequence:
                begins = max(begins, claim.to_sequence)
            else:
                ends = min(ends, claim.from_sequence)
        return (leg.from_sequence - begins) + (ends - leg.to_sequence)
