"""
`make images`: every image is built, run as the cluster runs it, looked into, bought through, and
ended under load. One lost request, or one thing too many inside, fails it.
"""

import json
import os
import tempfile
import time
from pathlib import Path

from ci.images import building
from ci.images.engine import Engine
from ci.images.inside import Inside
from ci.images.system import HEALTHY_SECONDS, System, containerised
from ci.rehearsal.__main__ import settings_of
from ci.rehearsal.asking import Ledger, visiting
from ci.rehearsal.crowds import EVERYBODY
from ci.rehearsal.report import SHOWN_FAILURES
from ci.town import free_base_port

from railgate import children
from railgate import town as table
from railgate.upstreams import write_moves

SETTLING_SECONDS = 4.0
# So long the worker that came works beside the one that goes.
BESIDE_SECONDS = 2.0
# Kubernetes waits ten seconds (preStop) before the signal; the gateway here hears at once.
GRACE_SECONDS = 0.5
SERVICE_OF = {"mail": "railgate", "gateway": "railgate"}


def check(engine: Engine) -> list[str]:
    """Build and try everything; gives what is wrong."""
    base = building.known_base(engine, may_be_made=True)
    for service in building.SERVICES:
        print(f"Building {building.image_of(service)} ...", flush=True)
        building.build(engine, service, base)
    with tempfile.TemporaryDirectory(prefix="railgate-images-") as name:
        outer = Path(name)
        outer.chmod(0o755)
        base_port = free_base_port()
        os.environ.update(settings_of(base_port, outer / "upstreams.json"))
        print("Starting every service in its container ...", flush=True)
        with containerised(engine, outer / "town", base_port) as system:
            return [*_looked_into(system), *_bought_through(system)]


def _looked_into(system: System) -> list[str]:
    faults = []
    for name, container in system.containers.items():
        service = SERVICE_OF.get(name, name.removesuffix("-worker"))
        found = Inside.of(container).faults(service)
        took = system.healthy_after.get(name)
        healthy = f", healthy after {took:.1f} s" if took is not None else ""
        print(f"  {name:<22} {'; '.join(found) or 'hardened, its own alone'}{healthy}")
        faults += [f"{name}: {fault}" for fault in found]
    return faults


def _bought_through(system: System) -> list[str]:
    """All goes on while the containers of each service are replaced and told to end."""
    faults: list[str] = []
    ledger = Ledger()
    with visiting(EVERYBODY.gather(system.town, ledger)):
        time.sleep(SETTLING_SECONDS)
        for service in system.place.services:
            faults += _replaced(system, service)
            if service.has_worker:
                faults += _worker_replaced(system, service)
        time.sleep(SETTLING_SECONDS)
    faults += _judged(ledger)
    is_clean, report = system.town.audit()
    if not is_clean:
        faults.append(f"the audit found the books wrong:\n{report}")
    return faults


def _replaced(system: System, service: table.Service) -> list[str]:
    name, port = service.name, children.free_port()
    successor = system.web(service, name=f"{name}-2", port=port)
    successor.start()
    successor.await_healthy(HEALTHY_SECONDS)
    write_moves(system.moves, {**_moved(system), name: f"http://127.0.0.1:{port}"})
    system.containers["gateway"].signal("HUP")
    time.sleep(GRACE_SECONDS)
    return _ended(system, name)


def _worker_replaced(system: System, service: table.Service) -> list[str]:
    name = f"{service.name}-worker"
    system.worker(service, name=f"{name}-2").start()
    time.sleep(BESIDE_SECONDS)
    return _ended(system, name)


def _ended(system: System, name: str) -> list[str]:
    code, took = system.containers[name].stop()
    print(f"  {name:<22} SIGTERM under load: ended with {code} after {took:.1f} s")
    return [f"{name} ended with {code} at SIGTERM"] if code else []


def _moved(system: System) -> dict[str, str]:
    """A second move keeps the first."""
    return json.loads(system.moves.read_text()) if system.moves.exists() else {}


def _judged(ledger: Ledger) -> list[str]:
    failures = ledger.failures
    slowest = max((one.seconds for one in ledger.asked), default=0.0)
    print(
        f"  {len(ledger.asked)} requests, {len(failures)} failures, slowest {slowest * 1000:.0f} ms"
    )
    print("  " + ", ".join(f"{count} {deed}" for deed, count in sorted(ledger.done.items())))
    faults = [f"{o.method} {o.path}: {o.failure}" for o in failures[:SHOWN_FAILURES]]
    if ledger.unfinished:
        faults.append(f"{len(ledger.unfinished)} visits were begun and not finished")
    faults += [
        f"no {deed}, so nothing is proved" for deed in EVERYBODY.deeds if not ledger.done[deed]
    ]
    return [*faults, *ledger.broken]
