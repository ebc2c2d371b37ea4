"""Notices are signed, repeated until they are heard, and survive a kill of the sandbox."""

import hashlib
import hmac
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest

from sandbox import background

APPROVES = "4000 0000 0000 0000"
KEY, SECRET = "test-key", "test-webhook-secret"


def test_a_notice_says_what_happened_and_is_signed_over_time_and_body(provider):
    session_id = provider.open()
    provider.pay(session_id, APPROVES)
    provider.shop.wait_for(1)
    body, header = provider.shop.heard[0]
    stamp, given = (part.split("=", 1)[1] for part in header.split(","))
    wanted = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert given == wanted
    assert abs(int(stamp) - time.time()) < 10
    event = provider.shop.events()[0]
    assert event["session_id"] == session_id
    assert (event["amount_minor"], event["currency"]) == (71_000, "BDT")
    assert event["reference"] == "order-1"
    assert event["occurred_at"].endswith("Z")


def test_a_notice_is_repeated_until_the_shop_answers_2xx(provider):
    provider.shop.statuses = [500, 404, 302, 204]
    provider.pay(provider.open(), APPROVES)
    assert provider.shop.wait_for(4) == ["payment.authorised"] * 4
    time.sleep(0.5)
    assert len(provider.shop.heard) == 4
    assert len({event["event_id"] for event in provider.shop.events()}) == 1


def test_a_dead_shop_holds_up_nobody(provider):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/events"
    provider.pay(provider.open(webhook_url=address), APPROVES)
    provider.pay(provider.open(), APPROVES)
    assert provider.shop.wait_for(1) == ["payment.authorised"]


@pytest.fixture
def slow_clock(monkeypatch):
    monkeypatch.setattr(background, "TICK_SECONDS", 60.0)


def test_a_notice_leaves_at_once_and_does_not_wait_for_the_clock(slow_clock, provider):
    for count in (1, 2, 3):
        provider.pay(provider.open(), APPROVES)
        assert provider.shop.wait_for(count) == ["payment.authorised"] * count


@contextmanager
def sandbox_program(folder, port):
    environ = {
        **os.environ,
        "SANDBOX_KEY": KEY,
        "SANDBOX_WEBHOOK_SECRET": SECRET,
        "SANDBOX_FOLDER": str(folder),
        "SANDBOX_RETRY_SECONDS": "0.05",
        "PORT": str(port),
    }
    program = subprocess.Popen([sys.executable, "-m", "sandbox"], env=environ)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield program
    finally:
        program.terminate()
        program.wait(10)


def test_what_was_paid_before_a_restart_is_told_after_it(provider, shop, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base, folder = f"http://127.0.0.1:{port}", tmp_path / "program"
    shop.statuses = [503] * 1000
    with sandbox_program(folder, port), httpx.Client(base_url=base) as client:
        opened = client.put("/sessions/session-0001", json=provider.body(), headers=provider.key)
        assert opened.json()["page_url"] == f"{base}/pay/session-0001"
        client.post("/pay/session-0001", data={"card": APPROVES})
        assert shop.wait_for(1)[0] == "payment.authorised"
    heard = len(shop.heard)
    shop.statuses = []
    with sandbox_program(folder, port), httpx.Client(base_url=base) as client:
        session = client.get("/sessions/session-0001", headers=provider.key).json()
        assert session["state"] == "authorised"
        # The last attempt before the stop may have been leased: it returns after the lease at most.
        assert len(shop.wait_for(heard + 1, seconds=70)) == heard + 1


def test_without_its_settings_the_program_says_what_is_missing():
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("SANDBOX_", "PORT"))}
    ended = subprocess.run(
        [sys.executable, "-m", "sandbox"],
        check=False,
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 1
    for name in ("SANDBOX_KEY", "SANDBOX_WEBHOOK_SECRET", "SANDBOX_FOLDER", "PORT"):
        assert f"{name} is not set." in ended.stderr


@pytest.mark.parametrize("variable", ["PORT", "SANDBOX_LATE_SECONDS"])
def test_a_malformed_number_is_refused_in_one_sentence(variable):
    from sandbox.settings import InvalidSettings, Settings

    environ = {
        "SANDBOX_KEY": "k", "SANDBOX_WEBHOOK_SECRET": "s", "SANDBOX_FOLDER": "/nowhere",
        "PORT": "1", variable: "many",
    }  # fmt: skip
    with pytest.raises(InvalidSettings, match="malformed"):
        Settings.from_env(environ)
