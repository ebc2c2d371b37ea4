"""The programs of a load test, started so that each gets its share of the processor."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

from railgate.children import make_session_nice
from railgate.town import SHOP_NICENESS

ROOT = Path(__file__).parents[1]
# Passengers have machines of their own in the world. Here they get the processor when the shop
# does, after the edge, the databases and the line; who looks on measures, and comes first.
NICENESS = {"bystanders": 0}


def start_program(
    name: str, assignment: Path, *, stdout: int | None = None, stderr: IO[str] | None = None
) -> subprocess.Popen[str]:
    """
    Start `loadtest.<name>` in a session of its own, as each part of a Railgate has: Linux may share
    the processor among sessions first, and in one all the passengers would get as much as a
    single service.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", f"loadtest.{name}", str(assignment)],
        stdout=stdout, stderr=stderr, text=True, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    niceness = NICENESS.get(name, SHOP_NICENESS)
    os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
    make_session_nice(process.pid, niceness)
    return process
