"""
Fixtures for the services' tests: a migrated database of the service's own on the test servers,
an application on it, and access tokens signed by a key the application trusts.

The project's root conftest starts the servers and puts their addresses into the environment.
"""

import base64
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import psycopg2
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import downgrade, upgrade
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import inspect, text

from chassis.database import migrate
from chassis.identity import AUDIENCE, ISSUER, TokenVerifier, service_token

POSTGRES_ADMIN_URL = "TEST_POSTGRES_ADMIN_URL"
REDIS_URL = "TEST_REDIS_URL"
_KEY = Ed25519PrivateKey.generate()
_KID = "test-key"


def redis_url() -> str:
    """Each test process has a Redis database of its own, so that a flush harms nobody else."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return f"{os.environ[REDIS_URL]}/{int(worker.removeprefix('gw')) % 16}"


@contextmanager
def fresh_database(service: str) -> Iterator[str]:
    """An empty database for one test process, dropped at the end; gives its URL."""
    admin_url = os.environ[POSTGRES_ADMIN_URL]
    name = f"{service}_{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}_{os.getpid()}"
    _execute(admin_url, f'CREATE DATABASE "{name}"')
    try:
        yield admin_url.rsplit("/", 1)[0] + f"/{name}"
    finally:
        _execute(admin_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def migrated(app: Flask) -> Flask:
    """Run the service's real migrations and let it trust the tests' signing key."""
    migrate(app)
    verifier: TokenVerifier = app.extensions["verifier"]
    verifier.trust(public_jwk())
    return app


def differences_from_models(db: SQLAlchemy) -> list[Any]:
    """What the migrated database has and the models do not say, and the other way round."""
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, db.metadata))


def tables_after_undoing_migrations(db: SQLAlchemy) -> list[str]:
    """What is left when every migration is taken back; they are run again before this returns."""
    db.session.remove()
    downgrade(revision="base")
    try:
        return inspect(db.engine).get_table_names()
    finally:
        upgrade()


def misnumbered_migrations(package: Path) -> list[str]:
    """Migrations are `0001_what_it_does.py` and so on: two cannot meet under one number."""
    names = sorted(path.name for path in (package / "migrations" / "versions").glob("*.py"))
    return [
        name
        for number, name in enumerate(names, 1)
        if not re.fullmatch(rf"{number:04d}_[a-z_]+\.py", name)
    ]


def empty_tables(app: Flask, db: SQLAlchemy) -> None:
    """Take everything out of every table except the migrations' own."""
    with app.app_context():
        names = ", ".join(f'"{table.name}"' for table in db.metadata.sorted_tables)
        db.session.execute(text(f"TRUNCATE {names} CASCADE"))
        db.session.commit()


def public_jwk() -> dict[str, Any]:
    raw = _KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "kid": _KID, "alg": "EdDSA", "use": "sig", "x": x}


def access_token(
    *,
    account_id: UUID | None = None,
    roles: tuple[str, ...] = (),
    lifetime_seconds: int = 900,
    **claims: Any,
) -> str:
    now = int(time.time())
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(account_id or uuid4()),
        "email": "passenger@example.org",
        "name": "Rahima Khatun",
        "roles": list(roles),
        "sid": uuid4().hex,
        "jti": uuid4().hex,
        "iat": now,
        "exp": now + lifetime_seconds,
        **claims,
    }
    return jwt.encode(payload, _KEY, algorithm="EdDSA", headers={"kid": _KID})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed_in(**token: Any) -> dict[str, str]:
    """The headers of a request by an account."""
    return bearer(access_token(**token))


def as_service(caller: str, callee: str, secret: str) -> dict[str, str]:
    return bearer(service_token(caller=caller, callee=callee, secret=secret))


def routes_without_identity(app: Flask) -> set[str]:
    """The endpoints whose view carries none of the identity decorators."""
    return {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if not hasattr(app.view_functions[rule.endpoint], "identity_rule")
    }


def openapi_of(client: FlaskClient, service: str) -> dict[str, Any]:
    return dict(json.loads(client.get(f"/api/{service}/openapi.json").data))
