"""
Argon2id at 19 MiB, two passes, one lane: the first of OWASP's choices, 33 ms on the machine of
`ARCHITECTURE.md`; the library's own default costs eight times that at every sign-in.
"""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from registration.passwords import normalised

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash_password(password: str) -> str:
    return HASHER.hash(normalised(password))


def is_password(password: str, kept_hash: str) -> bool:
    try:
        return HASHER.verify(kept_hash, normalised(password))
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept_hash: str) -> bool:
    """Made with other parameters than today's."""
    return HASHER.check_needs_rehash(kept_hash)


@cache
def nobodys_hash() -> str:
    """Verified where there is no account, so that this takes as long as a wrong password."""
    return HASHER.hash("a password of nobody")
