"""The test cards: each number stands for one way in which a payment can go."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["approve", "approve_late", "decline", "stall"]
Notice = Literal["once", "twice", "out_of_order", "never", "lost"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """
    What happens when this card pays: the bank's verdict, how the shop is told, and what goes
    wrong afterwards.
    """

    number: str
    title: str
    effect: str
    verdict: Verdict = "approve"
    notice: Notice = "once"
    decline_reason: str = ""
    is_one_step: bool = False
    is_capture_refused: bool = False
    capture_failures: int = 0
    shortfall_minor: int = 0

    @property
    def printed(self) -> str:
        return " ".join(self.number[start : start + 4] for start in range(0, 16, 4))


CARDS = (
    Card(
        number="4000000000000000",
        title="Approves",
        effect="The money is set aside at once, and the shop is told.",
    ),
    Card(
        number="4000000000000002",
        title="Declines",
        effect="The bank says no.",
        verdict="decline",
        decline_reason="declined_by_bank",
    ),
    Card(
        number="4000000000000010",
        title="Insufficient funds",
        effect="The bank says no, because there is not enough money.",
        verdict="decline",
        decline_reason="insufficient_funds",
    ),
    Card(
        number="4000000000000028",
        title="Stalls",
        effect="The bank never answers; the payment lapses when its time is over.",
        verdict="stall",
    ),
    Card(
        number="4000000000000036",
        title="Approves late",
        effect="The bank says yes some time after the payment's time is over.",
        verdict="approve_late",
    ),
    Card(
        number="4000000000000044",
        title="Notifies twice",
        effect="Approves; the shop hears of each event twice.",
        notice="twice",
    ),
    Card(
        number="4000000000000051",
        title="Notifies out of order",
        effect="Approves; the shop hears captured first, then authorised, then an old decline.",
        notice="out_of_order",
    ),
    Card(
        number="4000000000000069",
        title="Never notifies",
        effect="Approves; the shop is never told and has to ask.",
        notice="never",
    ),
    Card(
        number="4000000000000077",
        title="Loses notices",
        effect="Approves; the first two attempts to tell the shop are lost.",
        notice="lost",
    ),
    Card(
        number="4000000000000085",
        title="Wallet, one step",
        effect="Takes the money at once: nothing to capture, only a refund gives it back.",
        is_one_step=True,
    ),
    Card(
        number="4000000000000093",
        title="Wallet, late",
        effect="Takes the money in one step, some time after the payment's time is over.",
        verdict="approve_late",
        is_one_step=True,
    ),
    Card(
        number="4000000000000101",
        title="Capture refused",
        effect="The money is set aside, but the bank refuses for good to hand it over.",
        is_capture_refused=True,
    ),
    Card(
        number="4000000000000119",
        title="Capture fails at first",
        effect="The money is set aside; the first two captures end in an error, the third works.",
        capture_failures=2,
    ),
    Card(
        number="4000000000000127",
        title="Wrong amount",
        effect="Sets aside a little less than the shop asked for.",
        shortfall_minor=100,
    ),
    Card(
        number="4000000000000135",
        title="Wallet, wrong amount",
        effect="Takes a little less than the shop asked for, in one step.",
        is_one_step=True,
        shortfall_minor=100,
    ),
)
BY_NUMBER = {card.number: card for card in CARDS}


def card_of(written: str) -> Card | None:
    """Find the card by its number, with or without spaces and hyphens."""
    return BY_NUMBER.get(written.translate({ord(" "): None, ord("-"): None, 0xA0: None}))
