"""Programs that are started get the processor in the order in which people need them."""

import signal
import sys
from pathlib import Path

import pytest

from railgate import children, town
from railgate.keys import load_keys


def test_a_child_starts_with_the_niceness_it_was_given(tmp_path):
    words = [sys.executable, "-c", "import os; print(os.nice(0) - os.getpriority(0, os.getppid()))"]
    log = tmp_path / "log"
    assert children.spawn(words, niceness=3, log=log).wait(20) == 0
    assert log.read_text() == "3\n"


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this Linux knows no groups by session"
)
def test_the_sessions_of_children_are_as_nice_as_they():
    words = [sys.executable, "-c", "import time; time.sleep(60)"]
    started = [children.spawn(words, niceness=3) for _ in range(4)]
    try:
        said = [Path(f"/proc/{child.pid}/autogroup").read_text() for child in started]
        assert [words.split()[-1] for words in said] == ["3"] * 4
    finally:
        for child in started:
            children.stop(child, how=signal.SIGTERM, seconds=5)


def test_who_waits_comes_before_who_buys(tmp_path):
    nowhere = {service.name: "nowhere" for service in town.SERVICES}
    keys = load_keys(tmp_path / "keys.json", [service.name for service in town.SERVICES])
    place = town.Town(tmp_path, 8080, town.SERVICES, keys, nowhere, nowhere)
    services = {service.name: service for service in place.services}
    gateway = town.gateway_program(place)
    line = town.service_program(place, services["waitingroom"])
    shop = town.service_program(place, services["order"])
    assert gateway.niceness < line.niceness < shop.niceness
    workers = {program.name: program.niceness for program in town.worker_programs(place)}
    assert workers["waitingroom-worker"] == line.niceness < workers["order-worker"]
