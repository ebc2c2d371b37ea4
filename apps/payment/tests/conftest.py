"""
The payment service on a real database and on the wire, the real sandbox as its provider, and a
fake order service that can be told what to answer.
"""

import json
import logging
import socket
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, text
from werkzeug.serving import make_server

from chassis.application import utc_now
from chassis.peers import Peer
from chassis.settings import Secret
from chassis.testing import (
    as_service,
    empty_tables,
    fresh_database,
    migrated,
    redis_url,
    signed_in,
)
from payment import advancing, queries, refunding
from payment.app import create_app
from payment.models import Irregularity, Outbox, ProviderEvent, db
from payment.settings import Settings
from payment.signatures import HEADER, signature_of
from sandbox.app import create_app as create_sandbox
from sandbox.background import Background
from sandbox.cards import CARDS
from sandbox.settings import Settings as SandboxSettings

sys.path.insert(0, str(Path(__file__).parent))
from fake_order import FakeOrder

PAYMENT_ORDER, ORDER_PAYMENT = "payment-calls-order-" + "x" * 20, "order-calls-payment-" + "x" * 20
KEY, WEBHOOK_SECRET = "sandbox-key", "webhook-secret"
CARD = {card.title: card.number for card in CARDS}
# Long enough to be seen as declined meanwhile, on a busy machine too.
LATE_SECONDS = 1.0


@contextmanager
def served(app, port=0):
    logging.getLogger("werkzeug").setLevel("ERROR")
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def order_service():
    fake = FakeOrder(PAYMENT_ORDER)
    with served(fake.app()) as url:
        fake.url = url
        yield fake


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory):
    settings = SandboxSettings(
        key=KEY, webhook_secret=WEBHOOK_SECRET, folder=tmp_path_factory.mktemp("sandbox"),
        port=free_port(), public_url="http://sandbox.test",
        late_seconds=LATE_SECONDS, retry_seconds=0.05,
    )  # fmt: skip
    app = create_sandbox(settings)
    background = Background(settings, app.extensions["store"])
    background.start()
    with served(app, settings.port) as url:
        yield url
    background.stop()


@pytest.fixture(scope="session")
def service(order_service, sandbox_url):
    """The application, migrated, and listening where the provider sends its webhooks."""
    port = free_port()
    with fresh_database("payment") as database_url:
        settings = Settings(
            database_url=Secret(database_url),
            redis_url=redis_url(),
            # Nobody's: a Railgate that runs beside the tests has keys of its own.
            jwks_url="http://127.0.0.1:9/",
            public_url="http://railgate.test",
            log_level="ERROR",
            database_pool_size=20,
            peer_secret_payment_order=Secret(PAYMENT_ORDER),
            peer_secret_order_payment=Secret(ORDER_PAYMENT),
            provider_key=Secret(KEY),
            provider_webhook_secret=Secret(WEBHOOK_SECRET),
            order_url=order_service.url,
            provider_url=sandbox_url,
            provider_events_url=f"http://127.0.0.1:{port}/api/payment/provider-events",
            order_timeout_seconds=0.4,
            provider_timeout_seconds=2.0,
            session_margin_seconds=0.0,
        )
        app = migrated(create_app(settings))
        with served(app, port):
            yield app
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(service, order_service):
    order_service.reset()
    empty_tables(service, db)
    return service


@pytest.fixture
def desk(app, order_service, sandbox_url):
    with httpx.Client(base_url=sandbox_url) as provider:
        yield Desk(app, order_service, provider)


class Desk:
    """What passengers, order, the provider and the worker do to payment."""

    def __init__(self, app, order, provider):
        self.app, self.order, self.provider = app, order, provider
        self.client = app.test_client()
        self.parts = app.extensions["parts"]
        self.account_id = uuid4()

    @property
    def headers(self):
        return signed_in(account_id=self.account_id)

    def new_order(self, **changes):
        return self.order.new_order(self.account_id, **changes)

    def put(self, payment_id, order, headers=None, **changes):
        body = {"order_id": str(getattr(order, "order_id", order)), **changes}
        return self.client.put(
            f"/api/payment/payments/{payment_id}", json=body, headers=headers or self.headers
        )

    def open(self, order=None, **changes):
        """A payment that waits for the passenger at the provider; gives its id."""
        payment_id = uuid4()
        answer = self.put(payment_id, order or self.new_order(**changes))
        assert answer.status_code == 201, answer.text
        return payment_id

    def pay(self, payment_id, card):
        answer = self.provider.post(f"/pay/{payment_id}", data={"card": CARD[card]})
        assert answer.status_code == 303, answer.text

    def paid(self, card, **changes):
        payment_id = self.open(**changes)
        self.pay(payment_id, card)
        return payment_id

    def event(self, payment_id, event_type="payment.authorised", *, event_id=None, **changes):
        return {
            "event_id": event_id or str(uuid4()),
            "type": event_type,
            "session_id": str(payment_id),
            "reference": str(payment_id),
            "amount_minor": 71_000,
            "currency": "BDT",
            "occurred_at": utc_now().isoformat(),
            **changes,
        }

    def notify(self, event, *, secret=WEBHOOK_SECRET, at=None, header=None, client=None):
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        stamp = str(int(at or time.time()))
        signed = header or f"t={stamp},v1={signature_of(stamp, body, secret)}"
        return (client or self.app.test_client()).post(
            "/api/payment/provider-events", data=body,
            headers={HEADER: signed, "Content-Type": "application/json"},
        )  # fmt: skip

    def refund(self, payment_id, amount_minor, *, refund_id=None, **changes):
        body = {
            "payment_id": str(payment_id),
            "amount_minor": amount_minor,
            "currency": "BDT",
            "reason": "cancelled_by_passenger",
            **changes,
        }
        path = f"/api/payment/refunds/{refund_id or uuid4()}"
        return self.client.put(path, json=body, headers=self.as_order)

    @property
    def as_order(self):
        return as_service("order", "payment", ORDER_PAYMENT)

    def shown(self, payment_id):
        return self.client.get(f"/api/payment/payments/{payment_id}", headers=self.headers).json

    def state(self, payment_id):
        return self.shown(payment_id)["state"]

    def row(self, payment_id):
        with self.app.app_context():
            return queries.payment_by_id(UUID(str(payment_id)))

    def reconcile(self, *, after=0.0, rounds=1):
        """Let the reconciler run, each round as if `after` more seconds had gone by."""
        for turn in range(1, rounds + 1):
            with self.app.app_context():
                later = utc_now() + timedelta(seconds=after * turn)
                advancing.reconcile(parts=self.parts, now=later)

    def run_refunds(self, *, after=0.0):
        with self.app.app_context():
            later = utc_now() + timedelta(seconds=after)
            return refunding.execute_due(parts=self.parts, now=later)

    def wait_for(self, payment_id, state, seconds=6.0):
        deadline = time.monotonic() + seconds
        while self.state(payment_id) != state and time.monotonic() < deadline:
            time.sleep(0.03)
        return self.state(payment_id)

    def at_provider(self, payment_id):
        answer = self.provider.get(
            f"/sessions/{payment_id}", headers={"Authorization": f"Bearer {KEY}"}
        )
        return SimpleNamespace(**answer.json())

    def wait_for_provider(self, payment_id, state, seconds=6.0):
        deadline = time.monotonic() + seconds
        while self.at_provider(payment_id).state != state and time.monotonic() < deadline:
            time.sleep(0.03)
        return self.at_provider(payment_id).state

    def all_rows(self, model):
        with self.app.app_context(), db.engine.connect() as connection:
            return connection.execute(select(model.__table__)).all()

    def mails(self):
        return [row.payload["subject"] for row in self.all_rows(Outbox)]

    def events(self):
        return self.all_rows(ProviderEvent)

    def irregularities(self):
        return [row.kind for row in self.all_rows(Irregularity)]

    def balances(self):
        """What the ledger says, by account."""
        statement = text("SELECT account, sum(amount_minor) FROM ledger_entry GROUP BY account")
        with self.app.app_context(), db.engine.connect() as connection:
            return {account: int(total) for account, total in connection.execute(statement)}


@pytest.fixture
def silent_provider(desk, monkeypatch):
    """A provider that cannot be reached until the fixture's `return_to_work` is called."""
    client = desk.parts.provider
    working, nobody = client._peer, Peer("provider", f"http://127.0.0.1:{free_port()}")
    silence = SimpleNamespace(
        fall_silent=lambda: setattr(client, "_peer", nobody),
        return_to_work=lambda: setattr(client, "_peer", working),
    )
    silence.fall_silent()
    yield silence
    silence.return_to_work()
