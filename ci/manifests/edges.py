"""
The network policies beside the calls that the code really makes: every call has its way, on both
sides, and no way is open that nobody takes.
"""

from collections.abc import Iterator

from ci.manifests.code import Code, ServiceCode
from ci.manifests.faults import Fault
from ci.manifests.rendering import Body, Environment, PodTemplate, Tree, selects

PORT = 8080
RUNNING = {"web", "worker"}
GATEWAY = (
    {"kubernetes.io/metadata.name": "envoy-gateway-system"},
    {"gateway.envoyproxy.io/owning-gateway-name": "railgate"},
)
PROMETHEUS = (
    {"kubernetes.io/metadata.name": "monitoring"},
    {"app.kubernetes.io/name": "prometheus"},
)
DNS = ({"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"})
OUTSIDE = {"database": 5432, "redis": 6379, "mail": 465, "provider": 443}


def check_edges(tree: Tree, code: Code) -> Iterator[Fault]:
    for environment in tree.environments.values():
        yield from _default_deny(environment)
        yield from _inside(environment, code)
        yield from _sandbox(environment, code)
        yield from _from_around(environment)
        yield from _to_outside(environment, code)


def _default_deny(environment: Environment) -> Iterator[Fault]:
    for policy in environment.of_kind("NetworkPolicy"):
        spec = policy["spec"]
        denies = not spec.get("ingress") and not spec.get("egress")
        both = set(spec.get("policyTypes", [])) == {"Ingress", "Egress"}
        if denies and both and not spec["podSelector"]:
            return
    yield Fault("default-deny", environment.name, "no policy denies everything to begin with")


def _inside(environment: Environment, code: Code) -> Iterator[Fault]:
    """Pair by pair: is the way open on the caller's side, on the callee's, and is it needed?"""
    wanted = code.edges()
    running = [p for p in environment.pods() if p.part in RUNNING and p.service in code.services]
    for callee in (pod for pod in running if pod.part == "web"):
        for caller in (pod for pod in running if pod.service != callee.service):
            is_wanted = (caller.service, callee.service) in wanted
            yield from _way(environment, caller, callee, is_wanted=is_wanted)


def _sandbox(environment: Environment, code: Code) -> Iterator[Fault]:
    """The pretended provider is none of the services: who is paid asks it, and is told by it."""
    pods = list(environment.pods())
    paid = {service.name for service in code.services.values() if service.reads("PROVIDER_URL")}
    for sandbox in (pod for pod in pods if pod.part == "provider"):
        for pod in (one for one in pods if one.part != "provider"):
            asks = (pod.service in paid and pod.part in RUNNING) or _pays_with_a_card(pod)
            yield from _way(environment, pod, sandbox, is_wanted=asks)
            is_told = pod.service in paid and pod.part == "web"
            yield from _way(environment, sandbox, pod, is_wanted=is_told)
        if not _enters(environment, sandbox.labels, *GATEWAY):
            yield Fault("edge", sandbox.where, "does not let the gateway in")


def _pays_with_a_card(pod: PodTemplate) -> bool:
    given = (one for container in pod.containers for one in container.get("env", []))
    return any(one["name"] == "SMOKE_PROVIDER_URL" and one.get("value") for one in given)


def _way(
    environment: Environment, caller: PodTemplate, callee: PodTemplate, *, is_wanted: bool
) -> Iterator[Fault]:
    is_out = _leaves(environment, caller.labels, callee.labels)
    is_in = _enters(environment, callee.labels, {}, caller.labels)
    way = f"{caller.service} ({caller.part}) -> {callee.service}"
    if not is_wanted:
        if is_out or is_in:
            side = "out" if is_out else "in"
            yield Fault("edge", environment.name, f"{way}: open ({side}), nobody calls so")
        return
    if not is_out:
        yield Fault("edge", environment.name, f"{way}: the caller may not go out")
    if not is_in:
        yield Fault("edge", environment.name, f"{way}: the callee lets it not in")


def _from_around(environment: Environment) -> Iterator[Fault]:
    for pod in environment.pods():
        if not _resolves(environment, pod):
            yield Fault("edge", pod.where, "cannot ask the DNS")
        if pod.part != "web":
            continue
        for name, (namespace, labels) in (("gateway", GATEWAY), ("Prometheus", PROMETHEUS)):
            if not _enters(environment, pod.labels, namespace, labels):
                yield Fault("edge", pod.where, f"does not let the {name} in")
        for smoke in (one for one in environment.pods() if one.part == "smoke"):
            if not (
                _leaves(environment, smoke.labels, pod.labels)
                and _enters(environment, pod.labels, {}, smoke.labels)
            ):
                yield Fault("edge", pod.where, f"cannot be reached by {smoke.name}")


def _to_outside(environment: Environment, code: Code) -> Iterator[Fault]:
    for pod in environment.pods():
        service = code.services.get(pod.service)
        if service is None or pod.part == "smoke":
            continue
        wanted = _outside_of(service, pod)
        for what, port in OUTSIDE.items():
            is_open = _leaves_cluster(environment, pod.labels, port)
            if what == "provider":
                is_open |= _reaches_sandbox(environment, pod.labels)
            if what in wanted and not is_open:
                yield Fault("edge", pod.where, f"has no way to its {what}")
            if what not in wanted and is_open:
                yield Fault("edge", pod.where, f"has a way to a {what} it does not use")


def _outside_of(service: ServiceCode, pod: PodTemplate) -> set[str]:
    wanted = {what for what in ("database", "redis") if service.reads(f"{what.upper()}_URL")}
    if service.sends_mail and pod.part == "worker":
        wanted.add("mail")
    if service.reads("PROVIDER_URL") and pod.part in RUNNING:
        wanted.add("provider")
    return wanted


def _rules(environment: Environment, labels: dict[str, str], side: str) -> Iterator[Body]:
    for policy in environment.of_kind("NetworkPolicy"):
        spec = policy["spec"]
        if side.capitalize() in spec.get("policyTypes", []) and selects(
            spec["podSelector"], labels
        ):
            yield from spec.get(side) or []


def _has_port(rule: Body, port: int) -> bool:
    """A rule that names no port means all ports, and one that names no peer means everybody."""
    return not rule.get("ports") or any(one.get("port") == port for one in rule["ports"])


def _has_peer(peers: list[Body], namespace: dict[str, str], labels: dict[str, str]) -> bool:
    return not peers or any(_is_peer(peer, namespace, labels) for peer in peers)


def _leaves(environment: Environment, caller: dict[str, str], callee: dict[str, str]) -> bool:
    return any(
        _has_port(rule, PORT) and _has_peer(rule.get("to", []), {}, callee)
        for rule in _rules(environment, caller, "egress")
    )


def _enters(
    environment: Environment,
    callee: dict[str, str],
    namespace: dict[str, str],
    caller: dict[str, str],
) -> bool:
    return any(
        _has_port(rule, PORT) and _has_peer(rule.get("from", []), namespace, caller)
        for rule in _rules(environment, callee, "ingress")
    )


def _is_peer(peer: Body, namespace: dict[str, str], labels: dict[str, str]) -> bool:
    """`namespace` is empty for the environment's own, which a peer without a selector means."""
    if "ipBlock" in peer:
        return False
    chosen = peer.get("namespaceSelector")
    if (chosen is None) != (not namespace):
        return False
    if chosen is not None and not selects(chosen, namespace):
        return False
    return selects(peer.get("podSelector", {}), labels)


def _leaves_cluster(environment: Environment, labels: dict[str, str], port: int) -> bool:
    return any(
        _has_port(rule, port)
        and (not rule.get("to") or any("ipBlock" in peer for peer in rule["to"]))
        for rule in _rules(environment, labels, "egress")
    )


def _reaches_sandbox(environment: Environment, labels: dict[str, str]) -> bool:
    found = [pod for pod in environment.pods() if pod.part == "provider"]
    return any(_leaves(environment, labels, pod.labels) for pod in found)


def _resolves(environment: Environment, pod: PodTemplate) -> bool:
    namespace, labels = DNS
    return any(
        _has_port(rule, 53) and _has_peer(rule.get("to", []), namespace, labels)
        for rule in _rules(environment, pod.labels, "egress")
    )
