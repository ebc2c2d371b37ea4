"""Programs that are started get the processor in the order in which people need them."""

import sys

from railgate import children, town
from railgate.keys import load_keys


def test_a_child_starts_with_the_niceness_it_was_given(tmp_path):
    words = [sys.executable, "-c", "import os; print(os.nice(0) - os.getpriority(0, os.getppid()))"]
    log = tmp_path / "log"
    assert children.spawn(words, niceness=3, log=log).wait(20) == 0
    assert log.read_text() == "3\n"


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
