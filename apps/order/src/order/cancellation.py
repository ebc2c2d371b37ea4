"""
What a cancelled ticket gives back: the published ladder of Bangladesh Railway.

48 hours and more before departure a flat deduction (Tk 40 AC, 30 first, 25 other, a ticket);
24-48 h 25 %, 12-24 h 50 %, 6-12 h 75 %; under 6 h nothing. The online charge stays with the
railway (shohoztrain.com; ARCHITECTURE.md names where sources disagree).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

FLAT_DEDUCTION_MINOR = {"ac": 4_000, "first": 3_000, "other": 2_500}
FLAT_FROM = timedelta(hours=48)
# The least time before departure, and the part of the price that is kept, in percent.
LADDER = (
    (timedelta(hours=24), 25),
    (timedelta(hours=12), 50),
    (timedelta(hours=6), 75),
)


@dataclass(frozen=True)
class TicketPrice:
    price_minor: int
    refund_category: str


@dataclass(frozen=True)
class Quote:
    refund_minor: int
    deduction_minor: int
    online_charge_minor: int


def quote_cancellation(
    tickets: Iterable[TicketPrice],
    *,
    online_charge_minor: int,
    departs_at: datetime,
    now: datetime,
) -> Quote:
    priced = list(tickets)
    refund_minor = sum(refund_of(ticket, departs_at - now) for ticket in priced)
    paid_minor = sum(ticket.price_minor for ticket in priced)
    return Quote(refund_minor, paid_minor - refund_minor, online_charge_minor)


def refund_of(ticket: TicketPrice, ahead: timedelta) -> int:
    """Rounded down to whole minor units, never negative."""
    if ahead >= FLAT_FROM:
        return max(0, ticket.price_minor - FLAT_DEDUCTION_MINOR[ticket.refund_category])
    for least, kept_percent in LADDER:
        if ahead >= least:
            return ticket.price_minor * (100 - kept_percent) // 100
    return 0
