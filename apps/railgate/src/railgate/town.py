"""
The table of programs that make up Railgate on one machine: commands, ports,
environments, and what each waits for. It is plain data; nothing here starts anything.

A new service is one more row in SERVICES.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from railgate.keys import load_keys

BASE_PORT = 8080
WORKERS_MAX = 4
DAYS_ON_SALE = 10
SERVER_OFFSETS = {
    "gateway": 0,
    "sandbox": 10,
    "smtp": 11,
    "mail": 12,
    "postgres": 13,
    "valkey": 14,
}
# Where one processor has to do for all, the edge and the databases come first, then the line, then
# the shop: who waits must not be slowed down by who buys.
LINE_NICENESS, SHOP_NICENESS = 2, 5
# Of the caller's environment only this reaches the programs: his DATABASE_URL is not theirs.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Preparation:
    """
    A command of `python -m <service>.commands` that may be repeated without harm. Where
    only new code can make a difference, a start of the same code leaves it out.
    """

    words: tuple[str, ...]
    password_key: str | None = None
    is_for_every_start: bool = False


@dataclass(frozen=True)
class Service:
    """One of our Flask services; `environment` gives what only this one is told."""

    name: str
    port_offset: int
    environment: "Callable[[Town], dict[str, str]]" = lambda _town: {}
    has_database: bool = True
    has_worker: bool = True
    niceness: int = SHOP_NICENESS
    preparations: tuple[Preparation, ...] = (Preparation(("migrate",)),)


@dataclass(frozen=True)
class Program:
    """One child to start and keep running; `ready_url` answers 200 when it serves."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int | None = None
    ready_url: str | None = None
    emptied_folder: Path | None = None
    niceness: int = 0


@dataclass(frozen=True)
class Town:
    """One Railgate: a folder for all it keeps, a first port, its services and its secrets."""

    folder: Path
    base_port: int
    services: tuple[Service, ...]
    keys: Mapping[str, str] = field(repr=False)
    database_urls: Mapping[str, str] = field(repr=False)
    redis_urls: Mapping[str, str] = field(repr=False)

    @property
    def ports(self) -> dict[str, int]:
        return town_ports(self.base_port, self.services)

    def port(self, name: str) -> int:
        """A service may speak of one that does not run here: its port is known all the same."""
        return town_ports(self.base_port, (*SERVICES, *self.services))[name]

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port(name)}"

    @property
    def public_url(self) -> str:
        return os.environ.get("PUBLIC_URL") or self.address("gateway")


def town_ports(base_port: int, services: tuple[Service, ...]) -> dict[str, int]:
    offsets = SERVER_OFFSETS | {service.name: service.port_offset for service in services}
    return {name: base_port + offset for name, offset in offsets.items()}


def town_keys(folder: Path, services: tuple[Service, ...]) -> dict[str, str]:
    return load_keys(folder / "keys.json", [s.name for s in services if s.has_database])


def service_environment(town: Town, service: Service) -> dict[str, str]:
    """Give the whole environment of a service, its worker and its commands."""
    common = {
        "PUBLIC_URL": town.public_url,
        "JWKS_URL": f"{town.address('registration')}/api/registration/jwks.json",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
        "TIMEZONE": "Asia/Dhaka",
        "SMTP_URL": f"smtp://127.0.0.1:{town.port('smtp')}",
        "MAIL_FROM": "Railgate <tickets@railgate.example>",
        "TRUSTED_PROXIES": "1",
        "REDIS_URL": town.redis_urls[service.name],
        "PYTHONUNBUFFERED": "1",
    }
    if service.has_database:
        common["DATABASE_URL"] = town.database_urls[service.name]
    return passed_on() | common | service.environment(town) | set_from_outside(service.name)


def preparation_programs(
    town: Town, service: Service, *, is_known_code: bool = False
) -> list[Program]:
    """Give the commands that bring the service's database up to date, in their order."""
    environment = service_environment(town, service)
    commands = (sys.executable, "-m", f"{service.name}.commands")
    programs = []
    for preparation in service.preparations:
        if is_known_code and not preparation.is_for_every_start:
            continue
        secret = {}
        if preparation.password_key is not None:
            secret = {"ACCOUNT_PASSWORD": town.keys[preparation.password_key]}
        programs.append(
            Program(f"{service.name}-commands", commands + preparation.words, environment | secret)
        )
    return programs


def service_program(town: Town, service: Service) -> Program:
    """Give the service under gunicorn."""
    environment = service_environment(town, service)
    metrics = town.folder / "metrics" / service.name
    web = environment | {
        "WEB_BIND": f"127.0.0.1:{town.port(service.name)}",
        "WEB_WORKERS": os.environ.get("WEB_WORKERS", str(min(os.cpu_count() or 1, WORKERS_MAX))),
        "WEB_THREADS": os.environ.get("WEB_THREADS", "4"),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }
    gunicorn = ("-m", "gunicorn", "-c", "python:chassis.gunicorn_conf")
    return Program(
        name=service.name,
        command=(sys.executable, *gunicorn, f"{service.name}.app:create_app()"),
        environment=web,
        port=town.port(service.name),
        ready_url=f"{town.address(service.name)}/readyz",
        emptied_folder=metrics,
        niceness=service.niceness,
    )


def worker_programs(town: Town) -> list[Program]:
    return [
        Program(
            name=f"{service.name}-worker",
            command=(sys.executable, "-m", f"{service.name}.worker"),
            environment=service_environment(town, service),
            niceness=service.niceness,
        )
        for service in town.services
        if service.has_worker
    ]


def neighbour_programs(town: Town) -> list[Program]:
    """Give what stands for the world outside: the mail server and the payment provider."""
    return [mail_program(town), sandbox_program(town)]


def mail_program(town: Town) -> Program:
    return Program(
        name="mail",
        command=(sys.executable, "-m", "railgate.mailcatcher"),
        environment=passed_on()
        | {
            "SMTP_PORT": str(town.port("smtp")),
            "PORT": str(town.port("mail")),
            "MAIL_FOLDER": str(town.folder / "mail"),
        },
        port=town.port("mail"),
        ready_url=f"{town.address('mail')}/healthz",
        niceness=SHOP_NICENESS,
    )


def sandbox_program(town: Town) -> Program:
    return Program(
        name="sandbox",
        command=(sys.executable, "-m", "sandbox"),
        environment=passed_on()
        | {
            "SANDBOX_KEY": town.keys["provider_key"],
            "SANDBOX_WEBHOOK_SECRET": town.keys["provider_webhook_secret"],
            "SANDBOX_FOLDER": str(town.folder / "sandbox"),
            "SANDBOX_PUBLIC_URL": town.address("sandbox"),
            "PORT": str(town.port("sandbox")),
            "PYTHONUNBUFFERED": "1",
        }
        | set_from_outside("sandbox"),
        port=town.port("sandbox"),
        ready_url=f"{town.address('sandbox')}/healthz",
        niceness=SHOP_NICENESS,
    )


def gateway_program(town: Town) -> Program:
    upstreams = {f"UPSTREAM_{s.name.upper()}": town.address(s.name) for s in town.services}
    return Program(
        name="gateway",
        command=(sys.executable, "-m", "railgate.gateway"),
        environment=passed_on()
        | upstreams
        | {
            "PORT": str(town.port("gateway")),
            "GATEWAY_FOLDER": str(town.folder / "gateway"),
            "NOW_SERVING_FOLDER": str(now_serving_folder(town)),
            "RAILGATE_GATEWAY": os.environ.get("RAILGATE_GATEWAY", ""),
            "MAIL_URL": town.address("mail"),
            "SANDBOX_URL": town.address("sandbox"),
        }
        | set_from_outside("gateway"),
        port=town.port("gateway"),
        ready_url=f"{town.address('gateway')}/healthz",
    )


def accounts(town: Town) -> dict[str, dict[str, str]]:
    """Give the accounts that the preparations make, for the summary and for tests."""
    return {
        "passenger": {"email": PASSENGER_EMAIL, "password": town.keys["passenger_password"]},
        "staff": {"email": STAFF_EMAIL, "password": town.keys["staff_password"]},
    }


def passed_on() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def set_from_outside(name: str) -> dict[str, str]:
    """Give what the caller sets for one program only: ORDER__HOLD_SECONDS=5 and its like."""
    prefix = f"{name.upper()}__"
    return {
        variable.removeprefix(prefix): value
        for variable, value in os.environ.items()
        if variable.startswith(prefix)
    }


def _registration(town: Town) -> dict[str, str]:
    return {
        "ACCESS_TOKEN_KEY": town.keys["access_token_key"],
        "IDENTITY_KEY": town.keys["registration_identity_key"],
        "HASH_KEY": town.keys["registration_hash_key"],
    }


def _order(town: Town) -> dict[str, str]:
    return {
        "TICKET_URL": town.address("ticket"),
        "PAYMENT_URL": town.address("payment"),
        "WAITINGROOM_URL": _address_if_here(town, "waitingroom"),
        "IDENTITY_KEY": town.keys["order_identity_key"],
        "HASH_KEY": town.keys["order_hash_key"],
        **_peer_secrets(town),
    }


def _waitingroom(town: Town) -> dict[str, str]:
    return {
        "ORDER_URL": town.address("order"),
        "TICKET_URL": town.address("ticket"),
        "ADMISSION_KEY": town.keys["admission_key"],
        "PLACE_KEY": town.keys["place_key"],
        "NOW_SERVING_FOLDER": str(now_serving_folder(town)),
    }


def now_serving_folder(town: Town) -> Path:
    """Where the waiting room writes what the gateway answers with, without asking it."""
    return town.folder / "now-serving"


def _address_if_here(town: Town, name: str) -> str:
    return town.address(name) if name in {service.name for service in town.services} else ""


def _payment(town: Town) -> dict[str, str]:
    return {
        "ORDER_URL": town.address("order"),
        "PROVIDER_URL": town.address("sandbox"),
        "PROVIDER_KEY": town.keys["provider_key"],
        "PROVIDER_WEBHOOK_SECRET": town.keys["provider_webhook_secret"],
        **_peer_secrets(town),
    }


def _peer_secrets(town: Town) -> dict[str, str]:
    return {
        "PEER_SECRET_ORDER_PAYMENT": town.keys["peer_secret_order_payment"],
        "PEER_SECRET_PAYMENT_ORDER": town.keys["peer_secret_payment_order"],
    }


PASSENGER_EMAIL = "passenger@railgate.example"
STAFF_EMAIL = "staff@railgate.example"
PASSENGER = ("ensure-account", "--email", PASSENGER_EMAIL, "--name", "Demo Passenger")
STAFF = ("ensure-account", "--email", STAFF_EMAIL, "--name", "Demo Staff", "--staff")
MIGRATE = Preparation(("migrate",))

SERVICES = (
    Service(
        "registration",
        1,
        _registration,
        preparations=(
            MIGRATE,
            Preparation(PASSENGER, "passenger_password"),
            Preparation(STAFF, "staff_password"),
        ),
    ),
    Service(
        "ticket",
        2,
        preparations=(
            MIGRATE,
            Preparation(("load-timetable",)),
            Preparation(("roll-forward", "--days", str(DAYS_ON_SALE)), is_for_every_start=True),
        ),
    ),
    Service("order", 3, _order),
    Service("payment", 4, _payment),
    Service("waitingroom", 5, _waitingroom, niceness=LINE_NICENESS),
)
