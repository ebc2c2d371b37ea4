"""The processes that serve a request: the CPU time of each kind, and the floor beside them."""

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass

import httpx
import psutil

from railgate import children


def cpu_seconds(pid: int) -> float:
    """The time of a process and of all its living descendants."""
    total = 0.0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            times = process.cpu_times()
            total += times.user + times.system
    except psutil.NoSuchProcess:
        pass
    return total


class CpuMeter:
    """Reads the groups at both ends of a `with` block; `used` is the difference in seconds."""

    def __init__(self, groups: dict[str, int]) -> None:
        self._groups = groups
        self.used: dict[str, float] = {}

    def __enter__(self):
        self._own = time.process_time()
        self._began = {name: cpu_seconds(pid) for name, pid in self._groups.items()}
        return self

    def __exit__(self, *_):
        ended = {name: cpu_seconds(pid) for name, pid in self._groups.items()}
        self.used = {name: ended[name] - self._began[name] for name in ended}
        self.used["generator"] = time.process_time() - self._own


@dataclass(frozen=True)
class Floor:
    url: str
    pid: int


@contextlib.contextmanager
def started_floor(niceness: int):
    """
    Started as the service that it is the floor of, as nice and in a session of its own: Linux may
    share the processor among sessions first, and a floor in the generator's was a seventh faster.
    """
    port = children.free_port()
    url, bind = f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"
    settings = {"WEB_BIND": bind, "WEB_WORKERS": str(min(os.cpu_count() or 1, 4))}
    command = [sys.executable, "-m", "gunicorn", "-c", "python:chassis.gunicorn_conf"]
    floor = children.spawn(
        [*command, "ci.bench.floor:app"], environment=os.environ | settings, niceness=niceness
    )
    try:
        for _ in range(100):
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(url)
                break
            time.sleep(0.1)
        yield Floor(url, floor.pid)
    finally:
        children.stop(floor, how=signal.SIGTERM, seconds=30)
