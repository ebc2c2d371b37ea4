"""
The whole Railgate in containers, on this machine's loopback; PostgreSQL and Valkey are started
beside them as in `make run`.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ci.images.building import image_of
from ci.images.engine import Container, Engine, EngineFailed
from ci.town import Town

from railgate import town as table
from railgate.servers import PostgresServer, ValkeyServer

HEALTHY_SECONDS = 120.0
ENTRY = ("python", "/srv/entry.py")
USER = 10001


@dataclass
class System:
    """What runs, by name, and how to move a service to another container of it."""

    engine: Engine
    place: table.Town
    town: Town
    moves: Path
    containers: dict[str, Container] = field(default_factory=dict)
    healthy_after: dict[str, float] = field(default_factory=dict)

    def container(
        self, name: str, service: str, command: tuple[str, ...], environment: dict[str, str]
    ) -> Container:
        mounts = ["--volume=/kept"] if service in {"sandbox", "railgate"} else []
        if service in {"waitingroom", "railgate"}:
            folder = table.now_serving_folder(self.place)
            mounts += [f"--volume={path}:{path}" for path in (folder, self.moves.parent)]
        made = Container(
            self.engine,
            image_of(service),
            command,
            name=f"railgate-{os.getpid()}-{name}",
            environment=inside(environment),
            mounts=mounts,
        )
        self.containers[name] = made
        return made

    def web(self, service: table.Service, *, name: str = "", port: int = 0) -> Container:
        environment = dict(table.service_program(self.place, service).environment)
        environment["WEB_BIND"] = f"127.0.0.1:{port or self.place.port(service.name)}"
        return self.container(name or service.name, service.name, (*ENTRY, "web"), environment)

    def worker(self, service: table.Service, *, name: str = "") -> Container:
        environment = table.service_environment(self.place, service)
        environment["WORKER_HEARTBEAT"] = "/tmp/heartbeat"
        name = name or f"{service.name}-worker"
        return self.container(name, service.name, (*ENTRY, "worker"), environment)

    def run_command(self, service: table.Service, program: table.Program, number: int) -> None:
        """One-shot, as the cluster's migration."""
        words = program.command[3:]
        name = f"{service.name}-command-{number}"
        command = (*ENTRY, *words)
        once = self.container(name, service.name, command, dict(program.environment))
        once.start()
        if once.wait():
            raise EngineFailed(f"{service.name} {' '.join(words)}:\n{once.log()}")
        once.remove()
        del self.containers[name]


def inside(environment: dict[str, str]) -> dict[str, str]:
    """What of the environment holds in a container: this machine's paths do not."""
    kept = {k: v for k, v in environment.items() if k not in table.PASSED_ON}
    return kept | {"PROMETHEUS_MULTIPROC_DIR": "/metrics"}


@contextlib.contextmanager
def containerised(engine: Engine, folder: Path, base_port: int) -> Iterator[System]:
    """Start everything, and take everything down at the end, whatever happened."""
    with contextlib.ExitStack() as stack:
        system = _servers(engine, folder, base_port, stack)
        stack.callback(lambda: [c.remove() for c in list(system.containers.values())])
        _prepare(system)
        _start_containers(system)
        yield system


def _servers(engine: Engine, folder: Path, base_port: int, stack: contextlib.ExitStack) -> System:
    (folder / "now-serving").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    os.chown(folder / "now-serving", USER, USER)
    ports = table.town_ports(base_port, table.SERVICES)
    postgres = stack.enter_context(
        PostgresServer(folder / "postgres", ports["postgres"], for_tests=True)
    )
    valkey = stack.enter_context(ValkeyServer(folder / "valkey", ports["valkey"]))
    keys = table.town_keys(folder, table.SERVICES)
    databases = {
        s.name: postgres.create_database(
            s.name, owner=s.name, password=keys[f"{s.name}_database_password"]
        )
        for s in table.SERVICES
        if s.has_database
    }
    redis = valkey.url.rpartition("/")[0]
    place = table.Town(
        folder=folder,
        base_port=base_port,
        services=table.SERVICES,
        keys=keys,
        database_urls=databases,
        redis_urls={s.name: f"{redis}/{n}" for n, s in enumerate(table.SERVICES)},
    )
    return System(engine, place, _town(place), Path(os.environ["GATEWAY__UPSTREAMS_FILE"]))


def _town(place: table.Town) -> Town:
    """The same state that `railgate run` writes, so that the same buyers can buy."""
    state = {
        "base_url": place.public_url,
        "urls": {name: place.address(name) for name in place.ports},
        "ports": place.ports,
        "pids": {},
        "databases": dict(place.database_urls),
        "redis_urls": dict(place.redis_urls),
        "accounts": table.accounts(place),
    }
    (place.folder / "state.json").write_text(json.dumps(state))
    os.environ["ORDER_DATABASE_URL"] = place.database_urls["order"]
    os.environ["PAYMENT_DATABASE_URL"] = place.database_urls["payment"]
    return Town(place.folder, None)


def _prepare(system: System) -> None:
    for service in system.place.services:
        programs = table.preparation_programs(system.place, service)
        for number, program in enumerate(programs):
            system.run_command(service, program, number)


def _neighbours(system: System) -> list[Container]:
    """The sandbox, the mail catcher and the gateway; each keeps what it keeps in a folder."""
    place = system.place
    sandbox = dict(table.sandbox_program(place).environment) | {"SANDBOX_FOLDER": "/kept"}
    mail = dict(table.mail_program(place).environment) | {"MAIL_FOLDER": "/kept"}
    gateway = dict(table.gateway_program(place).environment) | {"GATEWAY_FOLDER": "/tmp"}
    catching = ("python", "-m", "railgate.mailcatcher")
    return [
        system.container("sandbox", "sandbox", (*ENTRY, "web"), sandbox),
        system.container("mail", "railgate", catching, mail),
        system.container("gateway", "railgate", (*ENTRY, "web"), gateway),
    ]


def _start_containers(system: System) -> None:
    started = [*_neighbours(system), *(system.web(s) for s in system.place.services)]
    for container in started:
        container.start()
    for service in system.place.services:
        if service.has_worker:
            system.worker(service).start()
    for name, container in list(system.containers.items()):
        if not name.endswith("-worker"):
            system.healthy_after[name] = container.await_healthy(HEALTHY_SECONDS)
