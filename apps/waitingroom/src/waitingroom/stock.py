"""
What is left to sell of a window, looked up leg by leg and remembered, so that a window of many
runs costs order a few questions a round.
"""

import logging
from collections.abc import Mapping
from uuid import UUID

from chassis.peers import PeerRefused
from waitingroom.clients.order import OrderClient
from waitingroom.clients.ticket import TicketClient
from waitingroom.inlet import Stock
from waitingroom.legs import Leg, deciding_legs
from waitingroom.window import Window

QUESTIONS_A_ROUND = 40
NOTHING = Stock(0, 0)
_log = logging.getLogger(__name__)


class StockWatch:
    """
    For each run one leg with free seats is enough to know that something is left; the other legs
    are asked about only when that one has none. Rounds go on where the last one stopped.
    """

    def __init__(self, order: OrderClient, ticket: TicketClient) -> None:
        self._order, self._ticket = order, ticket
        self._legs: dict[UUID, list[Leg]] = {}
        self._known: dict[UUID, dict[Leg, Stock]] = {}
        self._next: dict[UUID, int] = {}

    def stock_of(self, window: Window) -> Stock | None:
        """What the last looks found, summed over the runs; None while too little is known."""
        self._look(window)
        found = [self._stock_of_run(run_id) for run_id in window.run_ids]
        known = [stock for stock in found if stock is not None]
        free = sum(stock.seats_free for stock in known)
        if free == 0 and len(known) < len(found):
            return None
        return Stock(free, sum(stock.seats_held for stock in known))

    def forget_others(self, windows: Mapping[UUID, Window]) -> None:
        wanted = {run_id for window in windows.values() for run_id in window.run_ids}
        for kept in (self._legs, self._known):
            for run_id in set(kept) - wanted:
                del kept[run_id]

    def _look(self, window: Window) -> None:
        """
        Raises:
            PeerUnavailable: order or the catalogue does not answer.
        """
        first, questions = self._next.get(window.window_id, 0), 0
        runs = window.run_ids
        for step in range(len(runs)):
            if questions >= QUESTIONS_A_ROUND:
                self._next[window.window_id] = (first + step) % len(runs)
                return
            questions += self._look_at_run(runs[(first + step) % len(runs)])

    def _look_at_run(self, run_id: UUID) -> int:
        """Ask until a leg has a free seat, the likeliest leg first; how many were asked."""
        known = self._known.setdefault(run_id, {})
        legs = sorted(
            self._legs_of(run_id), key=lambda leg: known.get(leg, NOTHING).seats_free, reverse=True
        )
        for asked, leg in enumerate(legs, start=1):
            try:
                known[leg] = self._order.stock(run_id, leg)
            except PeerRefused as refused:
                _log.warning("run %s is counted as sold: %s", run_id, refused)
                known[leg] = NOTHING
            if known[leg].seats_free > 0:
                return asked
        return len(legs)

    def _legs_of(self, run_id: UUID) -> list[Leg]:
        if run_id not in self._legs:
            try:
                definition = self._ticket.definition(run_id)
            except PeerRefused as refused:
                _log.warning("run %s is not in the catalogue: %s", run_id, refused)
                definition = {"stops": [], "fares": []}
            self._legs[run_id] = deciding_legs(definition)
        return self._legs[run_id]

    def _stock_of_run(self, run_id: UUID) -> Stock | None:
        """The best leg counts; held seats count where no leg has a free one."""
        known, legs = self._known.get(run_id), self._legs.get(run_id)
        if known is None or legs is None:
            return None
        best = max(known.values(), key=lambda stock: stock.seats_free, default=NOTHING)
        if best.seats_free == 0 and len(known) < len(legs):
            return None
        return Stock(best.seats_free, max((s.seats_held for s in known.values()), default=0))
