"""One application on real servers for the whole run; its tables and Redis are emptied each time."""

import base64
import dataclasses
import json
import os
import re
import secrets
import socket
from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chassis.application import utc_now
from chassis.keys import SigningKey
from chassis.outbox import deliver_due
from chassis.settings import Secret
from chassis.testing import bearer, empty_tables, fresh_database, migrated, redis_url
from registration import mailing
from registration.app import create_app
from registration.keyed_hash import HashKey
from registration.models import Outbox, db
from registration.sealing import SealingKey
from registration.settings import Settings

PASSWORD = "tangerine-river-42"


def signing_key_pem():
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="session")
def keys():
    """The keys as a program finds them in its environment."""
    return {
        "ACCESS_TOKEN_KEY": signing_key_pem(),
        "IDENTITY_KEY": base64.b64encode(os.urandom(32)).decode(),
        "HASH_KEY": secrets.token_hex(32),
    }


@pytest.fixture(scope="session")
def settings(keys):
    with fresh_database("registration") as database_url:
        yield Settings(
            database_url=Secret(database_url),
            redis_url=redis_url(),
            jwks_url="http://127.0.0.1:9/jwks.json",
            log_level="WARNING",
            access_token_key=SigningKey(keys["ACCESS_TOKEN_KEY"]),
            identity_key=SealingKey(keys["IDENTITY_KEY"]),
            hash_key=HashKey(keys["HASH_KEY"]),
        )


@pytest.fixture(scope="session")
def the_app(settings):
    app = migrated(create_app(settings))
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(the_app, settings):
    yield the_app
    the_app.extensions["settings"] = settings
    empty_tables(the_app, db)
    redis.Redis.from_url(redis_url()).flushdb()


@pytest.fixture
def changed_settings(app, settings):
    """Run the application with some settings changed; undone when the test ends."""

    def change(**values):
        app.extensions["settings"] = dataclasses.replace(app.extensions["settings"], **values)
        return app.extensions["settings"]

    return change


class Sink:
    """A real SMTP server that keeps what it is handed, or refuses it as told."""

    def __init__(self):
        self.mails = []
        self.refusal = None

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd calls it so
        if self.refusal:
            return self.refusal
        self.mails.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 kept"

    def codes(self):
        """The codes of all mails, by their subjects, oldest first."""
        found = (
            re.search(r"^Subject: (\d{6}) is your", text, re.MULTILINE) for _, text in self.mails
        )
        return [match[1] for match in found if match]


@pytest.fixture(scope="session")
def smtp_server():
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=_free_port())
    controller.start()
    sink.url = f"smtp://127.0.0.1:{controller.port}"
    yield sink
    controller.stop()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def mailbox(smtp_server, changed_settings):
    smtp_server.mails.clear()
    smtp_server.refusal = None
    changed_settings(smtp_url=smtp_server.url)
    return smtp_server


@pytest.fixture
def deliver(app):
    """What the worker's loop does once."""

    def once(*, later=timedelta()):
        now = utc_now() + later
        with app.app_context():
            return deliver_due(
                db, Outbox, "mail", lambda m: mailing.deliver_mail(m, now=now), now=now
            )

    return once


class Api:
    """The API as a caller sees it; each call is one request."""

    password = PASSWORD

    def __init__(self, app):
        self.app = app

    @staticmethod
    def applicant(**changes):
        """What a new person sends; mailbox and document are theirs alone unless said otherwise."""
        return {
            "name": "Rahima Khatun",
            "email": f"{uuid4().hex[:12]}@example.org",
            "password": PASSWORD,
            "mobile": "01712345678",
            "identity_kind": "nid",
            "identity_number": f"19{uuid4().int % 10**8:08d}",
            **changes,
        }

    @staticmethod
    def looks_same(one, other):
        """Status, header names and body keys alike: nothing to tell two answers apart by."""
        return (
            one.status_code == other.status_code
            and sorted(one.headers.keys()) == sorted(other.headers.keys())
            and sorted(json.loads(one.data or b"{}")) == sorted(json.loads(other.data or b"{}"))
        )

    def call(self, method, path, body=None, token=None, **kwargs):
        headers = {**(bearer(token) if token else {}), **kwargs.pop("headers", {})}
        return self.app.test_client().open(
            f"/api/registration{path}", method=method, json=body, headers=headers, **kwargs
        )

    def register(self, registration_id=None, **changes):
        return self.call(
            "PUT", f"/registrations/{registration_id or uuid4()}", self.applicant(**changes)
        )

    def resend(self, registration_id):
        return self.call("POST", f"/registrations/{registration_id}/codes")

    def confirm(self, registration_id, code):
        return self.call("PUT", f"/registrations/{registration_id}/confirmation", {"code": code})

    def sign_in(self, email, password=PASSWORD, **kwargs):
        return self.call("POST", "/sessions", {"email": email, "password": password}, **kwargs)

    def refresh(self, token):
        return self.call("POST", "/sessions/refresh", {"refresh_token": token})

    def verify(self, token):
        return self.call("POST", "/token-verifications", {"token": token}).json


@pytest.fixture
def api(app):
    return Api(app)


@pytest.fixture
def open_account(api, mailbox, deliver):
    """Register somebody the way people do, and give what they sent plus the new account."""

    def opened(**changes):
        sent = api.applicant(**changes)
        registration_id = uuid4()
        api.call("PUT", f"/registrations/{registration_id}", sent)
        deliver()
        answer = api.confirm(registration_id, mailbox.codes()[-1])
        assert answer.status_code == 201, answer.json
        return {**sent, **answer.json}

    return opened


@pytest.fixture
def signed_in(api, open_account):
    """The answer to a sign-in of a new account."""

    def session(**changes):
        account = open_account(**changes)
        return {**api.sign_in(account["email"]).json, "email": account["email"]}

    return session
