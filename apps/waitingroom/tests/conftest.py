"""The waiting room on a real database and Redis, with windows and people made to order."""

import dataclasses
import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID, uuid4

import pytest
import redis
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis import testing
from chassis.application import utc_now
from chassis.cache import SoftRedis
from chassis.keys import SigningKey
from waitingroom import operations
from waitingroom.app import create_app
from waitingroom.models import WaitingWindow, db
from waitingroom.parts import build_parts
from waitingroom.settings import Settings
from waitingroom.signing import PlaceKey

SEED = bytes(range(32))
# Nothing listens there.
DEAD_REDIS = "redis://127.0.0.1:1/0"


def new_pem():
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


@pytest.fixture(scope="session")
def settings():
    with testing.fresh_database("waitingroom") as url:
        yield Settings(
            database_url=url,
            redis_url=testing.redis_url(),
            # Nobody's: a Railgate that runs beside the tests has keys of its own.
            jwks_url="http://127.0.0.1:9/jwks.json",
            order_url="http://127.0.0.1:9",
            ticket_url="http://127.0.0.1:9",
            # A starved machine is no outage: a test that wants one takes Redis away.
            redis_timeout_seconds=10.0,
            admission_key=SigningKey(new_pem()),
            place_key=PlaceKey("places-are-signed-with-this-in-tests"),
            window_seconds=0.0,
            lease_seconds=0.3,
            database_pool_size=60,
        )


@pytest.fixture(scope="session")
def migrated_app(settings):
    return testing.migrated(create_app(settings))


@pytest.fixture
def app(migrated_app, settings):
    with migrated_app.app_context():
        testing.empty_tables(migrated_app, db)
        redis.Redis.from_url(settings.redis_url).flushdb()
        migrated_app.extensions["parts"] = build_parts(settings, migrated_app.extensions["redis"])
        yield migrated_app
        db.session.remove()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def parts(app):
    return app.extensions["parts"]


@pytest.fixture
def parts_without_redis(app, settings):
    """The same database, and a Redis that is down."""
    return build_parts(settings, SoftRedis(DEAD_REDIS))


@pytest.fixture
def with_settings(app, settings):
    def build(**changed):
        app.extensions["parts"] = build_parts(
            dataclasses.replace(settings, **changed), app.extensions["redis"]
        )
        return app.extensions["parts"]

    return build


@pytest.fixture
def valkey(settings):
    with redis.Redis.from_url(settings.redis_url) as client:
        yield client


@pytest.fixture
def neighbour_at():
    """
    A neighbour on a real socket: `answer` is given each GET's address and gives the status and
    what to send, a text or what becomes JSON. Gives the neighbour's URL.
    """
    servers = []

    def start(answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, body = answer(self.path)
                content = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def new_window(app):
    """Make a window that opened a minute ago; `opens_in` and columns make it another."""

    def make(*, opens_in=timedelta(minutes=-1), closes_in=timedelta(hours=6), **columns) -> UUID:
        now = utc_now()
        row = {
            "window_id": uuid4(),
            "run_ids": [uuid4()],
            "opens_at": now + opens_in,
            "closes_at": now + closes_in,
            "seats_total": 100,
            "seed": SEED,
            "created_at": now - timedelta(days=1),
            **columns,
        }
        db.session.add(WaitingWindow(**row))
        db.session.commit()
        return row["window_id"]

    return make


@pytest.fixture
def change_window(app):
    def change(window_id, **columns):
        row = db.session.get(WaitingWindow, window_id, populate_existing=True)
        for name, value in columns.items():
            setattr(row, name, value)
        db.session.commit()

    return change


@pytest.fixture
def take(app):
    """Take a place as some account, with the pieces of one process."""

    def ask(parts, window_id, account_id=None, *, shown=None, now=None):
        return operations.take_place(
            parts=parts,
            window_id=window_id,
            account_id=account_id or uuid4(),
            shown=shown,
            now=now or utc_now(),
        )

    return ask
