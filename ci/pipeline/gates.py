"""What a gate says when it is done, and where it works. A gate that could not ask says so."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ci.pipeline.changes import ROOT, Scope

BUILD = ROOT / "build"


class State(StrEnum):
    PASSED = "passed"
    FAILED = "FAILED"
    NOT_RUN = "NOT RUN"


@dataclass(frozen=True)
class Result:
    """One line for people, and the faults behind it."""

    state: State
    sentence: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workspace:
    """`base` is the commit that the change is measured against; None means that all is new."""

    scope: Scope
    base: str | None = None
    root: Path = ROOT
    build: Path = BUILD


def passed(sentence: str) -> Result:
    return Result(State.PASSED, sentence)


def failed(sentence: str, faults: list[str] | tuple[str, ...] = ()) -> Result:
    return Result(State.FAILED, sentence, tuple(faults))


def not_run(sentence: str) -> Result:
    return Result(State.NOT_RUN, sentence)


def judged(faults: list[str], good: str, bad: str) -> Result:
    return failed(f"{len(faults)} {bad}", faults) if faults else passed(good)


def tool(name: str) -> str | None:
    """The program beside this Python, else the one on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def ran(
    *command: str, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The end of a program, with what it said; whether that is good is the caller's to judge."""
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
