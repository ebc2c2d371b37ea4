"""What podman and docker are asked for, with programs in their place that write it down."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ci.images.engine import Container, Engine

ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 30.0


class FakeEngine:
    """Answers every question with 0, but for the words that it is told to refuse or to dwell on."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._calls = folder, folder / "calls"
        self.says()

    def says(self, **ends: str) -> None:
        cases = "".join(f"*' {word} '*) {end} ;;\n" for word, end in ends.items())
        script = f'#!/bin/sh\necho "$*" >>{self._calls}\ncase " $* " in\n{cases}esac\n'
        for name in ("podman", "docker"):
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
    return FakeEngine(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("podman", "rm --force --volumes --time=5 web"), ("docker", "rm --force --volumes web")],
)
def test_a_container_is_removed_in_words_that_its_engine_knows(fake_engine, name, words):
    Container(Engine(name), "railgate/order:local", name="web", environment={}).remove()
    assert [call[call.index("rm ") :] for call in fake_engine.calls] == [words]


def test_told_to_end_it_takes_away_what_it_has_made(fake_engine):
    fake_engine.says(build="exec sleep 60")
    environment = os.environ | {"BASE": "localhost/base"}
    words = [sys.executable, "-m", "ci.images", "twice", "sandbox"]
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as program:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not fake_engine.was_asked("build") and time.monotonic() < deadline:
            time.sleep(0.05)
        program.send_signal(signal.SIGTERM)
        assert program.wait(PATIENCE_SECONDS) == 1
    assert fake_engine.was_asked("rmi")
