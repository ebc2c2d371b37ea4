"""The CPU time of the processes that serve a request, by what they are."""

import time

import psutil


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
