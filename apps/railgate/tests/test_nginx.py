"""nginx as the gateway's own program starts it, and what happens where it cannot."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil
import pytest

from railgate import children, nginx

NGINX = shutil.which("nginx")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx on this machine")
FILES, CROWD = 256, 600


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"x" * 300_000 if self.path.endswith("/large") else b"small"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        """Nothing is said on the terminal."""


@pytest.fixture
def service():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def serves(address):
    """More than a port that answers: nginx takes it for a moment to try its configuration."""
    try:
        return httpx.get(f"{address}/healthz").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def start(tmp_path, service):
    """Start the gateway's program; gives its process and its address."""
    started = []

    def run(**environment):
        port = children.free_port()
        child = children.spawn(
            [sys.executable, "-m", "railgate.gateway"],
            environment=os.environ
            | {
                "UPSTREAM_ORDER": service,
                "PORT": str(port),
                "GATEWAY_FOLDER": str(tmp_path / "gateway"),
                "NOW_SERVING_FOLDER": str(tmp_path),
            }
            | environment,
            log=tmp_path / "log",
        )
        started.append(child)
        address = f"http://127.0.0.1:{port}"
        while not serves(address):
            assert child.poll() is None, children.last_lines(tmp_path / "log")
            time.sleep(0.02)
        return psutil.Process(child.pid), address

    yield run
    for child in started:
        children.stop(child, how=signal.SIGTERM, seconds=5)


@needs_nginx
def test_the_gateway_becomes_nginx_where_there_is_one(start):
    process, address = start()
    assert process.name() == "nginx"
    assert httpx.get(f"{address}/api/order/x").text == "small"
    assert "Railgate" in httpx.get(f"{address}/").text
    assert httpx.get(f"{address}/healthz").json() == {"status": "ok"}


@needs_nginx
def test_a_large_answer_arrives_whole(start):
    _, address = start()
    assert len(httpx.get(f"{address}/api/order/large").content) == 300_000


@pytest.fixture
def few_files():
    """Whoever starts the gateway may open few files, as usual; what it may ask for is more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    yield lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@needs_nginx
def test_a_crowd_of_kept_connections_shuts_nobody_out(few_files, start):
    _, address = start()
    few_files()
    url = httpx.URL(address)
    with contextlib.ExitStack() as stack:
        for _ in range(CROWD):
            one = socket.create_connection((url.host, url.port), timeout=5)
            stack.enter_context(one)
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert one.recv(1_000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("setting", ["RAILGATE_GATEWAY", "UPSTREAMS_FILE"])
def test_where_a_service_may_move_or_python_is_wanted_it_is_python(start, tmp_path, setting):
    value = "python" if setting == "RAILGATE_GATEWAY" else str(tmp_path / "moves.json")
    process, address = start(**{setting: value})
    assert process.name() != "nginx"
    assert httpx.get(f"{address}/api/order/x").text == "small"


def test_where_nginx_refuses_the_configuration_it_is_python_and_said(start, tmp_path):
    """An old nginx does not know the option -e."""
    old = tmp_path / "bin" / "nginx"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'nginx: invalid option: \"e\"' >&2\nexit 1\n")
    old.chmod(0o755)
    process, address = start(PATH=f"{old.parent}{os.pathsep}{os.environ['PATH']}")
    assert process.name() != "nginx"
    assert httpx.get(f"{address}/api/order/x").text == "small"
    assert "cannot be the gateway: nginx: invalid option" in (tmp_path / "log").read_text()


@needs_nginx
@pytest.mark.parametrize(
    "upstreams",
    [
        {},
        {"order": "http://127.0.0.1:1", "web": "http://127.0.0.1:2"},
        {"waitingroom": "http://127.0.0.1:1"},
    ],
)
def test_nginx_accepts_the_configuration(tmp_path, upstreams):
    text = nginx.render(tmp_path, port=1, upstreams=upstreams, now_serving=Path("/now serving"))
    (tmp_path / "nginx.conf").write_text(text)
    checked = [NGINX, "-t", "-e", "stderr", "-p", tmp_path, "-c", tmp_path / "nginx.conf"]
    assert subprocess.run(checked, check=False).returncode == 0
