"""
The whole of `make e2e-cluster` against a kubectl that plays a cluster, with the manifests as they
are. It shows that the steps fit together and the verdict is right, not that a cluster releases.
"""

import json
import os
import shutil
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ci.rehearsal import cluster as e2e

KUBECTL = shutil.which("kubectl")
KINDS = "rollouts.argoproj.io applications.argoproj.io"
LEG = {"from": {"station_code": "DA"}, "to": {"station_code": "CTG"}}
pytestmark = pytest.mark.skipif(
    KUBECTL is None, reason="NOTHING WAS RENDERED: kubectl is not on this machine"
)


class FrontDoor(BaseHTTPRequestHandler):
    """As much of Railgate as a purchase without a payment meets."""

    refuses = ""
    ends_late = ""

    def do_GET(self):
        if self.path.startswith("/api/ticket/runs"):
            self.answer(200, runs=[{"run_id": "r", "sales": {"state": "open"}, **LEG}])
        else:
            self.answer(200, classes=[{"seat_class": "S_CHAIR", "seats_free": 1}])

    def do_PUT(self):
        """Twice the same order is once new."""
        status = 200 if self.path in self.server.seen else 201
        self.server.seen.add(self.path)
        is_released = self.path.endswith("/release")
        self.answer(200 if is_released else status, order_id=self.path.split("/")[4])

    def do_POST(self):
        """Where it ends late, it waits for the last act's last call, and then for the act's end."""
        calls = Path(self.ends_late, "calls")
        while self.ends_late and " get configmap " not in calls.read_text():
            threading.Event().wait(0.05)
        threading.Event().wait(2.0 if self.ends_late else 0.0)
        self.answer(502 if self.ends_late else 201, access_token="token")

    def answer(self, status, **body):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.refuses and self.path.startswith(self.refuses):
            status = 502
        said = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


@pytest.fixture
def front_door(monkeypatch):
    monkeypatch.setattr(FrontDoor, "refuses", "")
    monkeypatch.setattr(FrontDoor, "ends_late", "")
    server = ThreadingHTTPServer(("127.0.0.1", 0), FrontDoor)
    server.seen = set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def fake_cluster(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    fake = Path(__file__).with_name("fake_kubectl.py")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {fake} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for name, value in {
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(tmp_path / "config"), "FAKE_CLUSTER": str(tmp_path),
        "REAL_KUBECTL": KUBECTL, "FAKE_KINDS": KINDS, "ACCOUNT_PASSWORD": "secret",
        "SMOKE_EMAIL": "",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    for service in e2e.SERVICES:
        monkeypatch.setenv(f"SMOKE_{service.upper()}_URL", "")
    waits = threading.Event()
    monkeypatch.setattr(e2e.time, "sleep", lambda _seconds: waits.wait(0.05))
    return tmp_path


def play(front_door, *words: str) -> int:
    return e2e.main(["--apply", "--base-url", front_door, "--every-seconds", "0.1", *words])


def calls(fake_cluster: Path) -> list[str]:
    return (fake_cluster / "calls").read_text().splitlines()


def test_a_good_cluster_passes_every_act(fake_cluster, front_door, capsys):
    assert play(front_door) == 0
    said = capsys.readouterr().out
    assert "v1 -> v2" in said
    assert "aborted, v2 served all the time" in said
    assert "order-settings-" in said
    assert "Passed" in said
    asked = calls(fake_cluster)
    applied = [one.rpartition("/")[2] for one in asked if " apply " in one]
    assert applied == ["foundation", *e2e.SERVICES, "sandbox"]
    annotated = [one for one in asked if " annotate " in one]
    assert annotated[0].endswith(f"application order-dev --overwrite {e2e.PAUSED}=true")
    assert annotated[1].endswith(f"application order-dev {e2e.PAUSED}-")
    patches = [number for number, one in enumerate(asked) if " patch " in one]
    assert asked.index(annotated[0]) < patches[0] < patches[-1] < asked.index(annotated[1])
    assert len(patches) == 3


def test_a_cluster_that_promotes_a_broken_release_fails(
    fake_cluster, front_door, capsys, monkeypatch
):
    monkeypatch.setenv("FAKE_GATE", "open")
    assert play(front_door) == 1
    assert "was promoted" in capsys.readouterr().out
    mended = [one for one in calls(fake_cluster) if " patch " in one][-1]
    assert e2e.BROKEN["JWKS_URL"] not in mended


@pytest.mark.parametrize(
    ("path", "said"),
    [("/api/payment/openapi.json", "payment 502"), ("/api/order/orders", "purchase")],
)
def test_a_cluster_that_loses_requests_fails(
    fake_cluster, front_door, capsys, monkeypatch, path, said
):
    monkeypatch.setattr(FrontDoor, "refuses", path)
    assert play(front_door) == 1
    assert said in capsys.readouterr().out


def test_a_purchase_that_outlives_the_last_act_and_fails_is_noticed(
    fake_cluster, front_door, capsys, monkeypatch
):
    monkeypatch.setattr(FrontDoor, "ends_late", str(fake_cluster))
    assert play(front_door) == 1
    assert "purchase: POST /api/registration/sessions" in capsys.readouterr().out


def test_without_argo_cd_nothing_is_annotated_and_drift_is_not_called_healed(
    fake_cluster, front_door, capsys, monkeypatch
):
    monkeypatch.setenv("FAKE_KINDS", "rollouts.argoproj.io")
    assert play(front_door) == 0
    assert "NOT TRIED: there is no Argo CD" in capsys.readouterr().out
    assert not [one for one in calls(fake_cluster) if " annotate " in one or " delete " in one]


def test_nobody_buys_where_the_environment_does_not_come_up(
    fake_cluster, front_door, capsys, monkeypatch
):
    monkeypatch.setattr(e2e, "RELEASE_SECONDS", -1.0)
    assert play(front_door) == 1
    assert "registration did not turn healthy" in capsys.readouterr().out
    assert not [one for one in calls(fake_cluster) if " patch " in one]
