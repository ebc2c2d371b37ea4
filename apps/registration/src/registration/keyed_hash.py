"""
Digests that nobody without HASH_KEY can make or guess: of codes, refresh tokens and identity
numbers, whose own range is too small for a plain hash.
"""

import hashlib
import hmac

SECRET_CHARACTERS_MIN = 32


class HashKey:
    def __init__(self, secret: str) -> None:
        """
        Raises:
            ValueError: too short to keep anybody out.
        """
        if len(secret) < SECRET_CHARACTERS_MIN:
            raise ValueError(f"expected at least {SECRET_CHARACTERS_MIN} characters")
        self._secret = secret.encode()

    def digest(self, purpose: str, *parts: str) -> bytes:
        """
        Give 32 bytes. The purpose keeps a digest of one kind from passing for another, the
        lengths keep ("ab", "c") from passing for ("a", "bc").
        """
        fields = [part.encode() for part in (purpose, *parts)]
        message = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
        return hmac.new(self._secret, message, hashlib.sha256).digest()
