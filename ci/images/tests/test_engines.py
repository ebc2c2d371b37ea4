"""What podman and docker are asked for, with programs in their place that write it down."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from ci.images import building
from ci.images.engine import Container, Engine

ROOT = Path(__file__).parents[3]
NO_LOCAL_BASE = {f"image inspect {building.LOCAL_BASE}": "exit 1"}
NO_PINNED_BASE = {f"image inspect {building.pinned_base()}": "exit 1"}
NO_REGISTRY = {"pull": "exit 125"}
PATIENCE_SECONDS = 30.0


class FakeEngine:
    """Answers every question with 0, but for the words that it is told to refuse or to dwell on."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._calls = folder, folder / "calls"
        self.says({})

    def says(self, ends: Mapping[str, str]) -> None:
        """What to do when these words are among the others."""
        cases = "".join(f"*' {words} '*) {end} ;;\n" for words, end in ends.items())
        script = f'#!/bin/sh\necho "$*" >>{self._calls}\ncase " $* " in\n{cases}esac\n'
        for name in ("podman", "docker", "mmdebstrap"):
            program = self._folder / name
            program.write_text(script)
            program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def was_asked(self, word: str) -> bool:
        return any(word in call.split() for call in self.calls)


@pytest.fixture
def fake_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("IMAGE_BASE", raising=False)
    return FakeEngine(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("podman", "rm --force --volumes --time=5 web"), ("docker", "rm --force --volumes web")],
)
def test_a_container_is_removed_in_words_that_its_engine_knows(fake_engine, name, words):
    Container(Engine(name), "railgate/order:local", name="web", environment={}).remove()
    assert [call[call.index("rm ") :] for call in fake_engine.calls] == [words]


def test_told_to_end_it_takes_away_what_it_has_made(fake_engine):
    fake_engine.says({"build": "exec sleep 60"})
    environment = os.environ | {"IMAGE_BASE": "localhost/base"}
    words = [sys.executable, "-m", "ci.images", "twice", "sandbox"]
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as program:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not fake_engine.was_asked("build") and time.monotonic() < deadline:
            time.sleep(0.05)
        program.send_signal(signal.SIGTERM)
        assert program.wait(PATIENCE_SECONDS) == 1
    assert fake_engine.was_asked("rmi")


def test_a_local_base_of_old_does_not_replace_the_pinned_one(fake_engine):
    assert building.known_base(Engine("podman"), may_be_made=True) == ""
    assert not fake_engine.was_asked("pull")
    fake_engine.says(NO_PINNED_BASE)
    assert building.known_base(Engine("podman")) == ""
    assert fake_engine.was_asked("pull")


def test_where_the_pinned_base_can_be_pulled_none_is_made(fake_engine):
    fake_engine.says(NO_LOCAL_BASE | NO_PINNED_BASE)
    assert building.known_base(Engine("podman"), may_be_made=True) == ""
    assert fake_engine.was_asked("pull")
    assert not fake_engine.was_asked("import")


def test_a_base_is_made_and_told_of_where_the_pinned_one_cannot_be_pulled(fake_engine, capsys):
    fake_engine.says(NO_LOCAL_BASE | NO_PINNED_BASE | NO_REGISTRY)
    assert building.known_base(Engine("podman"), may_be_made=True) == building.LOCAL_BASE
    assert "NOT ON THE BASE THAT IS SHIPPED" in capsys.readouterr().out
    assert fake_engine.was_asked(building.BASE_SUITE)
    assert fake_engine.was_asked("import")


def test_a_plain_build_says_that_it_stands_on_the_local_base_and_makes_none(fake_engine, capsys):
    fake_engine.says(NO_PINNED_BASE | NO_REGISTRY)
    assert building.known_base(Engine("podman")) == building.LOCAL_BASE
    assert "NOT ON THE BASE THAT IS SHIPPED" in capsys.readouterr().out
    fake_engine.says(NO_LOCAL_BASE | NO_PINNED_BASE | NO_REGISTRY)
    assert building.known_base(Engine("podman")) == ""
    assert not fake_engine.was_asked("import")


def test_the_base_from_outside_is_taken_and_the_pipelines_branch_is_none(fake_engine, monkeypatch):
    """`make pipeline BASE=main` hands BASE on to the `make image` of its gate."""
    monkeypatch.setenv("BASE", "origin/main")
    assert building.known_base(Engine("podman")) == ""
    monkeypatch.setenv("IMAGE_BASE", "localhost/debian")
    fake_engine.says(NO_LOCAL_BASE | NO_PINNED_BASE | NO_REGISTRY)
    assert building.known_base(Engine("podman"), may_be_made=True) == "localhost/debian"
    assert not fake_engine.was_asked("import")
