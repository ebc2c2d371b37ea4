"""
The waiting rooms that the catalogue's openings of sales ask for: one an opening, for its runs that
staff have not given a window themselves.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5


@dataclass(frozen=True)
class Opening:
    """A moment at which runs go on sale, each with the number of its seats."""

    opens_at: datetime
    seats_by_run: Mapping[UUID, int]

    @property
    def window_id(self) -> UUID:
        """The same whoever works it out, so that two workers make one window."""
        moment = self.opens_at.astimezone(UTC).isoformat(timespec="seconds")
        return uuid5(NAMESPACE_URL, f"railgate:window:{moment}")

    @property
    def run_ids(self) -> list[UUID]:
        return sorted(self.seats_by_run)

    @property
    def seats_total(self) -> int:
        return sum(self.seats_by_run.values())

    def without(self, run_ids: Collection[UUID]) -> "Opening":
        kept = {run: seats for run, seats in self.seats_by_run.items() if run not in run_ids}
        return Opening(self.opens_at, kept)


def rooms_wanted(
    openings: Iterable[Opening],
    *,
    of_staff: Collection[UUID],
    had_one: Collection[UUID],
    now: datetime,
    notice: timedelta,
) -> dict[UUID, Opening]:
    """
    The openings that shall have a window, under the window's id. An opening set at shorter notice
    than `notice` is left to whoever set it, unless its runs `had_one` and were merely moved:
    nobody would learn of its waiting room in time.
    """
    wanted = {}
    for opening in (found.without(of_staff) for found in openings):
        is_announced = opening.opens_at - now >= notice or any(
            run_id in had_one for run_id in opening.seats_by_run
        )
        if opening.seats_by_run and is_announced:
            wanted[opening.window_id] = opening
    return wanted
