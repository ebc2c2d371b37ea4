"""The steps after the gates: the verdict, drift, and the App's word for itself."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ci.pipeline import app_token, drift, tools, verdict
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def needs(**results):
    return {name: {"result": result} for name, result in results.items()}


def test_all_green_takes_only_success_and_what_may_be_skipped():
    assert verdict.unwell(needs(lint="success", images="skipped"), {"images"}) == []
    bad = needs(lint="skipped", tests="failure", sonar="cancelled")
    assert verdict.unwell(bad, {"images"}) == [
        "lint: skipped",
        "sonar: cancelled",
        "tests: failure",
    ]


def test_no_job_at_all_is_not_green(monkeypatch):
    monkeypatch.setenv("NEEDS", "{}")
    with pytest.raises(SystemExit, match="no job was asked"):
        verdict.main()


def application(name, sync="Synced", health="Healthy"):
    resources = [{"kind": "ConfigMap", "name": "x", "status": sync}]
    status = {"sync": {"status": sync}, "health": {"status": health}, "resources": resources}
    return {"metadata": {"name": name}, "status": status}


def test_drift_names_the_application_and_the_object():
    found = drift.drifted([application("a"), application("b", sync="OutOfSync")])
    assert found == ["b: OutOfSync, Healthy ConfigMap x"]
    assert drift.drifted([application("c", health="Degraded")]) == ["c: Synced, Degraded"]


def test_a_cluster_without_applications_is_not_called_clean():
    assert drift.drifted([]) == ["Argo CD has no Application"]
    assert drift.drifted([{"metadata": {"name": "new"}}]) == ["new: Unknown, Unknown"]


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.fixture
def github():
    """Gives a token to who shows a word, and keeps what it was asked."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            heard.append((self.path, self.headers["Authorization"], self.rfile.read(length)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"id": 5, "token": "short-lived"}).encode())

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}", heard
    http.shutdown()


def test_the_apps_word_is_signed_and_short(github):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    word = app_token.assertion(
        "123", 1_000_000, lambda said: key.sign(said, padding.PKCS1v15(), hashes.SHA256())
    )
    unsigned, _, signature = word.rpartition(".")
    key.public_key().verify(
        decoded(signature), unsigned.encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    claims = json.loads(decoded(unsigned.split(".")[1]))
    assert claims["iss"] == "123"
    assert claims["exp"] - claims["iat"] <= 600


def test_the_token_is_for_one_repository_with_the_rights_that_were_named(github):
    address, heard = github
    assert app_token.token(address, "railgate/railgate", "word", ["contents"]) == "short-lived"
    assert [path for path, _, _ in heard] == [
        "/repos/railgate/railgate/installation", "/app/installations/5/access_tokens"
    ]  # fmt: skip
    assert json.loads(heard[1][2]) == {
        "repositories": ["railgate"],
        "permissions": {"contents": "write"},
    }


@pytest.mark.parametrize("rights", [[], ["administration"]])
def test_a_token_without_rights_or_with_others_is_not_asked_for(monkeypatch, rights):
    monkeypatch.setattr("sys.argv", ["app_token", *rights])
    with pytest.raises(SystemExit) as refused:
        app_token.main()
    assert refused.value.code == 2


def test_a_program_that_cannot_be_built_is_said_to_be_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(tools.shutil, "which", lambda name: None)
    assert tools.go_tool("actionlint", tmp_path) is None
