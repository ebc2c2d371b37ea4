"""
Passengers' identity numbers: encrypted where they rest, masked where they are shown, and
compared only by a keyed digest.
"""

import base64
import hmac
import os
import re

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
SHOWN_DIGITS = 4


def normalised(number: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", number).upper()


def masked(number: str) -> str:
    plain = normalised(number)
    return "•" * max(0, len(plain) - SHOWN_DIGITS) + plain[-SHOWN_DIGITS:]


class IdentityNumbers:
    """`identity_key` is base64 of 32 bytes; `hash_key` any secret."""

    def __init__(self, *, identity_key: str, hash_key: str) -> None:
        self._cipher = AESGCM(base64.b64decode(identity_key))
        self._hash_key = hash_key.encode()

    def seal(self, number: str, *, owner: str) -> bytes:
        """`owner` is bound in: what was sealed for one passenger cannot be moved to another."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, normalised(number).encode(), owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> str:
        opened = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.encode())
        return opened.decode()

    def digest(self, kind: str, number: str) -> bytes:
        return self.keyed_digest(f"{kind}:{normalised(number)}".encode())

    def keyed_digest(self, content: bytes) -> bytes:
        return hmac.digest(self._hash_key, content, "sha256")[:16]
