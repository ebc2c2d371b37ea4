"""The launcher brings a town of toy services up, keeps it up, and takes it down whole."""

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psycopg2
import pytest

from railgate import children, commands
from railgate.prepared import Prepared
from railgate.run import PortTaken, refuse_taken_ports
from railgate.town import (
    SERVICES,
    Preparation,
    Service,
    Town,
    preparation_programs,
    set_from_outside,
    town_ports,
)

START_SECONDS = 60
RUN_TOYS = """
import sys
from pathlib import Path
from railgate.run import Run, run_town
from railgate.town import Preparation, Service
toys = (
    Service("alpha", 1, lambda town: {"GREETING": "hello from alpha"}),
    Service("beta", 2, has_worker=False, has_database=False,
            preparations=(Preparation(("migrate",), "staff_password"),)),
)
folder = Path(sys.argv[1])
run = Run(folder, int(sys.argv[2]), ready_file=folder / "ready.json", for_tests=True, services=toys)
sys.exit(run_town(run))
"""
TOY_APP = """
import json, os
def create_app():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        names = ("DATABASE_URL", "GREETING", "LOUDNESS", "SECRET_OF_THE_CALLER")
        told = {name: os.environ.get(name) for name in names}
        return [json.dumps(told | {"pid": os.getpid()}).encode()]
    return app
"""
TOY_COMMANDS = """
import os, pathlib, sys
if os.environ.get("FAILS"):
    sys.exit("the table is crooked")
here = pathlib.Path(__file__).parent / "prepared"
here.write_text(" ".join(sys.argv[1:]) + " " + str("ACCOUNT_PASSWORD" in os.environ))
"""
TOY_WORKER = "import time\nwhile True:\n    time.sleep(1)\n"


def make_toys(folder):
    for name in ("alpha", "beta"):
        package = folder / name
        package.mkdir()
        for file, text in (
            ("__init__.py", ""),
            ("app.py", TOY_APP),
            ("commands.py", TOY_COMMANDS),
            ("worker.py", TOY_WORKER),
        ):
            (package / file).write_text(text)


def free_base_port():
    """A port with room above it for the whole town."""
    while True:
        base = children.free_port()
        town = town_ports(base, SERVICES).values()
        if base < 60_000 and not any(map(children.port_is_taken, town)):
            return base


class ToyTown:
    def __init__(self, root, **environment):
        self.root, self.folder = root, root / "kept"
        self.base_port = free_base_port()
        self.base_url = f"http://127.0.0.1:{self.base_port}"
        self.output = root / "output.txt"
        unset = ("DATABASE_URL", "REDIS_URL", "PUBLIC_URL")
        own = {k: v for k, v in os.environ.items() if k not in unset}
        self.environment = own | {"PYTHONPATH": str(root), "RAILGATE_GATEWAY": "python"}
        self.environment |= environment

    def start(self):
        words = [sys.executable, "-c", RUN_TOYS, str(self.folder), str(self.base_port)]
        with self.output.open("wb") as output:
            self.launcher = subprocess.Popen(
                words, env=self.environment, stdout=output, stderr=output
            )
        return self

    def wait_until(self, is_true):
        deadline = time.monotonic() + START_SECONDS
        while not is_true():
            assert time.monotonic() < deadline, self.said
            assert self.launcher.poll() is None, self.said
            time.sleep(0.05)

    def wait_until_ready(self):
        self.wait_until((self.folder / "ready.json").exists)
        return self

    def stop(self, how=signal.SIGTERM):
        self.launcher.send_signal(how)
        return self.launcher.wait(20)

    @property
    def said(self):
        return self.output.read_text()

    @property
    def state(self):
        return json.loads((self.folder / "state.json").read_text())

    def get(self, path):
        return httpx.get(self.base_url + path).json()


@contextlib.contextmanager
def a_town(**environment):
    root = Path(tempfile.mkdtemp(prefix="railgate-town-"))
    root.chmod(0o755)
    make_toys(root)
    town = ToyTown(root, **environment)
    try:
        yield town.start()
    finally:
        if town.launcher.poll() is None:
            town.stop()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def town():
    with a_town(ALPHA__LOUDNESS="11", SECRET_OF_THE_CALLER="x") as running:
        yield running.wait_until_ready()


def test_services_answer_through_the_one_address(town):
    assert town.get("/api/alpha/x")["GREETING"] == "hello from alpha"
    assert town.get("/api/beta/x")["GREETING"] is None
    assert "<h1>Railgate</h1>" in httpx.get(town.base_url).text


def test_each_service_is_told_its_own_database_and_nothing_of_the_callers(town):
    told = town.get("/api/alpha/x")
    with contextlib.closing(psycopg2.connect(told["DATABASE_URL"])) as link:
        assert link.info.dbname == link.info.user == "alpha"
    assert told["LOUDNESS"] == "11"
    assert told["SECRET_OF_THE_CALLER"] is None
    assert town.get("/api/beta/x")["DATABASE_URL"] is None


def test_preparations_run_with_the_password_they_are_given(town):
    assert (town.root / "alpha" / "prepared").read_text() == "migrate False"
    assert (town.root / "beta" / "prepared").read_text() == "migrate True"


def test_the_terminal_shows_each_step_and_what_to_try(town):
    for words in (
        "✓ PostgreSQL",
        "✓ Valkey",
        "✓ Gateway and workers",
        "Railgate is up",
        town.base_url,
    ):
        assert words in town.said
    assert town.said.count("curl '") == 3


def test_the_state_file_names_everything_and_is_private(town):
    state = town.state
    assert set(state["pids"]) >= {
        "alpha",
        "alpha-worker",
        "beta",
        "gateway",
        "mail",
        "sandbox",
        "postgresql",
        "valkey",
    }
    assert "beta-worker" not in state["pids"]
    assert state["base_url"] == town.base_url
    assert stat.S_IMODE((town.folder / "state.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((town.folder / "keys.json").stat().st_mode) == 0o600


def test_a_second_run_on_the_folder_is_refused(town):
    words = [sys.executable, "-c", RUN_TOYS, str(town.folder), str(town.base_port)]
    second = subprocess.run(
        words, env=town.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode == 1
    assert f"in use by a Railgate that is running (process {town.launcher.pid})" in second.stdout
    assert "Traceback" not in second.stdout + second.stderr


def test_reset_is_refused_while_it_runs(town, capsys):
    assert commands.main(["--folder", str(town.folder), "reset"]) == 1
    assert "Stop it first" in capsys.readouterr().out
    assert (town.folder / "keys.json").exists()


def test_status_names_the_programs(town, capsys):
    assert commands.main(["--folder", str(town.folder), "status"]) == 0
    assert town.state["base_url"] in capsys.readouterr().out


@pytest.mark.parametrize("name", ["alpha", "alpha-worker", "gateway", "postgresql", "valkey"])
def test_who_dies_is_started_again_and_it_is_said(town, name):
    before = town.state["pids"][name]
    os.kill(before, signal.SIGKILL)
    town.wait_until(lambda: town.state["pids"].get(name) not in {None, before})
    assert f"{name} " in town.said.lower()
    assert "starting it again" in town.said
    if name in {"alpha", "gateway"}:
        town.wait_until(lambda: _answers(town))


def _answers(town):
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{town.base_url}/api/alpha/x").status_code == 200
    return False


def test_no_worker_of_a_killed_service_stays(town):
    master = town.state["pids"]["beta"]
    worker = town.get("/api/beta/x")["pid"]
    os.kill(master, signal.SIGKILL)
    town.wait_until(lambda: town.state["pids"]["beta"] != master)
    assert not Path(f"/proc/{worker}/cmdline").exists() or (
        Path(f"/proc/{worker}/cmdline").read_bytes() == b""
    )


def test_stopping_is_quick_leaves_nobody_and_the_next_start_keeps_the_data():
    with a_town() as town:
        town.wait_until_ready()
        pids = town.state["pids"].values()
        database = town.get("/api/alpha/x")["DATABASE_URL"]
        with contextlib.closing(psycopg2.connect(database)) as link:
            link.cursor().execute("CREATE TABLE seat (number int)")
            link.commit()
        began = time.monotonic()
        assert town.stop(signal.SIGINT) == 0
        assert time.monotonic() - began < 8
        assert town.said.endswith("Stopped.\n")
        assert not any(_is_alive(pid) for pid in pids)
        assert not (town.folder / "state.json").exists()
        (town.folder / "ready.json").unlink()
        town.start().wait_until_ready()
        assert town.get("/api/alpha/x")["DATABASE_URL"] == database
        with contextlib.closing(psycopg2.connect(database)) as link:
            link.cursor().execute("SELECT number FROM seat")


def test_nobody_stays_when_the_launcher_is_killed():
    with a_town() as town:
        pids = town.wait_until_ready().state["pids"].values()
        town.launcher.kill()
        town.launcher.wait()
        deadline = time.monotonic() + 15
        while any(map(_is_alive, pids)):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def test_a_failed_preparation_ends_the_run_with_what_it_said():
    with a_town(ALPHA__FAILS="1") as town:
        assert town.launcher.wait(START_SECONDS) == 1
        assert "alpha-commands failed (-m alpha.commands migrate)" in town.said
        assert "the table is crooked" in town.said
        assert "✗" in town.said
        assert "Traceback" not in town.said


def test_a_taken_port_is_one_clear_sentence():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as refused:
            refuse_taken_ports({"order": port})
    sentence = str(refused.value)
    assert sentence.startswith(f"Port {port} (order) is taken by ")
    assert str(os.getpid()) in sentence
    assert "RAILGATE_PORT=" in sentence


def test_a_damaged_folder_is_one_clear_sentence_and_the_way_out(tmp_path):
    make_toys(tmp_path)
    town = ToyTown(tmp_path)
    town.folder.mkdir()
    (town.folder / "keys.json").write_text("{half")
    assert town.start().launcher.wait(START_SECONDS) == 1
    assert f"{town.folder}/keys.json is damaged." in town.said
    assert "`make reset` starts over" in town.said
    assert "Traceback" not in town.said


def test_settings_for_one_program_come_from_outside(monkeypatch):
    monkeypatch.setenv("ORDER__HOLD_SECONDS", "5")
    assert set_from_outside("order") == {"HOLD_SECONDS": "5"}
    assert set_from_outside("payment") == {}


def test_a_second_start_of_the_same_code_prepares_only_what_the_day_needs(tmp_path, monkeypatch):
    make_toys(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    daily = Preparation(("roll-forward",), is_for_every_start=True)
    service = Service("alpha", 1, preparations=(Preparation(("migrate",)), daily))
    place = Town(tmp_path, 8080, (service,), {}, {"alpha": "x"}, {"alpha": "y"})
    prepared = Prepared(tmp_path)

    def words():
        known = prepared.is_done(service)
        programs = preparation_programs(place, service, is_known_code=known)
        return [program.command[-1] for program in programs]

    assert words() == ["migrate", "roll-forward"]
    prepared.remember([service])
    assert words() == ["roll-forward"]
    (tmp_path / "alpha" / "migration.sql").write_text("CREATE TABLE seat ()")
    assert words() == ["migrate", "roll-forward"]
    prepared.remember([service])
    (tmp_path / "prepared.json").write_text("{half")
    assert words() == ["migrate", "roll-forward"]
