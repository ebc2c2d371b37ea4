"""Ed25519 keys as settings give them and as others may read them: PEM in, JWK out."""

import base64
import hashlib
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class PublicKey:
    """The public half, from PEM; in place of line breaks it may have backslash and n."""

    def __init__(self, pem: str) -> None:
        self.jwk = _jwk(self._public(pem.replace("\\n", "\n").encode()))
        self.key_id: str = self.jwk["kid"]

    def _public(self, pem: bytes) -> Ed25519PublicKey:
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("expected an Ed25519 public key in PEM")  # noqa: TRY004 - of settings
        return key


class SigningKey(PublicKey):
    """The private half, from PEM."""

    def _public(self, pem: bytes) -> Ed25519PublicKey:
        try:
            key = serialization.load_pem_private_key(pem, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("expected an Ed25519 private key in PEM")  # noqa: TRY004 - of settings
        self.private = key
        return key.public_key()


def _jwk(key: Ed25519PublicKey) -> dict[str, Any]:
    """The key as RFC 8037 has it; its id is the thumbprint of RFC 7638."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    required = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    thumbprint = _base64url(hashlib.sha256(orjson.dumps(required)).digest())
    return {**required, "kid": thumbprint, "alg": "EdDSA", "use": "sig"}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
