"""
AES-256-GCM for what must be read again but never at rest. Each sealed value names its key, so
that the key can change, and is bound to whom it belongs, so that it cannot be moved.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES, KEY_ID_BYTES, NONCE_BYTES = 32, 4, 12


class CannotUnseal(Exception):
    """Another key, another owner, or damaged: none of them is a caller's fault."""


class SealingKey:
    def __init__(self, encoded: str) -> None:
        """
        Raises:
            ValueError: not base64 of 32 bytes.
        """
        try:
            raw = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raw = b""
        if len(raw) != KEY_BYTES:
            raise ValueError(f"expected base64 of {KEY_BYTES} bytes")
        self.key_id = hashlib.sha256(b"key id" + raw).digest()[:KEY_ID_BYTES]
        self._cipher = AESGCM(raw)

    def seal(self, text: str, *, owner: str) -> bytes:
        """Give key id, nonce and ciphertext in one."""
        nonce = os.urandom(NONCE_BYTES)
        return self.key_id + nonce + self._cipher.encrypt(nonce, text.encode(), owner.encode())

    def unseal(self, sealed: bytes, *, owner: str) -> str:
        nonce, ciphertext = sealed[KEY_ID_BYTES:][:NONCE_BYTES], sealed[KEY_ID_BYTES:][NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, ciphertext, owner.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise CannotUnseal from error


def unseal(keys: Sequence[SealingKey], sealed: bytes, *, owner: str) -> str:
    """
    Raises:
        CannotUnseal: none of the keys made this, or not for this owner.
    """
    for key in keys:
        if sealed[:KEY_ID_BYTES] == key.key_id:
            return key.unseal(sealed, owner=owner)
    raise CannotUnseal
