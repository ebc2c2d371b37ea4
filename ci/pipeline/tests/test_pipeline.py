"""The run as a whole: what fails it, what it says, and what SonarQube is told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from ci.pipeline import __main__ as pipeline
from ci.pipeline import commands, images, sonar
from ci.pipeline.changes import ROOT
from ci.pipeline.gates import State, failed, not_run, passed


def outcome(gate, result):
    return pipeline.Outcome(gate, result, 1.0)


def test_a_failed_gate_fails_the_run_and_one_that_was_not_run_does_not():
    outcomes = [
        outcome("lint", passed("")),
        outcome("audit", not_run("")),
        outcome("bandit", failed("")),
    ]
    assert pipeline.failing(outcomes, set()) == ["bandit"]


def test_a_gate_that_must_run_fails_when_it_did_not():
    assert pipeline.failing([outcome("audit", not_run(""))], {"audit"}) == ["audit"]


def test_a_gate_that_breaks_off_has_failed(repository, monkeypatch):
    monkeypatch.setitem(pipeline.GATES, "lint", lambda space: 1 / 0)
    result = pipeline.run_gate("lint", repository.space()).result
    assert result.state == State.FAILED
    assert "ZeroDivisionError" in result.sentence


def test_the_report_tells_every_gate_and_its_faults(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    pipeline.keep([outcome("secrets", failed("one", ["a.py:1: token"]))], tmp_path)
    assert "| secrets | FAILED | one |" in (tmp_path / "pipeline.md").read_text()
    assert "a.py:1: token" in (tmp_path / "summary.md").read_text()
    assert json.loads((tmp_path / "pipeline.json").read_text())["secrets"]["state"] == "FAILED"


def test_a_gate_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setattr("sys.argv", ["pipeline", "luck"])
    with pytest.raises(SystemExit) as refused:
        pipeline.read_arguments()
    assert refused.value.code == 2


def test_only_the_changed_apps_and_the_rules_of_the_house_are_tested(repository):
    for folder in ("apps/order/tests", "apps/ticket/tests", "ci/tidy", "ci/journeys"):
        repository.write(f"{folder}/test_x.py", "")
    assert commands.folders_to_test(repository.space()) == [
        "apps/order/tests",
        "ci/journeys",
        "ci/tidy",
    ]


def test_kubeconform_is_built_where_no_folder_of_schemas_is_named(
    repository, tmp_path, monkeypatch
):
    repository.write("Makefile", "manifests:\n\t@echo checked\n")
    built = []
    monkeypatch.setattr(commands, "go_tool", built.append)
    monkeypatch.setenv("SCHEMAS", str(tmp_path))
    assert commands.manifests_gate(repository.space()).state == State.PASSED
    assert built == []
    monkeypatch.delenv("SCHEMAS")
    assert commands.manifests_gate(repository.space()).state == State.PASSED
    assert built == ["kubeconform"]


def test_no_folder_of_tests_beside_the_apps_is_forgotten():
    found = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("ci/**/test_*.py")}
    assert "ci/tidy" in found
    assert found - {"ci/journeys"} - set(commands.ALWAYS) == set()


def test_failing_tests_fail_the_gate(repository, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(commands, "PARALLEL", ("-p", "pytest_cov"))
    repository.write("apps/order/src/order/__init__.py", "")
    repository.write("apps/order/tests/test_x.py", "def test_it():\n    assert 1 == 2\n")
    result = commands.tests_gate(repository.space())
    assert result.state == State.FAILED
    assert "1 tests, 1 failed" in result.sentence


def alert_tests(repository, test):
    for name in commands.ALERT_TESTS:
        repository.write(name, test)


def test_without_promtool_no_alert_is_called_good(repository, monkeypatch):
    monkeypatch.setattr(commands.shutil, "which", lambda name: None)
    result = commands.alerts_gate(repository.space())
    assert result.state == State.NOT_RUN
    assert "NO ALERT WAS TRIED: there is no promtool and no amtool" in result.sentence
    assert "prometheus prometheus-alertmanager" in result.sentence


@pytest.mark.parametrize(
    ("test", "state"),
    [
        ("def test_it():\n    assert 1 == 2\n", State.FAILED),
        ("def test_it():\n    assert 1 == 1\n", State.PASSED),
        ("import pytest\n\n\n@pytest.mark.skip\ndef test_it():\n    pass\n", State.NOT_RUN),
    ],
)
def test_alerts_pass_only_when_every_test_of_them_ran(repository, monkeypatch, test, state):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(commands.shutil, "which", lambda name: f"/usr/bin/{name}")
    alert_tests(repository, test)
    assert commands.alerts_gate(repository.space()).state == state


def test_without_an_engine_no_image_is_called_good(repository, monkeypatch):
    monkeypatch.setattr(images.shutil, "which", lambda name: None)
    result = images.images_gate(repository.space())
    assert (result.state, result.sentence[:18]) == (State.NOT_RUN, "NO IMAGE WAS BUILT")


def test_without_a_server_sonar_says_that_it_asked_nobody(repository, monkeypatch):
    for name in sonar.ACCOUNT:
        monkeypatch.delenv(name, raising=False)
    result = sonar.sonar_gate(repository.space())
    assert (result.state, result.sentence[:19]) == (State.NOT_RUN, "NO SERVER WAS ASKED")


def test_a_pull_request_is_sent_as_one_where_the_edition_knows_them():
    request = {
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_HEAD_REF": "seat",
        "GITHUB_BASE_REF": "main",
    }
    assert sonar.options(request) == ["-Dsonar.projectKey=railgate-pull-requests"]
    assert "-Dsonar.pullrequest.key=7" in sonar.options(request | {"SONAR_KNOWS_BRANCHES": "true"})
    assert sonar.options({"GITHUB_REF": "refs/heads/main"}) == []


class SonarQube:
    """
    Keeps one quality gate as SonarQube does, with a condition of its own in a new one, and selects
    it only for a project that it knows.
    """

    def __init__(self) -> None:
        self.gate: dict = {}
        self.projects = {"railgate": "Sonar way"}

    def shown(self, path: str, fields: dict) -> tuple[int, object]:
        if path == "components/show":
            return (200 if fields["component"] in self.projects else 404), None
        return (200, {"conditions": list(self.gate.values())}) if self.gate else (404, None)

    def told(self, path: str, fields: dict) -> int:
        if path == "projects/create":
            self.projects[fields["project"]] = "Sonar way"
        elif path == "qualitygates/select":
            if fields["projectKey"] not in self.projects:
                return 404
            self.projects[fields["projectKey"]] = fields["gateName"]
        else:
            self._amended(path.rpartition("/")[2], fields)
        return 200

    def _amended(self, action: str, fields: dict) -> None:
        if action == "create":
            self.gate["9"] = {"id": "9", "metric": "new_security_rating", "op": "GT", "error": "1"}
        elif action == "delete_condition":
            del self.gate[fields["id"]]
        elif action == "create_condition":
            number = str(len(self.gate) + 10)
            self.gate[number] = {"id": number, **fields}
        elif action == "update_condition":
            self.gate[fields["id"]] |= fields


@pytest.fixture
def server():
    """(client of a SonarQube, that SonarQube)"""
    kept = SonarQube()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int, body: object = None) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def _asked(self, written: str) -> tuple[str, dict]:
            path = urlsplit(self.path).path.removeprefix("/api/")
            return path, {name: values[0] for name, values in parse_qs(written).items()}

        def do_GET(self):
            self._answer(*kept.shown(*self._asked(urlsplit(self.path).query)))

        def do_POST(self):
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer(kept.told(*self._asked(sent)))

        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield sonar.Server(f"http://127.0.0.1:{http.server_port}", "token"), kept
    http.shutdown()


def test_the_servers_gate_gets_these_bars_and_no_others(server):
    client, kept = server
    sonar.write_gate(client, {"coverage": 80.0, "new_violations": 0.0}, ["railgate"])
    sonar.write_gate(client, {"coverage": 85.0, "new_violations": 0.0}, ["railgate"])
    assert {(c["metric"], c["op"], c["error"]) for c in kept.gate.values()} == {
        ("coverage", "LT", "85"),
        ("new_violations", "GT", "0"),
    }


def test_a_project_that_requests_go_to_meets_the_gate_from_its_first_analysis(server):
    client, kept = server
    sonar.write_gate(client, {"coverage": 80.0}, sonar.projects({}, "railgate"))
    (option,) = sonar.options({"GITHUB_REF": "refs/pull/7/merge"})
    assert kept.projects == {"railgate": sonar.GATE, option.partition("=")[2]: sonar.GATE}


def test_an_edition_that_knows_requests_is_given_no_second_project():
    assert sonar.projects({"SONAR_KNOWS_BRANCHES": "true"}, "railgate") == ["railgate"]
