"""Who comes while a service is released: people who use it, and always somebody who buys."""

from collections.abc import Callable
from dataclasses import dataclass

from ci.rehearsal.asking import Ledger, Visitor
from ci.rehearsal.newcomers import OPENED, Newcomer
from ci.rehearsal.purchases import BOUGHT, GIVEN_BACK, Buyer, SeatsOnSale, UnsureBuyer
from ci.rehearsal.readers import MADE, SEARCHED, Searcher, Staff
from ci.rehearsal.waiters import LET_IN, Stewards, Waiter, Windows
from ci.town import Town


@dataclass(frozen=True)
class Crowd:
    """How many come of each kind; `deeds` are what they must have done, or nothing is proved."""

    deeds: tuple[str, ...]
    buyers: int = 1
    unsure: int = 0
    newcomers: int = 0
    searchers: int = 0
    staff: int = 0
    waiters: int = 0

    def gather(self, town: Town, ledger: Ledger) -> list[Visitor]:
        seats = SeatsOnSale(town.base_url)
        return [
            *_some(self.buyers, lambda: Buyer(town, ledger, seats)),
            *_some(self.unsure, lambda: UnsureBuyer(town, ledger, seats)),
            *_some(self.newcomers, lambda: Newcomer(town, ledger)),
            *_some(self.searchers, lambda: Searcher(town, ledger)),
            *_some(self.staff, lambda: Staff(town, ledger)),
            *(_in_line(town, ledger, self.waiters) if self.waiters else []),
        ]


def _some(how_many: int, make: Callable[[], Visitor]) -> list[Visitor]:
    return [make() for _ in range(how_many)]


def _in_line(town: Town, ledger: Ledger, how_many: int) -> list[Visitor]:
    windows = Windows(town)
    waiting = _some(how_many, lambda: Waiter(town, ledger, windows))
    return [Stewards(town, ledger, windows), *waiting]


CROWDS = {
    "registration": Crowd((OPENED, BOUGHT), newcomers=4),
    "ticket": Crowd((SEARCHED, MADE, BOUGHT), searchers=2, staff=1),
    "order": Crowd((BOUGHT,), buyers=3),
    "payment": Crowd((GIVEN_BACK, BOUGHT), buyers=2, unsure=1),
    "waitingroom": Crowd((LET_IN, BOUGHT), waiters=6),
}
EVERYBODY = Crowd(
    (BOUGHT, GIVEN_BACK, OPENED, SEARCHED, MADE, LET_IN),
    buyers=2, unsure=1, newcomers=1, searchers=1, staff=1, waiters=2,
)  # fmt: skip
