"""What names something else must find it: services, ports, selectors, settings, secrets, kinds."""

import re
from collections import Counter
from collections.abc import Iterator

from ci.manifests.code import Code
from ci.manifests.faults import Fault
from ci.manifests.rendering import Body, Environment, PodTemplate, Tree, name_of, selects, texts

HASHED = re.compile(r"-[a-z0-9]{10}$")
PLACEHOLDER = re.compile(r"set-by-the-environment|railgate/environment/|railgate/service\b")
PLACEHOLDER_NAMES = re.compile(r"^service(-|$)")
NOT_SERVICES = {"foundation", "sandbox"}


def check_references(tree: Tree, code: Code) -> Iterator[Fault]:
    yield from _every_environment_has_every_service(tree, code)
    for environment in tree.environments.values():
        for check in CHECKS:
            yield from check(environment)


def _every_environment_has_every_service(tree: Tree, code: Code) -> Iterator[Fault]:
    everywhere = {name for env in tree.environments.values() for name in env.folders}
    wanted = (everywhere | set(code.services)) - NOT_SERVICES | {"foundation"}
    for environment in tree.environments.values():
        for missing in sorted(wanted - set(environment.folders)):
            yield Fault("every-service", environment.name, f"there is no folder {missing}")


def _twice(environment: Environment) -> Iterator[Fault]:
    known = Counter((body["kind"], name_of(body)) for body in environment.objects)
    for (kind, name), count in known.items():
        if count > 1:
            yield Fault("twice", environment.name, f"{kind} {name} is in {count} folders")


def _namespace(environment: Environment) -> Iterator[Fault]:
    wanted = f"railgate-{environment.name}"
    for body in environment.objects:
        actual = body["metadata"].get("namespace", wanted)
        if body["kind"] == "Namespace":
            actual = name_of(body)
        if actual != wanted:
            yield Fault("namespace", environment.where(body), f"is in {actual}, not in {wanted}")


def _placeholders(environment: Environment) -> Iterator[Fault]:
    for body in environment.objects:
        where = environment.where(body)
        for text in texts(body):
            if PLACEHOLDER.search(text):
                yield Fault("placeholder", where, f"{text[:80]!r} was never replaced")
        labels = body["metadata"].get("labels") or {}
        named = (name_of(body), labels.get("app.kubernetes.io/name", ""))
        if any(PLACEHOLDER_NAMES.match(name) for name in named):
            yield Fault("placeholder", where, "still has the components' name `service`")


def _rollout_services(environment: Environment) -> Iterator[Fault]:
    for rollout in environment.of_kind("Rollout"):
        where = environment.where(rollout)
        blue_green = rollout["spec"]["strategy"]["blueGreen"]
        names = [blue_green.get("activeService"), blue_green.get("previewService")]
        if names[0] == names[1]:
            yield Fault("service", where, "active and preview are the same Service")
        labels = rollout["spec"]["template"]["metadata"]["labels"]
        for name in names:
            service = environment.named("Service", str(name))
            if service is None:
                yield Fault("service", where, f"there is no Service {name}")
            elif not selects({"matchLabels": service["spec"]["selector"]}, labels):
                yield Fault("selector", where, f"Service {name} does not select its pods")


def _workload_selectors(environment: Environment) -> Iterator[Fault]:
    for body in environment.of_kind("Rollout", "Deployment"):
        labels = body["spec"]["template"]["metadata"].get("labels") or {}
        if not selects(body["spec"].get("selector"), labels):
            where = environment.where(body)
            yield Fault("selector", where, "its selector does not match its own pods")


def _service_pods(environment: Environment) -> Iterator[Fault]:
    """A Service selects pods, and has the same port number as they: EKS's policies need that."""
    pods = list(environment.pods())
    for service in environment.of_kind("Service"):
        where = environment.where(service)
        selector = {"matchLabels": service["spec"]["selector"]}
        behind = [pod for pod in pods if selects(selector, pod.labels)]
        if not behind:
            yield Fault("selector", where, "selects no pods")
        for pod in behind:
            for port in service["spec"]["ports"]:
                target = _container_port(pod, port.get("targetPort", port["port"]))
                if target != port["port"]:
                    what = f"port {port['port']} leads to {target} of {pod.name}"
                    yield Fault("port", where, what)


def _container_port(pod: PodTemplate, wanted: str | int) -> int | None:
    ports = [port for container in pod.containers for port in container.get("ports", [])]
    return next(
        (p["containerPort"] for p in ports if wanted in (p["name"], p["containerPort"])), None
    )


def _probe_ports(environment: Environment) -> Iterator[Fault]:
    for pod in environment.pods():
        for container in pod.containers:
            ports = container.get("ports", [])
            known = {p.get("name") for p in ports} | {p["containerPort"] for p in ports}
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                probe = container.get(kind) or {}
                asked = probe.get("httpGet") or probe.get("tcpSocket")
                if asked and asked["port"] not in known:
                    yield Fault("port", pod.where, f"{kind} asks the unknown port {asked['port']}")


def _autoscalers(environment: Environment) -> Iterator[Fault]:
    scaled = set()
    for scaler in environment.of_kind("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        found = environment.named(target["kind"], target["name"])
        if found is None or found["apiVersion"] != target["apiVersion"]:
            what = f"there is no {target['apiVersion']} {target['kind']} {target['name']}"
            yield Fault("autoscaler", environment.where(scaler), what)
        scaled.add(target["name"])
    for rollout in environment.of_kind("Rollout"):
        if name_of(rollout) not in scaled:
            yield Fault("autoscaler", environment.where(rollout), "nothing scales it")


def _budgets(environment: Environment) -> Iterator[Fault]:
    budgets = environment.of_kind("PodDisruptionBudget")
    pods = list(environment.pods())
    for budget in budgets:
        if not any(selects(budget["spec"]["selector"], pod.labels) for pod in pods):
            yield Fault("budget", environment.where(budget), "protects no pods")
    for pod in (pod for pod in pods if pod.kind == "Rollout"):
        if not any(selects(budget["spec"]["selector"], pod.labels) for budget in budgets):
            yield Fault("budget", pod.where, "no PodDisruptionBudget protects it")


def _monitors(environment: Environment) -> Iterator[Fault]:
    services = environment.of_kind("Service")
    watched = set()
    for monitor in environment.of_kind("ServiceMonitor"):
        where, selector = environment.where(monitor), monitor["spec"]["selector"]
        chosen = [s for s in services if selects(selector, s["metadata"].get("labels") or {})]
        if len(chosen) != 1:
            what = f"selects {len(chosen)} Services: each pod would be scraped so often"
            yield Fault("monitor", where, what)
        for service in chosen:
            ports = {port["name"] for port in service["spec"]["ports"]}
            watched.add(service["spec"]["selector"]["app.kubernetes.io/name"])
            for endpoint in monitor["spec"]["endpoints"]:
                if endpoint["port"] not in ports:
                    yield Fault("monitor", where, f"there is no port named {endpoint['port']}")
    for rollout in environment.of_kind("Rollout"):
        if name_of(rollout) not in watched:
            yield Fault("monitor", environment.where(rollout), "Prometheus does not scrape it")


def _routes(environment: Environment) -> Iterator[Fault]:
    routed = set()
    for route in environment.of_kind("HTTPRoute"):
        where = environment.where(route)
        for parent in route["spec"]["parentRefs"]:
            if environment.named("Gateway", parent["name"]) is None:
                yield Fault("route", where, f"there is no Gateway {parent['name']}")
        for backend in (b for rule in route["spec"]["rules"] for b in rule["backendRefs"]):
            service = environment.named("Service", backend["name"])
            ports = {port["port"] for port in service["spec"]["ports"]} if service else set()
            if backend["port"] not in ports:
                yield Fault("route", where, f"no Service {backend['name']}:{backend['port']}")
            routed.add(backend["name"])
    for rollout in environment.of_kind("Rollout"):
        active = rollout["spec"]["strategy"]["blueGreen"]["activeService"]
        if active not in routed:
            yield Fault("route", environment.where(rollout), "no route leads to it")


def _analyses(environment: Environment) -> Iterator[Fault]:
    for rollout in environment.of_kind("Rollout"):
        blue_green = rollout["spec"]["strategy"]["blueGreen"]
        for phase in ("prePromotionAnalysis", "postPromotionAnalysis"):
            analysis = blue_green.get(phase) or {}
            given = {arg["name"] for arg in analysis.get("args", [])}
            for template in analysis.get("templates", []):
                where = environment.where(rollout)
                yield from _analysis(environment, where, template["templateName"], given)


def _analysis(environment: Environment, where: str, name: str, given: set[str]) -> Iterator[Fault]:
    template = environment.named("AnalysisTemplate", name)
    if template is None:
        yield Fault("analysis", where, f"there is no AnalysisTemplate {name}")
        return
    declared = template["spec"].get("args", [])
    demanded = {arg["name"] for arg in declared if "value" not in arg and "valueFrom" not in arg}
    for missing in sorted(demanded - given):
        yield Fault("analysis", where, f"{name} is not told its argument {missing}")
    for unknown in sorted(given - {arg["name"] for arg in declared}):
        yield Fault("analysis", where, f"{name} knows no argument {unknown}")


def secret_keys(environment: Environment) -> dict[str, set[str]]:
    """The Secrets that External Secrets makes, with their keys."""
    found: dict[str, set[str]] = {}
    for secret in environment.of_kind("ExternalSecret"):
        keys = {entry["secretKey"] for entry in secret["spec"].get("data", [])}
        for source in secret["spec"].get("dataFrom", []):
            keys |= {one["regexp"]["target"] for one in source.get("rewrite", [])}
        found[secret["spec"]["target"]["name"]] = keys
    return found


def _inputs(environment: Environment) -> Iterator[Fault]:
    maps = {name_of(body): set(body.get("data") or {}) for body in environment.of_kind("ConfigMap")}
    secrets = secret_keys(environment)
    for pod in environment.pods():
        for kind, name, key in inputs_of(pod):
            known = maps if kind == "ConfigMap" else secrets
            if name not in known:
                yield Fault("input", pod.where, f"there is no {kind} {name}")
            elif key and key not in known[name]:
                yield Fault("input", pod.where, f"{kind} {name} has no key {key}")
            if kind == "ConfigMap" and not HASHED.search(name):
                what = f"{name} carries no hash: a change of it would not be a release"
                yield Fault("config-hash", pod.where, what)


def inputs_of(pod: PodTemplate) -> Iterator[tuple[str, str, str]]:
    """Kind, name and key ('' for all) of every ConfigMap and Secret that a pod reads."""
    for container in pod.containers:
        for source in container.get("envFrom", []):
            yield from _read_by(source, "Ref", "")
        for variable in container.get("env", []):
            yield from _read_by(variable.get("valueFrom") or {}, "KeyRef", "key")
    for volume in pod.spec.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], ""
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"], ""


def _read_by(source: Body, ending: str, key: str) -> Iterator[tuple[str, str, str]]:
    for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        named = source.get(field + ending)
        if named:
            yield kind, named["name"], named.get(key, "")


def _mounts(environment: Environment) -> Iterator[Fault]:
    for pod in environment.pods():
        volumes = {volume["name"] for volume in pod.spec.get("volumes", [])}
        for container in pod.containers:
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield Fault("input", pod.where, f"there is no volume {mount['name']}")


def _named_by_pods(environment: Environment) -> Iterator[Fault]:
    for pod in environment.pods():
        account, priority = pod.spec.get("serviceAccountName"), pod.spec.get("priorityClassName")
        if account != pod.service or environment.named("ServiceAccount", str(account)) is None:
            what = f"its service account is {account}, not its own {pod.service}"
            yield Fault("account", pod.where, what)
        if environment.named("PriorityClass", str(priority)) is None:
            yield Fault("priority", pod.where, f"there is no PriorityClass {priority}")


def _stores(environment: Environment) -> Iterator[Fault]:
    for secret in environment.of_kind("ExternalSecret"):
        where, spec = environment.where(secret), secret["spec"]
        store = spec.get("secretStoreRef")
        if store and environment.named(store["kind"], store["name"]) is None:
            yield Fault("secret", where, f"there is no {store['kind']} {store['name']}")
        for source in spec.get("dataFrom", []):
            wanted = (source.get("sourceRef") or {}).get("generatorRef")
            if wanted and environment.named(wanted["kind"], wanted["name"]) is None:
                yield Fault("secret", where, f"there is no {wanted['kind']} {wanted['name']}")
        for entry in spec.get("data", []):
            if not entry["remoteRef"]["key"].startswith(f"railgate/{environment.name}/"):
                what = f"reads {entry['remoteRef']['key']} of another environment"
                yield Fault("secret", where, what)


CHECKS = (
    _twice,
    _namespace,
    _placeholders,
    _rollout_services,
    _workload_selectors,
    _service_pods,
    _probe_ports,
    _autoscalers,
    _budgets,
    _monitors,
    _routes,
    _analyses,
    _inputs,
    _mounts,
    _named_by_pods,
    _stores,
)
