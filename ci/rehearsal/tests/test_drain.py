"""SIGTERM while requests are in hand and connections idle: gunicorn drains and nothing is lost."""

import contextlib
import os
import signal
import socket
import struct
import sys
import threading
import time

import httpx
import pytest

from railgate import children
from railgate.upstreams import write_moves

APPLICATION = """
import time

def create_app():
    def application(environ, start_response):
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ["PATH_INFO"].endswith("/slow"):
            time.sleep(2)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]
    return application
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "little.py").write_text(APPLICATION)
    return tmp_path


@contextlib.contextmanager
def gunicorn(folder, port):
    environment = os.environ | {
        "WEB_BIND": f"127.0.0.1:{port}", "WEB_WORKERS": "2", "WEB_THREADS": "4",
        "PYTHONPATH": str(folder),
    }  # fmt: skip
    words = ["-m", "gunicorn", "-c", "python:chassis.gunicorn_conf", "little:create_app()"]
    child = children.spawn(
        [sys.executable, *words], environment=environment, log=folder / "gunicorn.log"
    )
    try:
        await_listening(port, child)
        yield child
    finally:
        children.stop(child, how=signal.SIGKILL, seconds=5)


@contextlib.contextmanager
def gateway(folder, upstream, **settings):
    port = children.free_port()
    environment = os.environ | {
        "UPSTREAM_ORDER": f"http://127.0.0.1:{upstream}", "PORT": str(port),
        "GATEWAY_FOLDER": str(folder), "NOW_SERVING_FOLDER": str(folder),
        "RAILGATE_GATEWAY": "python", **settings,
    }  # fmt: skip
    child = children.spawn([sys.executable, "-m", "railgate.gateway"], environment=environment)
    try:
        await_listening(port, child)
        yield f"http://127.0.0.1:{port}", child
    finally:
        children.stop(child, how=signal.SIGTERM, seconds=5)


def await_listening(port, child):
    deadline = time.monotonic() + 30
    while not children.port_answers(port):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_is_in_hand_is_answered_and_the_idle_do_not_hold_it_up(folder):
    port = children.free_port()
    with gunicorn(folder, port) as server:
        idle = [httpx.Client(base_url=f"http://127.0.0.1:{port}") for _ in range(4)]
        assert {client.get("/api/order/x").status_code for client in idle} == {200}
        answers = []
        slow = threading.Thread(
            target=lambda: answers.append(httpx.post(f"http://127.0.0.1:{port}/slow", timeout=20))
        )
        slow.start()
        time.sleep(0.5)
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        slow.join(20)
        assert [answer.status_code for answer in answers] == [200]
        assert server.wait(25) == 0
        assert time.monotonic() - began < 25
        for client in idle:
            client.close()


def test_the_one_that_leaves_the_line_loses_nothing_though_it_ends_at_once(folder):
    """Moved, and told to end while the gateway still holds idle connections to it and asks."""
    old, new = children.free_port(), children.free_port()
    moves = folder / "moves.json"
    statuses, is_over = [], threading.Event()

    def ask(address, method):
        with httpx.Client(base_url=address, timeout=20) as client:
            while not is_over.is_set():
                statuses.append(client.request(method, "/api/order/x", content=b"a").status_code)
                time.sleep(0.005)

    with contextlib.ExitStack() as stack:
        leaving = stack.enter_context(gunicorn(folder, old))
        stack.enter_context(gunicorn(folder, new))
        address, program = stack.enter_context(gateway(folder, old, UPSTREAMS_FILE=str(moves)))
        askers = [
            threading.Thread(target=ask, args=(address, method))
            for method in ("PUT", "POST", "GET", "POST")
        ]
        for asker in askers:
            asker.start()
        time.sleep(1)
        before = len(statuses)
        write_moves(moves, {"order": f"http://127.0.0.1:{new}"})
        program.send_signal(signal.SIGHUP)
        leaving.send_signal(signal.SIGTERM)
        assert leaving.wait(25) == 0
        is_over.set()
        for asker in askers:
            asker.join(20)
    assert len(statuses) > before > 0
    assert set(statuses) == {200}


class Resetting:
    """Breaks the first connections without an answer, with unread bytes in them; then answers."""

    def __init__(self, breaks):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.seen, self._breaks = 0, breaks
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.listener.accept()
                link.recv(10)
                self.seen += 1
                if self.seen <= self._breaks:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    time.sleep(0.1)
                    link.recv(65536)
                    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
                    link.sendall(head)
                link.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_reset_before_any_byte_of_an_answer_is_asked_again(folder, method):
    server = Resetting(breaks=2)
    with gateway(folder, server.port) as (address, _):
        assert httpx.request(method, f"{address}/api/order/x").status_code == 200
    assert server.seen == 3


def test_a_reset_post_is_never_sent_twice(folder):
    server = Resetting(breaks=1)
    with gateway(folder, server.port) as (address, _):
        assert httpx.post(f"{address}/api/order/x").status_code == 502
    assert server.seen == 1
