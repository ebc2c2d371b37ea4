r"""
The states of an order and what moves it between them (design, section 5).

    held --pin--> paying --confirm--> confirmed --cancel--> cancelled
      \-- expired / released    \-- unpin --> held again

Expiry is lazy: a held or paying order whose time has passed *is* expired, whether or not the
sweeper has written so. An expired order may still be confirmed by late money, if its seats are
free; a released one never.
"""

from datetime import datetime, timedelta

HELD, PAYING, CONFIRMED = "held", "paying", "confirmed"
RELEASED, EXPIRED, CANCELLED = "released", "expired", "cancelled"
STATES = (HELD, PAYING, CONFIRMED, RELEASED, EXPIRED, CANCELLED)
LIVE_STATES = (HELD, PAYING)
CONFIRMABLE_STATES = (HELD, PAYING, EXPIRED)
CLAIM_STATES = ("held", "sold", "released", "expired", "cancelled")


def state_at(state: str, expires_at: datetime, now: datetime) -> str:
    return EXPIRED if state in LIVE_STATES and expires_at <= now else state


def pinned_until(
    *,
    created_at: datetime,
    expires_at: datetime,
    now: datetime,
    pin_seconds: int,
    hold_seconds: int,
) -> datetime:
    """
    Cover the provider's page, but keep no seat longer than a hold and a page after the order was
    placed, however often somebody begins to pay.
    """
    bound = created_at + timedelta(seconds=hold_seconds + pin_seconds)
    return max(expires_at, min(now + timedelta(seconds=pin_seconds), bound))
