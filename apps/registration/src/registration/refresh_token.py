"""
Refresh tokens: opaque, used once, each followed by its successor.

The successor is derived from the token, a salt kept beside it and HASH_KEY. So a repetition right
after the first use (a double click, an answer lost on the way) gets the very same successor and
not a second branch of the family, and none of it rests anywhere in the clear.
"""

import base64
import secrets
from datetime import timedelta

from registration.keyed_hash import HashKey

LIFETIME = timedelta(days=30)
REPEAT_GRACE = timedelta(seconds=10)


def new_token() -> str:
    return secrets.token_urlsafe(32)


def new_salt() -> str:
    return secrets.token_urlsafe(16)


def token_hash(key: HashKey, token: str) -> bytes:
    return key.digest("refresh-token", token)


def successor(key: HashKey, token: str, salt: str) -> str:
    raw = key.digest("refresh-successor", token, salt)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
