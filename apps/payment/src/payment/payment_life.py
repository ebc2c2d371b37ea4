r"""
The life of a payment: which state may follow which, what has to be done next, and what the
provider's word means. Nothing here talks to anybody.

    created -> pending -> authorised -> confirmed -> captured -> refunded
       |          |           |              \-> failed
       |          |           \-> voided, refunded      (order said no)
       \----------\-> declined -> authorised            (money that came late)

Every path ends; what ends it:

| state      | what it waits for                   | what ends it                                  |
|------------|-------------------------------------|-----------------------------------------------|
| created    | the pin, the provider's session     | the passenger's request, repeated; without    |
|            |                                     | it given up after `abandon_after_seconds`     |
| pending    | the passenger at the provider       | the provider's word; it expires each session; |
|            |                                     | a session it has lost counts as declined      |
| authorised | order's yes or no                   | order's answer, asked for until it comes      |
| confirmed  | the capture                         | the provider's answer, asked for until it     |
|            |                                     | comes: captured, or refused for good: failed  |
| declined   | nothing; order is told (`unpin`)    | after an expiry the provider is asked again   |
|            |                                     | now and then for `late_money_hours`           |
| failed     | nothing; order is told (`failure`)  | told until order has heard it                 |
| captured, voided, refunded               | final; refunds are records of their own           |
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from urllib.parse import urlsplit

CREATED, PENDING, AUTHORISED, CONFIRMED = "created", "pending", "authorised", "confirmed"
CAPTURED, DECLINED, VOIDED, REFUNDED, FAILED = (
    "captured", "declined", "voided", "refunded", "failed",
)  # fmt: skip
TRANSITIONS: dict[str, frozenset[str]] = {
    CREATED: frozenset({PENDING, DECLINED}),
    PENDING: frozenset({AUTHORISED, DECLINED}),
    AUTHORISED: frozenset({CONFIRMED, VOIDED, REFUNDED}),
    CONFIRMED: frozenset({CAPTURED, FAILED}),
    CAPTURED: frozenset({REFUNDED}),
    DECLINED: frozenset({AUTHORISED}),
    VOIDED: frozenset(),
    REFUNDED: frozenset(),
    FAILED: frozenset(),
}
STATES = tuple(TRANSITIONS)
# Money was taken, or can still be: a refund that order asks for is kept until it can be executed.
MONEY_MAY_COME = frozenset({CREATED, PENDING, AUTHORISED, CONFIRMED, CAPTURED})

UNPIN, FAILURE = "unpin", "failure"
REFUND_STATES = REQUESTED, SUCCEEDED, NOT_NEEDED, REFUSED = (
    "requested", "succeeded", "not_needed", "refused",
)  # fmt: skip

ABANDONED, SESSION_EXPIRED, SESSION_LOST = "abandoned", "session_expired", "session_lost"
AMOUNT_MISMATCH = "provider_amount_mismatch"
WAIT_SECONDS_MAX = 300.0


class Step(Enum):
    """What has to be done next; each is safe to do twice and by two at once."""

    ABANDON = "abandon"
    ASK_PROVIDER = "ask_provider"
    ASK_ORDER = "ask_order"
    GIVE_BACK = "give_back"
    CAPTURE = "capture"
    TELL_ORDER = "tell_order"


class Verdict(Enum):
    """The provider's word on a session, in the words of a payment."""

    OPEN = "open"
    PAID = "paid"
    PAID_WRONG = "paid_wrong"
    DECLINED = "declined"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class ProviderSession:
    """`amount_minor` is what was authorised or, once captured, taken; 0 before."""

    state: str
    amount_minor: int
    currency: str
    page_url: str
    reason: str = ""

    @property
    def is_captured(self) -> bool:
        return self.state == "captured"


class ForbiddenTransition(Exception):
    """A step tried what the table does not allow: a mistake of ours, never of a caller."""


def demand_allowed(before: str, after: str) -> None:
    """
    Raises:
        ForbiddenTransition
    """
    if after not in TRANSITIONS[before]:
        raise ForbiddenTransition(f"{before} -> {after}")


def next_step(state: str, *, is_refused: bool, owes_order: bool) -> Step | None:
    """`is_refused`: order's final no, or the provider's wrong amount, is on record."""
    if owes_order and state in {DECLINED, FAILED}:
        return Step.TELL_ORDER
    if state == AUTHORISED:
        return Step.GIVE_BACK if is_refused else Step.ASK_ORDER
    return {
        CREATED: Step.ABANDON,
        PENDING: Step.ASK_PROVIDER,
        DECLINED: Step.ASK_PROVIDER,
        CONFIRMED: Step.CAPTURE,
    }.get(state)


def verdict_on(session: ProviderSession, *, amount_minor: int, currency: str) -> Verdict:
    """A word that we do not know is taken for silence: nothing is decided on it."""
    if session.state in {"authorised", "captured"}:
        is_right = (session.amount_minor, session.currency) == (amount_minor, currency)
        return Verdict.PAID if is_right else Verdict.PAID_WRONG
    if session.state in {"declined", "voided"}:
        return Verdict.DECLINED
    return Verdict.EXPIRED if session.state == "expired" else Verdict.OPEN


def look_again_at(
    state: str,
    *,
    reason: str | None,
    owes_order: bool,
    checks: int,
    created_at: datetime,
    session_expires_at: datetime | None,
    now: datetime,
    first_seconds: float,
    late_hours: float,
) -> datetime | None:
    """
    When the reconciler shall look at a payment again; None where nothing can follow.

    The pause doubles, but does not run past the moment at which the provider's session ends.
    """
    soon = now + timedelta(seconds=min(first_seconds * 2 ** min(checks, 16), WAIT_SECONDS_MAX))
    if owes_order or state in {CREATED, AUTHORISED, CONFIRMED}:
        return soon
    if state == PENDING:
        over_at = (session_expires_at or now) + timedelta(seconds=1)
        return min(soon, over_at) if over_at > now else soon
    if state == DECLINED and reason == SESSION_EXPIRED:
        return soon if soon < created_at + timedelta(hours=late_hours) else None
    return None


def can_have_refunds(state: str, *, owed_minor: int) -> bool:
    """Until the money was said to be there, each refund on record counts as owed."""
    return state not in {CREATED, PENDING} or owed_minor > 0


def is_own_page(url: str, public_url: str) -> bool:
    """Whether a browser that follows `url` stays on the product's own origin."""
    if not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        return False
    try:
        asked, own = urlsplit(url), urlsplit(public_url)
    except ValueError:
        return False
    return bool(asked.netloc) and (asked.scheme, asked.netloc) == (own.scheme, own.netloc)
