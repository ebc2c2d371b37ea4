"""
The manifests beside the code they start: what each service demands of its environment, the
addresses it is given, the parts it has, and the times in which gunicorn stops.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from ci.manifests.code import OF_THE_PROCESS, Code, ServiceCode
from ci.manifests.faults import Fault
from ci.manifests.references import inputs_of, secret_keys
from ci.manifests.rendering import Environment, PodTemplate, Tree, name_of, seconds, wave_of

STOP_MARGIN_SECONDS = 5
# What AWS says of a standby in another zone.
FAILOVER_SECONDS = 120
LOCAL = ("http://127.0.0.1", "smtp://127.0.0.1")
ONE_OFF = {"ACCOUNT_PASSWORD", "NUMBER"}


def check_fit(tree: Tree, code: Code) -> Iterator[Fault]:
    for environment in tree.environments.values():
        for service in code.services.values():
            if service.name in environment.folders:
                yield from _parts(environment, service)
        for pod in environment.pods():
            known = code.services.get(pod.service)
            if known is not None and pod.part != "smoke":
                yield from _settings(environment, pod, known)
            yield from _commands(pod, code)
            yield from _stopping(pod, code)
            yield from _failover(pod)
            yield from _waves(environment, pod)
        yield from _keepalive(environment, code)
        yield from _prefixes(environment, code)


def _parts(environment: Environment, service: ServiceCode) -> Iterator[Fault]:
    parts = {pod.part for pod in environment.pods() if pod.service == service.name}
    wanted = {"web", "smoke"}
    wanted |= {"worker"} if service.has_worker else set()
    wanted |= {"migration"} if service.has_migrations else set()
    for missing in sorted(wanted - parts):
        where = f"{environment.name}/{service.name}"
        yield Fault("parts", where, f"the code has a {missing} part and no manifest starts it")


def _settings(environment: Environment, pod: PodTemplate, service: ServiceCode) -> Iterator[Fault]:
    given = given_to(environment, pod)
    for setting in service.settings:
        name = setting.variable
        if name in given or (name == "SMTP_URL" and not service.sends_mail):
            continue
        if setting.default is None:
            yield Fault("settings", pod.where, f"{name} is demanded and not given")
        elif setting.default.startswith(LOCAL):
            yield Fault("settings", pod.where, f"{name} would be {setting.default}")
    known = {setting.variable for setting in service.settings} | OF_THE_PROCESS | ONE_OFF
    for name in sorted(set(given) - known):
        yield Fault("settings", pod.where, f"{name} is given and no setting of {service.name}")
    for variable in service.neighbours:
        yield from _address(environment, pod, variable, given.get(variable, ""))


def given_to(environment: Environment, pod: PodTemplate) -> dict[str, str]:
    """The variables of a pod; those from a Secret have no value here."""
    given: dict[str, str] = {}
    secrets = secret_keys(environment)
    for kind, name, key in inputs_of(pod):
        if kind == "Secret" and not key:
            given |= dict.fromkeys(secrets.get(name, ()), "")
        elif kind == "ConfigMap" and not name.rsplit("-", 1)[0].endswith("-program"):
            given |= (environment.named("ConfigMap", name) or {}).get("data") or {}
    for container in pod.containers:
        given |= {one["name"]: one.get("value", "") for one in container.get("env", [])}
    return given


def _address(
    environment: Environment, pod: PodTemplate, variable: str, address: str
) -> Iterator[Fault]:
    parts = urlsplit(address)
    if not address or "." in (parts.hostname or ""):
        return
    service = environment.named("Service", parts.hostname or "")
    ports = {port["port"] for port in service["spec"]["ports"]} if service else set()
    if parts.port not in ports:
        yield Fault("settings", pod.where, f"{variable}={address} leads to no Service")


def _commands(pod: PodTemplate, code: Code) -> Iterator[Fault]:
    """What a container starts, and what its probes ask, is in the code."""
    for container in pod.containers:
        command = container.get("command") or [""]
        started = command[-1].partition(":")[0] if command[0] == "gunicorn" else ""
        if command[:2] == ["python", "-m"]:
            started = command[2]
        if started and started not in code.modules:
            yield Fault("command", pod.where, f"starts {started}, which no code is")
        if started and not started.startswith(pod.service):
            yield Fault("command", pod.where, f"starts {started} of another service")
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = (container.get(kind) or {}).get("httpGet")
            if asked and asked["path"] not in code.health_paths:
                yield Fault(
                    "probes", pod.where, f"{kind} asks {asked['path']}, which nobody answers"
                )


def _prefixes(environment: Environment, code: Code) -> Iterator[Fault]:
    """Health and metrics stay inside: a route opens the service's own prefix and no more."""
    for route in environment.of_kind("HTTPRoute"):
        name = name_of(route)
        if name not in code.services or not code.services[name].reads("DATABASE_URL"):
            continue
        matches = [match for rule in route["spec"]["rules"] for match in rule.get("matches", [{}])]
        opened = {(match.get("path") or {}).get("value", "/") for match in matches}
        if opened != {f"/api/{name}"}:
            what = f"opens {', '.join(sorted(opened))} instead of /api/{name}"
            yield Fault("route", environment.where(route), what)


def _stopping(pod: PodTemplate, code: Code) -> Iterator[Fault]:
    """SIGTERM comes after preStop; both and gunicorn's grace must fit into the pod's grace."""
    if pod.part != "web":
        return
    hook = (pod.spec["containers"][0].get("lifecycle") or {}).get("preStop") or {}
    sleeps = (hook.get("sleep") or {}).get("seconds", 0)
    if sleeps < STOP_MARGIN_SECONDS:
        yield Fault("stopping", pod.where, "stops before the gateway has forgotten it: no preStop")
    needed = sleeps + code.graceful_seconds + STOP_MARGIN_SECONDS
    granted = pod.spec.get("terminationGracePeriodSeconds", 30)
    if granted < needed:
        what = f"is killed after {granted} s and needs {needed} s to stop"
        yield Fault("stopping", pod.where, what)


def _failover(pod: PodTemplate) -> Iterator[Fault]:
    """The database goes for all pods at once: what empties or restarts them all answers nobody."""
    if pod.part != "web" or pod.labels.get("railgate.example/database") != "true":
        return
    for kind, what in (("readinessProbe", "taken out"), ("livenessProbe", "restarted")):
        probe = pod.spec["containers"][0].get(kind) or {}
        borne = probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10)
        if borne <= FAILOVER_SECONDS:
            said = f"is {what} after {borne} s, the database fails over in {FAILOVER_SECONDS} s"
            yield Fault("probes", pod.where, said)


def _waves(environment: Environment, pod: PodTemplate) -> Iterator[Fault]:
    """
    Secrets, then settings, then the migration, then the web part, then the worker. What a pod
    reads must be there in an earlier wave; Argo CD waits between waves, and not within one.
    """
    if pod.kind == "AnalysisTemplate":
        return
    here = pod.folder.partition("/")[2]
    for kind, name, _ in inputs_of(pod):
        maker = _maker(environment, kind, name)
        if maker is None or maker not in environment.folders[here]:
            continue
        if wave_of(maker) >= pod.wave:
            yield Fault("wave", pod.where, f"starts with or before its {kind} {name}")
    wanted = {"migration": -1, "web": 0, "worker": 1}
    wave = 0 if pod.name.endswith("-smoke-accounts") else wanted.get(pod.part, pod.wave)
    if pod.wave != wave:
        yield Fault("wave", pod.where, f"is in wave {pod.wave}, not {wave}")
    if pod.part == "migration" and not pod.is_hook:
        yield Fault("wave", pod.where, "is no hook: a Job that has run cannot be applied again")


def _maker(environment: Environment, kind: str, name: str) -> dict | None:
    if kind == "ConfigMap":
        return environment.named(kind, name)
    made = environment.of_kind("ExternalSecret")
    return next((body for body in made if body["spec"]["target"]["name"] == name), None)


def _keepalive(environment: Environment, code: Code) -> Iterator[Fault]:
    for policy in environment.of_kind("BackendTrafficPolicy"):
        idle = policy["spec"]["timeout"]["http"]["connectionIdleTimeout"]
        if seconds(idle) >= code.keepalive_seconds:
            what = f"keeps idle connections {idle}, gunicorn closes them after "
            where = environment.where(policy)
            yield Fault("stopping", where, what + f"{code.keepalive_seconds} s: requests are lost")
