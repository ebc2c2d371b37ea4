"""
Who hears of an alert: that every severity reaches somebody, that the dead man's switch beats, that
what silences another alert exists, and that no address of a receiver is in Git.
"""

import re
from collections.abc import Iterator

from ci.manifests.faults import Fault
from ci.manifests.promql import alerts_in
from ci.manifests.references import secret_keys
from ci.manifests.rendering import Body, Environment, Tree, add_ons, seconds

HEARTBEAT = "Watchdog"
HEARTBEAT_SECONDS_MAX = 300
# Alerts of the monitoring stack that our tree speaks of.
OF_THE_STACK = {
    HEARTBEAT,
    "KubeAPIDown",
    "KubeDeploymentReplicasMismatch",
    "KubePodNotReady",
}
CHANNELS = ("pagerdutyConfigs", "slackConfigs", "webhookConfigs")
DURATIONS = ("groupWait", "groupInterval", "repeatInterval")


def check_alerting(tree: Tree) -> Iterator[Fault]:
    for environment in tree.environments.values():
        trees = environment.of_kind("AlertmanagerConfig")
        if len(trees) != 1:
            yield Fault("alerting", environment.name, f"has {len(trees)} trees of routes, not one")
        for body in trees:
            yield from _receivers(environment, body)
            yield from _reached(environment, body)
            yield from _inhibitions(environment, body)
    values = ((add_ons(tree).get("monitoring") or {}).get("helm") or {}).get("valuesObject") or {}
    alertmanager = (values.get("alertmanager") or {}).get("alertmanagerSpec") or {}
    if alertmanager.get("alertmanagerConfigMatcherStrategy") != {"type": "None"}:
        what = "the routes would hear of one namespace only, and never of the heartbeat"
        yield Fault("alerting", "argocd: monitoring", what)


def native(body: Body) -> Body:
    """The tree as Alertmanager itself reads it, with receivers that are names only."""
    spec = body["spec"]
    return {
        "route": _native_route(spec["route"]),
        "receivers": [{"name": one["name"]} for one in spec["receivers"]],
        "inhibit_rules": [
            {
                "source_matchers": _native_matchers(rule["sourceMatch"]),
                "target_matchers": _native_matchers(rule["targetMatch"]),
                "equal": rule.get("equal", []),
            }
            for rule in spec.get("inhibitRules", [])
        ],
    }


def _native_route(route: Body) -> Body:
    found = {"receiver": route["receiver"]}
    if "groupBy" in route:
        found["group_by"] = route["groupBy"]
    if "matchers" in route:
        found["matchers"] = _native_matchers(route["matchers"])
    for name in DURATIONS:
        if name in route:
            found[re.sub(r"([A-Z])", r"_\1", name).lower()] = route[name]
    return found | {"routes": [_native_route(one) for one in route.get("routes", [])]}


def _native_matchers(matchers: list[Body]) -> list[str]:
    return [f'{one["name"]}{_sign(one)}"{one["value"]}"' for one in matchers]


def _sign(matcher: Body) -> str:
    return matcher.get("matchType", "=")


def route_of(route: Body, labels: dict[str, str]) -> Body:
    """The innermost route that takes an alert; the first that fits wins."""
    for inner in route.get("routes", []):
        if all(_fits(one, labels) for one in inner.get("matchers", [])):
            return route_of(inner, labels)
    return route


def _fits(matcher: Body, labels: dict[str, str]) -> bool:
    value, wanted = labels.get(matcher["name"], ""), matcher["value"]
    is_pattern, is_not = "~" in _sign(matcher), _sign(matcher).startswith("!")
    return (bool(re.fullmatch(wanted, value)) if is_pattern else value == wanted) != is_not


def _routes(route: Body) -> Iterator[Body]:
    yield route
    for inner in route.get("routes", []):
        yield from _routes(inner)


def _channels(body: Body) -> dict[str, set[str]]:
    return {
        one["name"]: {kind for kind in CHANNELS if one.get(kind)}
        for one in body["spec"]["receivers"]
    }


def _receivers(environment: Environment, body: Body) -> Iterator[Fault]:
    where, known = environment.where(body), _channels(body)
    for route in _routes(body["spec"]["route"]):
        if route["receiver"] not in known:
            yield Fault("alerting", where, f"there is no receiver {route['receiver']}")
    keys = secret_keys(environment)
    for receiver in body["spec"]["receivers"]:
        for channel in (one for kind in CHANNELS for one in receiver.get(kind, [])):
            named = [one for one in channel.values() if isinstance(one, dict) and "key" in one]
            if not named:
                yield Fault("alerting", where, f"{receiver['name']} names its address in Git")
            for one in named:
                if one["key"] not in keys.get(one["name"], set()):
                    what = f"{receiver['name']}: Secret {one['name']} has no key {one['key']}"
                    yield Fault("alerting", where, what)


def _reached(environment: Environment, body: Body) -> Iterator[Fault]:
    where, channels, root = environment.where(body), _channels(body), body["spec"]["route"]
    for rule in alerts_in(environment):
        name = rule["alert"]
        labels = {"alertname": name, "namespace": f"railgate-{environment.name}"} | rule["labels"]
        reached = channels.get(route_of(root, labels)["receiver"], set())
        if not reached:
            yield Fault("alerting", where, f"nobody hears of {name}")
        is_page = rule["labels"].get("severity") == "page"
        if is_page and environment.name == "prod" and "pagerdutyConfigs" not in reached:
            yield Fault("alerting", where, f"{name} wakes nobody")
    beat = route_of(root, {"alertname": HEARTBEAT, "severity": "none"})
    is_told = "webhookConfigs" in channels.get(beat["receiver"], set())
    if not is_told or seconds(beat.get("repeatInterval", "4h")) > HEARTBEAT_SECONDS_MAX:
        yield Fault("alerting", where, f"{HEARTBEAT} does not beat: a dead monitoring is silent")


def _inhibitions(environment: Environment, body: Body) -> Iterator[Fault]:
    known = OF_THE_STACK | {rule["alert"] for rule in alerts_in(environment)}
    for rule in body["spec"].get("inhibitRules", []):
        for matcher in rule["sourceMatch"] + rule["targetMatch"]:
            if matcher["name"] != "alertname":
                continue
            for pattern in matcher["value"].split("|"):
                if not any(re.fullmatch(pattern, name) for name in known):
                    what = f"an inhibition speaks of {pattern}, which is no alert"
                    yield Fault("alerting", environment.where(body), what)
        if all(_fits(one, {"alertname": HEARTBEAT}) for one in rule["targetMatch"]):
            yield Fault("alerting", environment.where(body), "an inhibition stops the heartbeat")
