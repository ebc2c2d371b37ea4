"""The sandbox served on loopback, and a shop that writes down what it is told."""

import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import httpx
import pytest
from werkzeug.serving import make_server

from sandbox.app import create_app
from sandbox.background import Background
from sandbox.settings import Settings

KEY, SECRET = "test-key", "test-webhook-secret"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Shop:
    """Receives notices; `statuses` are its next answers, 200 when there are none left."""

    url: str = ""
    heard: list = field(default_factory=list)
    statuses: list = field(default_factory=list)

    def events(self):
        return [json.loads(body) for body, _ in self.heard]

    def types(self):
        return [event["type"] for event in self.events()]

    def wait_for(self, count, seconds=8.0):
        deadline = time.monotonic() + seconds
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.types()


@pytest.fixture
def shop():
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            shop.heard.append((body, self.headers["Railgate-Signature"]))
            self.send_response(shop.statuses.pop(0) if shop.statuses else 200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        shop.url = f"{url}/provider-events"
        yield shop


@pytest.fixture
def settings(tmp_path):
    return Settings(
        key=KEY,
        webhook_secret=SECRET,
        folder=tmp_path / "sandbox",
        port=0,
        public_url="http://sandbox.test",
        late_seconds=0.2,
        retry_seconds=0.05,
    )


@pytest.fixture
def provider(settings, shop):
    app = create_app(settings)
    background = Background(settings, app.extensions["store"])
    background.start()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with running(server) as url, httpx.Client(base_url=url) as client:
        yield Provider(client, shop)
    background.stop()


class Provider:
    """What a shop and a payer do with the sandbox."""

    def __init__(self, client, shop):
        self.client, self.shop = client, shop
        self.key = {"Authorization": f"Bearer {KEY}"}

    def body(self, *, seconds=60.0, **changes):
        expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
        return {
            "amount_minor": 71_000,
            "currency": "BDT",
            "reference": "order-1",
            "description": "Suborno Express, Dhaka to Chattogram, 2 seats",
            "return_url": "http://shop.test/orders/1?a=b#top",
            "webhook_url": self.shop.url,
            "expires_at": expires_at.isoformat(),
            **changes,
        }

    def put(self, path, json=None):
        return self.client.put(path, json=json, headers=self.key)

    def get(self, session_id):
        return self.client.get(f"/sessions/{session_id}", headers=self.key).json()

    def open(self, **changes):
        session_id = str(uuid4())
        answer = self.put(f"/sessions/{session_id}", self.body(**changes))
        assert answer.status_code == 201, answer.text
        return session_id

    def pay(self, session_id, card):
        return self.client.post(f"/pay/{session_id}", data={"card": card})

    def capture(self, session_id, amount_minor=71_000):
        return self.put(f"/sessions/{session_id}/capture", {"amount_minor": amount_minor})

    def void(self, session_id):
        return self.put(f"/sessions/{session_id}/void")

    def refund(self, session_id, refund_id, amount_minor):
        path = f"/sessions/{session_id}/refunds/{refund_id}"
        return self.put(path, {"amount_minor": amount_minor})

    def wait_for_state(self, session_id, state, seconds=5.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.get(session_id)["state"] == state:
                return True
            time.sleep(0.02)
        return False
