"""A service moves behind the running gateway, and no request of anybody is lost by it."""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from railgate import children
from railgate.upstreams import Upstreams, write_moves

START = {"order": "http://127.0.0.1:1", "payment": "http://127.0.0.1:2"}


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/slow"):
            time.sleep(0.6)
        body = self.server.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST  # noqa: N815 - the names are the base class's

    def log_message(self, *_words):
        """Nothing is said on the terminal."""


@pytest.fixture
def versions():
    """Two versions of a service; each answers with its name."""
    servers = {}
    for name in ("old", "new"):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        server.name = name
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers[name] = server
    yield {name: f"http://127.0.0.1:{server.server_port}" for name, server in servers.items()}
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture
def gateway(tmp_path, versions):
    """The real program, its address, and how to move a service."""
    port, file = children.free_port(), tmp_path / "upstreams.json"
    environment = os.environ | {
        "UPSTREAM_ORDER": versions["old"],
        "PORT": str(port),
        "GATEWAY_FOLDER": str(tmp_path),
        "NOW_SERVING_FOLDER": str(tmp_path),
        "UPSTREAMS_FILE": str(file),
    }
    child = children.spawn(
        [sys.executable, "-m", "railgate.gateway"], environment=environment, log=tmp_path / "log"
    )
    while not children.port_answers(port):
        assert child.poll() is None, children.last_lines(tmp_path / "log")

    def move(text):
        file.write_text(text) if isinstance(text, str) else write_moves(file, text)
        child.send_signal(signal.SIGHUP)

    yield f"http://127.0.0.1:{port}", move
    children.stop(child, how=signal.SIGTERM, seconds=5)


def await_version(client, name, seconds=5.0):
    deadline = time.monotonic() + seconds
    while client.get("/api/order/x").text != name:
        assert time.monotonic() < deadline, f"{name} never answered"
        time.sleep(0.02)


def test_a_service_moves_and_what_is_in_hand_ends_where_it_began(gateway, versions):
    address, move = gateway
    answers = []
    slow = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{address}/api/order/slow").text)
    )
    slow.start()
    time.sleep(0.2)
    with httpx.Client(base_url=address) as client:
        move({"order": versions["new"]})
        await_version(client, "new")
        assert slow.is_alive()
        slow.join(5)
    assert answers == ["old"]


def test_no_request_is_lost_while_a_service_goes_back_and_forth(gateway, versions):
    address, move = gateway
    statuses, is_over = [], threading.Event()

    def ask():
        with httpx.Client(base_url=address) as client:
            while not is_over.is_set():
                statuses.append(client.post("/api/order/x").status_code)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    with httpx.Client(base_url=address) as client:
        for turn in range(10):
            name = ("new", "old")[turn % 2]
            move({"order": versions[name]})
            await_version(client, name)
    is_over.set()
    for asker in askers:
        asker.join(5)
    assert set(statuses) == {200}


def test_a_broken_file_changes_nothing(gateway, versions):
    address, move = gateway
    with httpx.Client(base_url=address) as client:
        move({"order": versions["new"]})
        await_version(client, "new")
        move('{"order": "http')
        time.sleep(0.3)
        assert client.get("/api/order/x").text == "new"


def test_an_empty_file_brings_every_service_back(tmp_path):
    file = tmp_path / "upstreams.json"
    write_moves(file, {"order": "http://127.0.0.1:9"})
    upstreams = Upstreams(START, file)
    assert upstreams.address("order") == "http://127.0.0.1:9"
    assert upstreams.address("payment") == START["payment"]
    write_moves(file, {})
    upstreams.reread()
    assert upstreams.address("order") == START["order"]


@pytest.mark.parametrize(
    "moves",
    [
        {"admin": "http://127.0.0.1:9"},
        {"order": "http://127.0.0.1:9/path"},
        {"order": "file:///etc/passwd"},
        {"order": 9},
        ["order"],
    ],
)
def test_what_is_no_move_is_refused_whole_and_said(tmp_path, capsys, moves):
    file = tmp_path / "upstreams.json"
    file.write_text(json.dumps(moves))
    upstreams = Upstreams(START, file)
    assert {name: upstreams.address(name) for name in START} == START
    assert "admin" not in upstreams
    assert "was not taken" in capsys.readouterr().err
