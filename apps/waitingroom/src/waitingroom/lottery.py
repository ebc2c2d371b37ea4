"""
The shuffle of those who come before the opening, which anybody can check.

A seed is drawn when the window is made and its SHA-256 is published at once; the seed itself is
published at the opening. An account's draw is a keyed hash of it, so a place needs no memory
anywhere and nobody, not even we, can choose a draw after the accounts are known.
"""

import hashlib
import hmac
import secrets
from uuid import UUID

SEED_BYTES = 32
DRAW_BYTES = 8


def new_seed() -> bytes:
    return secrets.token_bytes(SEED_BYTES)


def commitment_to(seed: bytes) -> str:
    """What is published before the opening, in hexadecimal."""
    return hashlib.sha256(seed).hexdigest()


def draw_of(seed: bytes, account_id: UUID) -> int:
    """The first eight bytes of HMAC-SHA256(seed, the account's sixteen bytes), big-endian."""
    return int.from_bytes(hmac.digest(seed, account_id.bytes, "sha256")[:DRAW_BYTES], "big")


def number_of_early(seed: bytes, account_id: UUID, early_places: int) -> int:
    """
    The draw as a share of the line of early places: 1 … `early_places`.

    It is the account's rank among the draws, give or take the square root of `early_places`.
    A few share a number and are then served together; a number is never passed over by a later.
    With no early place counted (Redis was down all along) an early one stands before all others.
    """
    if early_places == 0:
        return 0
    return 1 + (draw_of(seed, account_id) * early_places >> (8 * DRAW_BYTES))
