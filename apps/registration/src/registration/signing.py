"""
Access tokens: signed here and nowhere else with Ed25519, verified by anybody with the published
keys. A previous key stays published until its last token has expired.
"""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token

from chassis.identity import AUDIENCE, ISSUER

LIFETIME = timedelta(minutes=15)


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


def register_signing(app: Flask, key: SigningKey, previous: PublicKey | None) -> None:
    """Sign with `key`; trust it and the previous one without asking ourselves over HTTP."""
    app.config.update(
        JWT_ALGORITHM="EdDSA",
        JWT_PRIVATE_KEY=key.private,
        JWT_PUBLIC_KEY=key.private.public_key(),
        JWT_ENCODE_ISSUER=ISSUER,
        JWT_ENCODE_AUDIENCE=AUDIENCE,
        JWT_ENCODE_NBF=False,
        JWT_COOKIE_CSRF_PROTECT=False,
    )
    JWTManager(app)
    for trusted in published(key, previous):
        app.extensions["verifier"].trust(trusted)


def published(key: SigningKey, previous: PublicKey | None) -> list[dict[str, Any]]:
    return [key.jwk, *([previous.jwk] if previous else [])]


def access_token(
    key: SigningKey,
    *,
    account_id: UUID,
    session_id: UUID,
    email: str,
    name: str,
    roles: list[str],
    now: datetime,
) -> str:
    claims = {
        "email": email,
        "name": name,
        "roles": roles,
        "sid": str(session_id),
        "jti": uuid4().hex,
        "iat": int(now.timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
    }
    token: str = create_access_token(
        str(account_id),
        expires_delta=False,
        additional_claims=claims,
        additional_headers={"kid": key.key_id},
    )
    return token
