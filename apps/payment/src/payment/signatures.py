"""The provider's signature on its webhooks: HMAC-SHA256 over the time and the raw body."""

import hashlib
import hmac

TOLERANCE_SECONDS = 300
HEADER = "Railgate-Signature"


def is_genuine(header: str, body: bytes, secret: str, now: float) -> bool:
    """
    Whether the provider signed this body within the last five minutes.

    Several `v1` values may stand in a header while a secret is being exchanged; one that fits is
    enough. Comparison takes the same time wherever the difference lies.
    """
    parts = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in parts if name == "t"]
    if len(stamps) != 1 or not stamps[0].isascii() or not stamps[0].isdigit():
        return False
    if len(stamps[0]) > 15 or abs(now - int(stamps[0])) > TOLERANCE_SECONDS:
        return False
    wanted = signature_of(stamps[0], body, secret).encode()
    given = [value.encode() for name, _, value in parts if name == "v1"]
    return any(hmac.compare_digest(wanted, one) for one in given)


def signature_of(stamp: str, body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
