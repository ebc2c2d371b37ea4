"""What podman and docker are asked for, with programs in their place that write it down."""

import os
from pathlib import Path

import pytest
from ci.images.engine import Container, Engine


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
