"""
Access tokens: signed here and nowhere else with Ed25519, verified by anybody with the published
keys. A previous key stays published until its last token has expired.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token

from chassis.identity import AUDIENCE, ISSUER
from chassis.keys import PublicKey, SigningKey

LIFETIME = timedelta(minutes=15)


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
