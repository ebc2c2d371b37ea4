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
    _count_address(parts, address, now)
    _count(parts, f"join:{account_id}", parts.settings.joins_per_account_minute, now)


def count_admission(parts: Parts, *, account_id: UUID, address: str, now: datetime) -> None:
    """
    Raises:
        TooManyRequests: the minute's share of the account or the address is used up.
    """
    _count_address(parts, address, now)
    _count(parts, f"admission:{account_id}", parts.settings.admissions_per_account_minute, now)


def _count_address(parts: Parts, address: str, now: datetime) -> None:
    """The key is a digest: Redis need not know who asks."""
    secret = parts.settings.place_key.encode()[:64]
    digest = hashlib.blake2b(address.encode(), key=secret, digest_size=12).hexdigest()
    _count(parts, f"address:{digest}", parts.settings.requests_per_address_minute, now)


def _count(parts: Parts, whose: str, limit: int, now: datetime) -> None:
    parts.throttle.count(
        f"waitingroom:{whose}", limit=limit, window_seconds=WINDOW_SECONDS, now=now.timestamp()
    )
