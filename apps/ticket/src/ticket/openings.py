"""
The openings of sales, for whoever prepares for the rush: which runs go on sale at which moment,
and how many seats each has.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ticket.calendar import iso
from ticket.search import ListedRun, Offer


def openings_of(
    runs: Iterable[ListedRun],
    offers: Mapping[str, Offer],
    *,
    from_at: datetime,
    until_at: datetime,
) -> list[dict[str, Any]]:
    """
    The openings in `[from_at, until_at)`, the next one first. A run that is cancelled or has
    nothing to sell does not open.
    """
    found: dict[datetime, list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        if run.head["state"] == "scheduled" and from_at <= run.sales.opens_at < until_at:
            seats_total = _seats_on_sale(offers[run.plan_id])
            if seats_total:
                row = {"run_id": str(run.run_id), "seats_total": seats_total}
                found[run.sales.opens_at].append(row)
    return [
        {"opens_at": iso(opens_at), "runs": sorted(rows, key=lambda row: row["run_id"])}
        for opens_at, rows in sorted(found.items())
    ]


def _seats_on_sale(offer: Offer) -> int:
    by_class = {row["seat_class"]: row["seats_total"] for leg in offer.values() for row in leg}
    return sum(by_class.values())
