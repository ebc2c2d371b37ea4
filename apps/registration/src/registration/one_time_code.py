"""The six digits that prove a mailbox: how they are made, kept and compared."""

import hmac
import secrets
from datetime import timedelta
from uuid import UUID

from registration.keyed_hash import HashKey

DIGITS = 6
TRIES_MAX = 5
CODE_LIFETIME = timedelta(minutes=5)
RESEND_WAIT = timedelta(seconds=60)


def new_code() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def code_hash(key: HashKey, subject_id: UUID, code: str) -> bytes:
    """Bound to what the code is for: the same digits open nothing else."""
    return key.digest("one-time-code", str(subject_id), code)


def unguessable_hash() -> bytes:
    """Stands where a code's hash would, for a mailbox that was sent none: no code fits it."""
    return secrets.token_bytes(32)


def fits(key: HashKey, subject_id: UUID, code: str, kept: bytes) -> bool:
    return hmac.compare_digest(code_hash(key, subject_id, code), kept)
