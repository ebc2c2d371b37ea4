"""
Each request leaves one line and one duration, whether Flask answered it or a shortcut, and a
shortcut answers as the route would.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from uuid import UUID

import httpx
import pytest
from flask import request
from flask_smorest import Blueprint

from chassis.application import build_app
from chassis.batches import flush_batches
from chassis.identity import public
from chassis.problems import Problem
from chassis.settings import ServiceSettings
from chassis.shortcuts import BODY_BYTES_MAX, Answer, Shortcut, json_body
from chassis.visits import begin_visit, current_visit, end_visit

RULE = "/api/bakery/loaves/<uuid:loaf_id>"
LOAF = "/api/bakery/loaves/6f1d2c0e-9b7a-4f35-8c11-d2e3f4a5b6c7"


class Burnt(Problem):
    status, code, title = 409, "burnt", "This loaf is burnt."


def bakery(shortcut=None):
    blueprint = Blueprint("loaves", __name__)

    @blueprint.route("/loaves/<uuid:loaf_id>", methods=["GET", "PUT"])
    @public
    def loaf(loaf_id):
        if request.args.get("burnt"):
            raise Burnt("Smell it.", headers={"Retry-After": "9"}, loaf_id=loaf_id)
        if request.args.get("broken"):
            raise RuntimeError("the oven is out")
        return {"loaf_id": loaf_id, "sent": request.get_data(as_text=True)}

    app = build_app(
        "bakery",
        ServiceSettings(database_url="", redis_url=""),
        db=None,
        blueprints=[blueprint],
        description="Bread.",
        import_name="chassis",
    )
    if shortcut:
        app.shortcuts = (Shortcut("PUT", RULE, shortcut),)
    return app


@pytest.fixture(autouse=True)
def _nothing_left_over():
    yield
    flush_batches()


def lines(capsys):
    flush_batches()
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in said if line["logger"] == "access"]


def counted(app):
    """The number of durations by their labels."""
    text = app.test_client().get("/metrics").text
    pattern = r"seconds_count\{method=\"(\w+)\",status=\"(\d+)\",url_rule=\"(.*)\"\} (\S+)"
    return {(m[1], int(m[2]), m[3]): float(m[4]) for m in re.finditer(pattern, text)}


def test_a_request_leaves_one_line_with_its_id(capsys):
    answer = bakery().test_client().get(LOAF, headers={"X-Request-Id": "abc-12345"})
    [line] = lines(capsys)
    assert answer.headers["X-Request-Id"] == line["request_id"] == "abc-12345"
    assert (line["message"], line["status"], line["code"]) == (f"GET {LOAF}", 200, None)
    assert (line["service"], line["level"], line["account_id"]) == ("bakery", "INFO", None)
    assert line["duration_ms"] >= 0


@pytest.mark.parametrize("given", ["short", "a b c d e f g h", "x" * 65, ""])
def test_an_id_that_is_no_plain_token_is_replaced(given):
    answer = bakery().test_client().get(LOAF, headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


def test_a_refusal_says_its_code_and_id_in_the_line_and_in_the_body(capsys):
    answer = bakery().test_client().get(f"{LOAF}?burnt=1")
    [line] = lines(capsys)
    assert line["code"] == answer.json["code"] == "burnt"
    assert line["request_id"] == answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_durations_are_counted_by_rule_and_never_by_raw_path():
    app = bakery(lambda *_: Answer(200, b"{}"))
    client = app.test_client()
    client.get(LOAF), client.get(LOAF), client.put(LOAF), client.get("/nowhere"), client.put("/x")
    found = counted(app)
    assert found["GET", 200, RULE] == 2
    assert found["PUT", 200, RULE] == 1
    assert found["GET", 404, "unknown"] == found["PUT", 404, "unknown"] == 1


def test_the_buckets_of_a_duration_are_those_of_the_library():
    from prometheus_client import CollectorRegistry, Histogram, generate_latest

    from chassis.metrics import BUCKETS, _observe_all

    seconds = [0.0, 0.001, 0.0011, 0.25, 5.0, 7.5]
    registries = CollectorRegistry(), CollectorRegistry()
    ours, theirs = (Histogram("h", "h", buckets=BUCKETS, registry=r) for r in registries)
    _observe_all(ours, seconds)
    for found in seconds:
        theirs.observe(found)
    kept = [re.sub("h_created.*", "", generate_latest(r).decode()) for r in registries]
    assert kept[0] == kept[1]


def same(answers):
    shown = [
        (
            answer.status,
            answer.data.replace(answer.headers["X-Request-Id"].encode(), b"its id"),
            sorted((name, value) for name, value in answer.headers if name != "X-Request-Id"),
        )
        for answer in answers
    ]
    return shown[0] == shown[1]


@pytest.mark.parametrize("reason", ["burnt", "broken"])
def test_what_a_shortcut_raises_is_answered_as_if_a_view_had(reason, capsys):
    def shortcut(environ, loaf_id):
        if reason == "burnt":
            raise Burnt("Smell it.", headers={"Retry-After": "9"}, loaf_id=loaf_id)
        raise RuntimeError("the oven is out")

    answers = [app.test_client().put(f"{LOAF}?{reason}=1") for app in (bakery(), bakery(shortcut))]
    assert same(answers)
    assert answers[0].status_code == {"burnt": 409, "broken": 500}[reason]
    first, second = lines(capsys)
    assert {**first, "at": 0, "duration_ms": 0, "request_id": 0} == {
        **second, "at": 0, "duration_ms": 0, "request_id": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", LOAF),
        ("PUT", LOAF + "/crumbs"),
        ("PUT", LOAF[:-1]),
        ("PUT", "/api/bakery/loaves/{6f1d2c0e9b7a4f358c11d2e3f4a5b6c7}xx"),
        ("PUT", "/x" + LOAF),
    ],
)
def test_a_shortcut_is_asked_for_its_own_requests_only(method, path):
    asked = []
    client = bakery(lambda *_: asked.append(1)).test_client()
    client.open(path, method=method)
    assert asked == []


def test_a_shortcut_is_given_the_id_that_the_route_would_be():
    asked = []
    bakery(lambda _, loaf_id: asked.append(loaf_id)).test_client().put(LOAF.upper().replace(
        "/API/BAKERY/LOAVES", "/api/bakery/loaves"))  # fmt: skip
    assert asked == [UUID(LOAF.rsplit("/", 1)[1])]


@pytest.mark.parametrize(
    ("sent", "content_type", "read"),
    [
        (b'{"flour": 1}', "application/json", {"flour": 1}),
        (b'{"flour": 1}', "application/json; charset=utf-8", {"flour": 1}),
        (b'{"flour": 1}', "text/plain", None),
        (b"{", "application/json", None),
        (b"", "application/json", None),
        (b"[" + b"1," * BODY_BYTES_MAX + b"1]", "application/json", None),
    ],
)
def test_a_body_that_a_shortcut_has_read_is_there_for_the_route(sent, content_type, read):
    seen = []

    def shortcut(environ, _):
        seen.append(json_body(environ))

    answer = bakery(shortcut).test_client().put(LOAF, data=sent, content_type=content_type)
    assert seen == [read]
    if len(sent) <= BODY_BYTES_MAX:
        assert answer.json["sent"].encode() == sent
    else:
        assert answer.status_code == 413


def test_outside_of_a_request_there_is_no_visit():
    assert current_visit() is None
    visit, token = begin_visit({"REQUEST_METHOD": "GET", "PATH_INFO": "/"})
    assert current_visit() is visit
    end_visit(token)
    assert current_visit() is None


APP = """
import sys
sys.path.insert(0, {folder!r})
import importlib.util
spec = importlib.util.spec_from_file_location("bakeries", {file!r})
bakeries = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bakeries)
app = bakeries.bakery(lambda *_: bakeries.Answer(200, b"{{}}"))
"""


def test_a_graceful_stop_loses_no_line_and_no_duration(tmp_path):
    """Two workers, the stop in the same moment as the last answers."""
    (tmp_path / "the_bakery.py").write_text(APP.format(folder=str(tmp_path), file=__file__))
    folder, log = tmp_path / "metrics", tmp_path / "log"
    folder.mkdir()
    port = 20_000 + os.getpid() % 9_000
    environment = os.environ | {
        "WEB_BIND": f"127.0.0.1:{port}",
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:chassis.gunicorn_conf"]
    with log.open("w") as output:
        server = subprocess.Popen([*command, "the_bakery:app"], env=environment, stdout=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_for(client)
            ids = [uuid.uuid4().hex for _ in range(200)]
            for request_id in ids:
                client.put(LOAF, headers={"X-Request-Id": request_id}).raise_for_status()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    said = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["request_id"] for line in said if line["message"].startswith("PUT")] == ids
    assert durations_in(folder) == 200


def wait_for(client):
    for _ in range(200):
        try:
            client.get("/healthz").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return


def durations_in(folder):
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    labels = {"method": "PUT", "status": "200", "url_rule": RULE}
    return registry.get_sample_value("flask_http_request_duration_seconds_count", labels)
