"""A repository that a test may change, and a workspace over it."""

import subprocess
from pathlib import Path

import pytest
from ci.pipeline.changes import Scope
from ci.pipeline.gates import Workspace


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@railgate.example")
        return subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def commit(self, path: str, text: str) -> str:
        self.write(path, text)
        self.git("add", path)
        self.git("commit", "--quiet", "--message", f"Write {path}")
        return self.git("rev-parse", "HEAD")

    def space(self, base: str | None = None) -> Workspace:
        scope = Scope(frozenset({"order"}), frozenset({"order"}), journeys=True)
        return Workspace(scope, base, self.root, self.root / "build")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)
