"""How often one account or one address may ask; the line itself is not moved by asking often."""

import hashlib
from datetime import datetime
from uuid import UUID

from waitingroom.parts import Parts

WINDOW_SECONDS = 60


def count_join(parts: Parts, *, account_id: UUID, address: str, now: datetime) -> None:
    """
    Raises:
        TooManyRequests: the minute's share of the account or the address is used up.
    """
    _count(parts, f"join:{account_id}", parts.settings.joins_per_account_minute, address, now)


def count_admission(parts: Parts, *, account_id: UUID, address: str, now: datetime) -> None:
    """
    Raises:
        TooManyRequests: the minute's share of the account or the address is used up.
    """
    limit = parts.settings.admissions_per_account_minute
    _count(parts, f"admission:{account_id}", limit, address, now)


def _count(parts: Parts, whose: str, limit: int, address: str, now: datetime) -> None:
    limits = {
        f"waitingroom:{whose}": limit,
        f"waitingroom:address:{_digest(parts, address)}": (
            parts.settings.requests_per_address_minute
        ),
    }
    parts.throttle.count_each(limits, window_seconds=WINDOW_SECONDS, now=now.timestamp())


def _digest(parts: Parts, address: str) -> str:
    """Redis need not know who asks."""
    secret = parts.settings.place_key.encode()[:64]
    return hashlib.blake2b(address.encode(), key=secret, digest_size=12).hexdigest()
