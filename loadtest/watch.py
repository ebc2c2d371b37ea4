"""
What the processes cost while the rush is on: processor time and memory of each, once in two
seconds, what others on the machine took, and how many requests each service answered.
"""

import os
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

import httpx
import psutil
from ci.town import Town

PAUSE_SECONDS = 2.0
MEASURED = ("registration", "ticket", "order", "payment", "waitingroom")
COUNT_LINE = re.compile(r"flask_http_request_duration_seconds_count\{(.*)\} (\S+)")
LABEL = re.compile(r'(method|status|url_rule)="([^"]*)"')


@dataclass
class Sample:
    """Processor seconds used since the last sample and resident MB by group of processes."""

    at: float
    seconds: float
    cpu: dict[str, float]
    memory_mb: dict[str, float]


@dataclass
class Watch:
    """Between `start` and `stop`; processes that are replaced meanwhile are followed."""

    town: Town
    generators: dict[str, int] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    def start(self) -> None:
        self._known: dict[tuple[int, float], float] = {}
        self._over = threading.Event()
        self._at, self._busy = time.time(), _machine_busy()
        self._groups_used()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._sample()

    def cpu_seconds(self) -> dict[str, float]:
        total: dict[str, float] = defaultdict(float)
        for sample in self.samples:
            for name, used in sample.cpu.items():
                total[name] += used
        return dict(total)

    def memory_peak_mb(self) -> dict[str, float]:
        peak: dict[str, float] = defaultdict(float)
        for sample in self.samples:
            for name, used in sample.memory_mb.items():
                peak[name] = max(peak[name], used)
        return dict(peak)

    def _run(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        now, busy = time.time(), _machine_busy()
        cpu, memory = self._groups_used()
        cpu["neighbours"] = max(0.0, busy - self._busy - sum(cpu.values()))
        self.samples.append(Sample(now, now - self._at, cpu, memory))
        self._at, self._busy = now, busy

    def _groups_used(self) -> tuple[dict[str, float], dict[str, float]]:
        roots = self._roots()
        cpu: dict[str, float] = defaultdict(float)
        memory: dict[str, float] = defaultdict(float)
        parents, processes = {}, {}
        for process in psutil.process_iter(["ppid", "cpu_times", "memory_info", "create_time"]):
            parents[process.pid] = process.info["ppid"]
            processes[process.pid] = process.info
        for pid, seen in processes.items():
            name = _root_of(pid, parents, roots)
            if name is None or seen["cpu_times"] is None:
                continue
            spent = seen["cpu_times"].user + seen["cpu_times"].system
            key = (pid, seen["create_time"])
            cpu[name] += spent - self._known.get(key, 0.0 if self.samples else spent)
            self._known[key] = spent
            memory[name] += seen["memory_info"].rss / 1e6
        return dict(cpu), dict(memory)

    def _roots(self) -> dict[int, str]:
        roots = {pid: name for name, pid in self.generators.items()}
        try:
            state = self.town.state
        except (OSError, ValueError):
            return roots
        roots |= {pid: name for name, pid in state["pids"].items()}
        for name, programs in (("postgres", ("postgres",)), ("valkey", ("valkey", "redis"))):
            try:
                roots[self.town.server_pid(*programs)] = name
            except (LookupError, psutil.Error):
                continue
        return roots | {os.getpid(): "load test itself"}


def _root_of(pid: int, parents: dict[int, int], roots: dict[int, str]) -> str | None:
    """The nearest named ancestor: generators are children of the load test."""
    while pid:
        if pid in roots:
            return roots[pid]
        pid = parents.get(pid, 0)
    return None


def _machine_busy() -> float:
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq


def answered_by_service(town: Town) -> dict[str, dict[str, float]]:
    """The services' own counters: how often each url rule was answered, whatever the status."""
    found: dict[str, dict[str, float]] = {}
    for name in MEASURED:
        rules: dict[str, float] = defaultdict(float)
        try:
            text = httpx.get(f"{town.address(name)}/metrics", timeout=10).text
        except httpx.HTTPError:
            text = ""
        for labels, value in COUNT_LINE.findall(text):
            label = dict(LABEL.findall(labels))
            rules[f"{label.get('method')} {label.get('url_rule')}"] += float(value)
        found[name] = dict(rules)
    return found


def difference(
    before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """A service whose gunicorn was replaced counts anew from zero."""
    return {
        name: {
            rule: value - before.get(name, {}).get(rule, 0.0)
            if value >= before.get(name, {}).get(rule, 0.0)
            else value
            for rule, value in rules.items()
            if value != before.get(name, {}).get(rule, 0.0)
        }
        for name, rules in after.items()
    }
