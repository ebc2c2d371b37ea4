"""
What is watched: every question to Prometheus asks for what somebody really counts, dashboards are
whole and tell each other apart, and every alert says how bad it is and what to do.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from ci.manifests.code import Code
from ci.manifests.edges import GATEWAY
from ci.manifests.faults import Fault
from ci.manifests.promql import (
    Query,
    alerts_in,
    not_parsed,
    queries_of_analyses,
    queries_of_rules,
    recorded_in,
)
from ci.manifests.rendering import Body, Environment, Tree, add_ons, name_of, selects

LABEL = "grafana_dashboard"
SEVERITIES = {"page", "ticket"}
COLUMNS = 24
PROBES = {"/metrics"}
ENVOY = "envoy"
ABSENT = re.compile(r'^absent\(up\{[^}]*\bjob="([^"]+)"[^}]*\} == 1\)$')
# What the add-ons count: the add-on that must be there, and the names that are asked of it.
EXPORTED = {
    "monitoring": {
        "up",
        "container_cpu_usage_seconds_total",
        "kube_horizontalpodautoscaler_spec_max_replicas",
        "kube_horizontalpodautoscaler_status_current_replicas",
        "kube_pod_container_resource_requests",
        "kube_pod_container_status_restarts_total",
    },
    "argo-rollouts": {
        "analysis_run_info",
        "analysis_run_metric_phase",
        "rollout_events_total",
        "rollout_info",
    },
    "argo-cd": {"argocd_app_info"},
    "envoy-gateway": {"envoy_http_downstream_rq_xx"},
}
# Neither has a monitor of its own, so the stack must be told of it.
TOLD_OF = {"argo-rollouts", "argo-cd"}
EBS = "ebs.csi.aws.com"
MEASURED_BY_AWS = {
    "AWS/RDS": {
        "CPUUtilization",
        "DatabaseConnections",
        "FreeStorageSpace",
        "FreeableMemory",
        "ReadIOPS",
        "ReadLatency",
        "WriteIOPS",
        "WriteLatency",
    },
    "AWS/ElastiCache": {
        "CurrConnections",
        "DatabaseMemoryUsagePercentage",
        "EngineCPUUtilization",
        "Evictions",
        "NetworkBytesIn",
        "NetworkBytesOut",
        "ReplicationLag",
    },
}


def check_monitoring(tree: Tree, code: Code) -> Iterator[Fault]:
    queries: list[Query] = []
    for environment in tree.environments.values():
        boards = dict(_boards(environment))
        asked = [
            *queries_of_rules(environment),
            *queries_of_analyses(environment),
            *(query for where, board in boards.items() for query in _queries(where, board)),
        ]
        yield from _names(asked, code, _counted(tree, environment))
        yield from _alerts(environment)
        yield from _presence(environment)
        yield from _shapes(environment, boards)
        queries += asked
    yield from not_parsed(queries)
    yield from _told(tree)
    yield from _kept(tree)


def _boards(environment: Environment) -> Iterator[tuple[str, Body | None]]:
    """None where a dashboard is no JSON."""
    for body in environment.of_kind("ConfigMap"):
        if (body["metadata"].get("labels") or {}).get(LABEL):
            for name, text in body["data"].items():
                try:
                    board = json.loads(text)
                except ValueError:
                    board = None
                yield f"{environment.where(body)} {name}", board


def _panels(board: Body | None) -> Iterator[Body]:
    for panel in (board or {}).get("panels", []):
        yield panel
        yield from panel.get("panels", [])


def _queries(where: str, board: Body | None) -> Iterator[Query]:
    notes = (board or {}).get("annotations", {}).get("list", [])
    for asking in [*_panels(board), *({"title": one["name"], "targets": [one]} for one in notes)]:
        for target in asking.get("targets", []):
            if "expr" in target:
                yield Query(f"{where}: {asking['title']}", target["expr"])


def _counted(tree: Tree, environment: Environment) -> set[str]:
    installed = add_ons(tree).keys() | {
        name_of(b) for b in tree.argocd if b["kind"] != "AppProject"
    }
    found = set().union(*(names for add_on, names in EXPORTED.items() if add_on in installed))
    return found | recorded_in(environment)


def _values(tree: Tree) -> Body:
    source = add_ons(tree).get("monitoring") or {}
    return (source.get("helm") or {}).get("valuesObject") or {}


def _kept(tree: Tree) -> Iterator[Fault]:
    """The month that the objectives are of, and silences, outlive their pods."""
    values = _values(tree)
    made = [one for one in values.get("extraManifests") or [] if one["kind"] == "StorageClass"]
    classes = {name_of(one) for one in made if one["provisioner"] == EBS}
    prometheus = (values.get("prometheus") or {}).get("prometheusSpec") or {}
    alertmanager = (values.get("alertmanager") or {}).get("alertmanagerSpec") or {}
    asked = {
        "Prometheus": prometheus.get("storageSpec"),
        "Alertmanager": alertmanager.get("storage"),
    }
    for name, storage in asked.items():
        claim = ((storage or {}).get("volumeClaimTemplate") or {}).get("spec") or {}
        if claim.get("storageClassName") not in classes:
            what = f"{name} keeps nothing: it asks for no volume of a class that is made here"
            yield Fault("storage", "argocd: monitoring", what)


def _told(tree: Tree) -> Iterator[Fault]:
    monitors = (_values(tree).get("prometheus") or {}).get("additionalServiceMonitors", [])
    for missing in sorted(TOLD_OF - {monitor["name"] for monitor in monitors}):
        yield Fault("monitor", "argocd: monitoring", f"Prometheus is not told to scrape {missing}")


def _names(queries: list[Query], code: Code, counted: set[str]) -> Iterator[Fault]:
    known = counted | code.series
    rules = code.url_rules | code.health_paths | PROBES
    for query in queries:
        for unknown in sorted(query.series - known):
            yield Fault("metric", query.where, f"asks for {unknown}, which nobody counts")
        for unknown in sorted(query.url_rules - rules):
            yield Fault("metric", query.where, f"asks for {unknown}, which no service answers")


def _alerts(environment: Environment) -> Iterator[Fault]:
    for rule in alerts_in(environment):
        where = f"{rule['where']} {rule['alert']}"
        if (rule.get("labels") or {}).get("severity") not in SEVERITIES:
            yield Fault("alert", where, f"its severity is none of {', '.join(sorted(SEVERITIES))}")
        for wanted in ("summary", "runbook_url"):
            if not (rule.get("annotations") or {}).get(wanted):
                yield Fault("alert", where, f"has no {wanted}")


def _presence(environment: Environment) -> Iterator[Fault]:
    """What is gone as a whole counts nothing, so its absence must page."""
    asked = {
        found[1]
        for rule in alerts_in(environment)
        if (rule.get("labels") or {}).get("severity") == "page"
        and (found := ABSENT.match(rule["expr"]))
    }
    for rollout in environment.of_kind("Rollout"):
        if name_of(rollout) not in asked:
            where = environment.where(rollout)
            yield Fault("alert", where, "nobody is woken when none of its pods is left")
    _, gateway = GATEWAY
    monitors = (body["spec"] for body in environment.of_kind("PodMonitor"))
    is_scraped = any(selects(one["selector"], gateway) for one in monitors)
    if not is_scraped or ENVOY not in asked:
        yield Fault("alert", environment.name, "nobody is woken when the gateway is gone")


def _shapes(environment: Environment, boards: dict[str, Body | None]) -> Iterator[Fault]:
    uids = Counter(board.get("uid") for board in boards.values() if board)
    for where, board in boards.items():
        if board is None:
            yield Fault("dashboard", where, "is no JSON")
            continue
        if not board.get("uid") or uids[board["uid"]] > 1:
            yield Fault("dashboard", where, f"shares its uid {board.get('uid')!r} with another")
        if board.get("editable") is not False:
            yield Fault("dashboard", where, "may be edited where nobody keeps it")
        panels = [panel for panel in _panels(board) if panel["type"] != "row"]
        ids = Counter(panel["id"] for panel in _panels(board))
        if any(count > 1 for count in ids.values()):
            yield Fault("dashboard", where, "two panels have the same id")
        for panel in panels:
            yield from _panel(f"{where}: {panel.get('title', panel['id'])}", panel)
        for one, other in combinations(panels, 2):
            if _overlap(one["gridPos"], other["gridPos"]):
                what = f"{one['title']!r} lies upon {other['title']!r}"
                yield Fault("dashboard", where, what)
    if not boards:
        yield Fault("dashboard", environment.name, "has no dashboard")


def _panel(where: str, panel: Body) -> Iterator[Fault]:
    if not panel.get("title") or not panel.get("targets"):
        yield Fault("dashboard", where, "has no title or asks nothing")
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield Fault("dashboard", where, "has no unit")
    if panel["gridPos"]["x"] + panel["gridPos"]["w"] > COLUMNS:
        yield Fault("dashboard", where, "is wider than the page")
    for target in panel.get("targets", []):
        if target.get("datasource") != panel.get("datasource"):
            yield Fault("dashboard", where, "asks another source than its own")
        if "expr" in target:
            continue
        known = MEASURED_BY_AWS.get(target.get("namespace", ""), set())
        if target.get("metricName") not in known:
            yield Fault("metric", where, f"asks for {target.get('metricName')}, not known of AWS")


def _overlap(one: Body, other: Body) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
