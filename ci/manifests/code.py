"""
What the services' code says of itself, read without running it: settings, neighbours, parts,
metrics, routes and the times in which gunicorn stops. The manifests must fit it, not the other
way round.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ci.manifests.rendering import ROOT

OF_THE_PROCESS = {
    "WEB_BIND",
    "WEB_WORKERS",
    "WEB_THREADS",
    "WEB_TMP_DIR",
    "WORKER_HEARTBEAT",
    "PROMETHEUS_MULTIPROC_DIR",
    "PYTHONUNBUFFERED",
}
# What Prometheus makes of a metric's name, by the class that counts it.
SERIES = {
    "Counter": ("_total",),
    "Gauge": ("",),
    "Histogram": ("_bucket", "_count", "_sum"),
    "Summary": ("_count", "_sum"),
}
# Who runs statements by themselves opens an engine for them, which has a pool of its own.
BY_THEMSELVES = {"AUTOCOMMIT", "read_rows", "run_statement"}
VERBS = {"route", "get", "put", "post", "patch", "delete"}


@dataclass(frozen=True)
class Setting:
    """`default` is None where the start is refused without it."""

    variable: str
    default: str | None


@dataclass(frozen=True)
class ServiceCode:
    """`loops` are its worker's, `pools` those that a process of its web part has connections in."""

    name: str
    settings: tuple[Setting, ...]
    has_worker: bool
    has_migrations: bool
    sends_mail: bool
    loops: int = 0
    pools: int = 1

    def reads(self, variable: str) -> bool:
        return any(setting.variable == variable for setting in self.settings)

    @property
    def neighbours(self) -> dict[str, str]:
        """Variable -> the service it addresses, where one of that name is called."""
        urls = (s.variable for s in self.settings if s.variable.endswith("_URL"))
        return {url: url.removesuffix("_URL").lower() for url in urls}


@dataclass(frozen=True)
class Code:
    services: dict[str, ServiceCode]
    graceful_seconds: int
    keepalive_seconds: int
    request_seconds: int
    metric: str
    modules: frozenset[str]
    health_paths: frozenset[str]
    overflow: int = 0
    series: frozenset[str] = frozenset()
    url_rules: frozenset[str] = frozenset()

    def edges(self) -> set[tuple[str, str]]:
        """Who calls whom: the addresses in the settings, and the keys that tokens are proved by."""
        called = {
            (service.name, callee)
            for service in self.services.values()
            for callee in service.neighbours.values()
            if callee in self.services
        }
        verify = {(s.name, "registration") for s in self.services.values() if s.reads("JWKS_URL")}
        return (called | verify) - {("registration", "registration")}


def read_code(root: Path = ROOT) -> Code:
    chassis = root / "apps" / "chassis" / "src" / "chassis"
    common, _ = _settings(chassis / "settings.py")
    homes = sorted(path.parent for path in (root / "apps").glob("*/src/*/settings.py"))
    gunicorn = _assigned(chassis / "gunicorn_conf.py")
    services = {home.name: _service(home, common) for home in homes if _is_service(home)}
    return Code(
        services=services,
        graceful_seconds=gunicorn["graceful_timeout"],
        keepalive_seconds=gunicorn["keepalive"],
        request_seconds=gunicorn["timeout"],
        metric=_histogram(chassis / "metrics.py"),
        modules=frozenset(_modules(root)),
        health_paths=frozenset(
            re.findall(r'\.get\("(/\w+)"\)', (chassis / "health.py").read_text())
        ),
        overflow=_overflow(chassis / "database.py"),
        series=frozenset(_series(root)),
        url_rules=frozenset(_url_rules(home for home in homes if _is_service(home))),
    )


def _service(home: Path, common: tuple[Setting, ...]) -> ServiceCode:
    files = [path for path in home.rglob("*.py") if "migrations" not in path.parts]
    own, is_common = _settings(home / "settings.py")
    return ServiceCode(
        name=home.name,
        settings=common * is_common + own,
        has_worker=(home / "worker.py").exists(),
        has_migrations=(home / "migrations").is_dir(),
        sends_mail=any("from chassis.mail import" in path.read_text() for path in files),
        loops=_loops(home / "worker.py"),
        pools=1 + any(_imported(path, "chassis.database") & BY_THEMSELVES for path in files),
    )


def _loops(worker: Path) -> int:
    tree = ast.parse(worker.read_text() if worker.exists() else "")
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return sum(ast.unparse(call.func) == "Loop" for call in calls)


def _imported(path: Path, module: str) -> set[str]:
    return {
        alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
    }


def _overflow(path: Path) -> int:
    """How many connections a pool opens beyond its size."""
    found = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Dict))
    return next(
        ast.literal_eval(value)
        for options in found
        for key, value in zip(options.keys, options.values, strict=True)
        if key is not None and ast.unparse(key) == "'max_overflow'"
    )


def _modules(root: Path) -> Iterator[str]:
    """Everything that `python -m` can start, by its dotted name."""
    for source in (root / "apps").glob("*/src"):
        for path in source.rglob("*.py"):
            inside = path.relative_to(source).with_suffix("")
            parts = inside.parent.parts if inside.name == "__main__" else inside.parts
            yield ".".join(parts)


def _series(root: Path) -> Iterator[str]:
    """The names under which Prometheus sees what our code counts."""
    for path in (root / "apps").glob("*/src/**/*.py"):
        if "prometheus_client" not in (text := path.read_text()):
            continue
        tree = ast.parse(text)
        kinds = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "prometheus_client"
            for alias in node.names
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            kind = kinds.get(ast.unparse(call.func), "")
            if kind in SERIES and call.args and isinstance(call.args[0], ast.Constant):
                yield from (f"{call.args[0].value}{ending}" for ending in SERIES[kind])


def _url_rules(homes: Iterable[Path]) -> Iterator[str]:
    """As Flask names them, with the prefix that the chassis puts before each."""
    for home in homes:
        for path in home.glob("*routes.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.FunctionDef):
                    continue
                for call in (one for one in node.decorator_list if isinstance(one, ast.Call)):
                    _, _, verb = ast.unparse(call.func).rpartition(".")
                    if verb in VERBS and call.args and isinstance(call.args[0], ast.Constant):
                        yield f"/api/{home.name}{call.args[0].value}"


def _is_service(home: Path) -> bool:
    """Neither the shared library nor the pretended provider, which is not ours to sell with."""
    return (home / "app.py").exists() and home.name not in {"chassis", "sandbox"}


def _settings(path: Path) -> tuple[tuple[Setting, ...], bool]:
    """The fields of a settings class, and whether it has those of every service besides."""
    found: list[Setting] = []
    is_common = False
    for node in (
        node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)
    ):
        bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
        is_common |= "ServiceSettings" in bases
        if node.name in {"ServiceSettings", "Settings"}:
            fields = (line for line in node.body if isinstance(line, ast.AnnAssign))
            found += [Setting(ast.unparse(f.target).upper(), _default(f.value)) for f in fields]
    return tuple(found), is_common


def _default(value: ast.expr | None) -> str | None:
    if value is None:
        return None
    return str(value.value) if isinstance(value, ast.Constant) else ast.unparse(value)


def _assigned(path: Path) -> dict[str, int]:
    """Module constants that are plain numbers."""
    return {
        ast.unparse(node.targets[0]): node.value.value
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, int)
    }


def _histogram(path: Path) -> str:
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    found = next(c for c in calls if ast.unparse(c.func) == "Histogram" and c.args)
    return ast.literal_eval(found.args[0])
