"""Releases that cannot lose a purchase: blue-green, its analyses, its clocks, and Argo CD."""

import re
from collections.abc import Iterator

from ci.manifests.code import Code
from ci.manifests.faults import Fault
from ci.manifests.references import inputs_of
from ci.manifests.rendering import Body, Environment, Tree, name_of, seconds, wave_of

TARGET_PERCENT = 85
CALM_SECONDS = 300
PROD_REPLICAS_MIN = 3
HOURS = {("30 7 * * *", "2h"), ("30 13 * * *", "2h")}
HOURS_UTC = {("30 1 * * *", "2h"), ("30 7 * * *", "2h")}
WAITED_FOR = "railgate.example/waited-for"
HEALTH = "resource.customizations.health.argoproj.io_"
ARGO_CD = "argocd.argoproj.io"
HASH_POINTER = "/spec/selector/rollouts-pod-template-hash"
PINNED = re.compile(r"^v?\d+\.\d+\.\d+$")


def check_delivery(tree: Tree, code: Code) -> Iterator[Fault]:
    for environment in tree.environments.values():
        for rollout in environment.of_kind("Rollout"):
            yield from _blue_green(environment, rollout)
            yield from _clocks(environment, rollout, code)
        yield from _way_back(environment)
        for template in environment.of_kind("AnalysisTemplate"):
            yield from _analysis(environment.where(template), template, code)
        for scaler in environment.of_kind("HorizontalPodAutoscaler"):
            yield from _autoscaler(environment, scaler)
        yield from _rotation_hours(environment)
        yield from _project(environment, tree)
    yield from _hours(tree)
    yield from _application_sets(tree)
    yield from _order(tree)
    yield from _people(tree)


def _blue_green(environment: Environment, rollout: Body) -> Iterator[Fault]:
    where, spec = environment.where(rollout), rollout["spec"]
    blue_green = spec["strategy"]["blueGreen"]
    if "autoPromotionSeconds" in blue_green:
        yield Fault("promotion", where, "autoPromotionSeconds overrules a running analysis")
    if spec.get("progressDeadlineAbort") is not True:
        yield Fault("promotion", where, "a release that gets stuck is not aborted")
    for phase in ("prePromotionAnalysis", "postPromotionAnalysis"):
        if not (blue_green.get(phase) or {}).get("templates"):
            yield Fault("promotion", where, f"is promoted without {phase}")
    if environment.name == "prod" and "previewReplicaCount" in blue_green:
        yield Fault("promotion", where, "green would take the load with too few pods")
    for name in (blue_green["activeService"], blue_green["previewService"]):
        service = environment.named("Service", name)
        options = (service or {"metadata": {}})["metadata"].get("annotations") or {}
        if "ServerSideApply=false" not in options.get("argocd.argoproj.io/sync-options", ""):
            what = f"Service {name}: a server-side apply takes the hash out of its selector"
            yield Fault("promotion", where, what)


def _clocks(environment: Environment, rollout: Body, code: Code) -> Iterator[Fault]:
    where, spec = environment.where(rollout), rollout["spec"]
    blue_green = spec["strategy"]["blueGreen"]
    kept = blue_green.get("scaleDownDelaySeconds", 30)
    longest = code.request_seconds
    for template in (blue_green.get("postPromotionAnalysis") or {}).get("templates", []):
        found = environment.named("AnalysisTemplate", template["templateName"])
        if found is not None:
            longest = max(longest, _duration(found) + code.request_seconds)
    if kept < longest:
        what = f"blue goes after {kept} s; the analysis and the last request need {longest} s"
        yield Fault("clocks", where, what)
    if spec.get("progressDeadlineSeconds", 600) <= kept:
        yield Fault("clocks", where, "progressDeadlineSeconds must be above scaleDownDelaySeconds")


def _way_back(environment: Environment) -> Iterator[Fault]:
    """A ReplicaSet that is gone back to names settings that Git has forgotten."""
    for pod in (one for one in environment.pods() if one.kind == "Rollout"):
        for kind, name, _ in inputs_of(pod):
            body = environment.named(kind, name) if kind == "ConfigMap" else None
            if body is None:
                continue
            said = body["metadata"].get("annotations") or {}
            if "Prune=false" not in said.get(f"{ARGO_CD}/sync-options", ""):
                what = f"ConfigMap {name} is pruned: there is no way back over a changed setting"
                yield Fault("back", pod.where, what)
            if "IgnoreExtraneous" not in said.get(f"{ARGO_CD}/compare-options", ""):
                what = f"ConfigMap {name} would be drift as soon as another replaces it"
                yield Fault("back", pod.where, what)


def _duration(template: Body) -> int:
    return max(
        seconds(metric.get("initialDelay", 0))
        + int(metric.get("count", 1)) * seconds(metric.get("interval", 0))
        for metric in template["spec"]["metrics"]
    )


def _analysis(where: str, template: Body, code: Code) -> Iterator[Fault]:
    for metric in template["spec"]["metrics"]:
        name, provider = metric["name"], metric["provider"]
        if "count" not in metric or "failureLimit" not in metric:
            yield Fault("analysis", where, f"{name} is not bounded: count and failureLimit")
        if "prometheus" not in provider:
            if "activeDeadlineSeconds" not in provider["job"]["spec"]:
                yield Fault("analysis", where, f"{name} may run for ever")
            continue
        good = metric.get("successCondition", "")
        if "len(result)" not in good:
            yield Fault("analysis", where, f"{name} does not say what no data means")
        elif "len(result) > 0" not in good and "isNaN(result[0])" not in good:
            yield Fault("analysis", where, f"{name} takes NaN for a number")
        query = provider["prometheus"]["query"]
        asked = set(re.findall(r"\b([a-z_]+?)(?:_count|_bucket|_sum)\{", query))
        for unknown in sorted(asked - {code.metric}):
            yield Fault("analysis", where, f"{name} asks for {unknown}, which no service has")
        if asked and "requests-min" not in query:
            yield Fault("analysis", where, f"{name} judges by a handful of requests")


def _autoscaler(environment: Environment, scaler: Body) -> Iterator[Fault]:
    where, spec = environment.where(scaler), scaler["spec"]
    goals = [m["resource"]["target"].get("averageUtilization") for m in spec["metrics"]]
    if goals != [TARGET_PERCENT]:
        yield Fault("autoscaler", where, f"scales at {goals} instead of {TARGET_PERCENT} % cpu")
    behaviour = spec.get("behavior") or {}
    if (behaviour.get("scaleUp") or {}).get("stabilizationWindowSeconds") != 0:
        yield Fault("autoscaler", where, "hesitates to grow")
    if (behaviour.get("scaleDown") or {}).get("stabilizationWindowSeconds", 0) < CALM_SECONDS:
        yield Fault("autoscaler", where, "shrinks too soon")
    least = PROD_REPLICAS_MIN if environment.name == "prod" else 1
    if not least <= spec["minReplicas"] <= spec["maxReplicas"]:
        yield Fault("autoscaler", where, f"its bounds must be at least {least} and in order")


def _project(environment: Environment, tree: Tree) -> Iterator[Fault]:
    """Argo CD refuses a kind that the project does not list, in the middle of a release."""
    project = _argocd(tree, "AppProject", f"railgate-{environment.name}")
    if project is None:
        yield Fault("project", "argocd", f"there is no AppProject railgate-{environment.name}")
        return
    spec = project["spec"]
    listed = {
        (one["group"], one["kind"])
        for one in spec["clusterResourceWhitelist"] + spec["namespaceResourceWhitelist"]
    }
    used = {(_group(body), body["kind"]) for body in environment.objects}
    for group, kind in sorted(used - listed):
        yield Fault("project", f"argocd: {name_of(project)}", f"does not allow {group} {kind}")
    for group, kind in sorted(listed - used):
        what = f"allows {group} {kind}, which nothing uses"
        yield Fault("project", f"argocd: {name_of(project)}", what)


def _group(body: Body) -> str:
    return str(body["apiVersion"]).rpartition("/")[0]


def _argocd(tree: Tree, kind: str, name: str) -> Body | None:
    return next((b for b in tree.argocd if b["kind"] == kind and name_of(b) == name), None)


def _hours(tree: Tree) -> Iterator[Fault]:
    project = _argocd(tree, "AppProject", "railgate-prod") or {"spec": {}}
    denied = {
        (window["schedule"], window["duration"])
        for window in project["spec"].get("syncWindows", [])
        if window["kind"] == "deny"
        and window.get("timeZone") == "Asia/Dhaka"
        and window.get("applications") == ["*"]
        and not window.get("manualSync")
    }
    for schedule, duration in sorted(HOURS - denied):
        what = f"production may change in the sales hours ({schedule} for {duration}, Dhaka time)"
        yield Fault("hours", "argocd: railgate-prod", what)


def _rotation_hours(environment: Environment) -> Iterator[Fault]:
    """A new secret restarts its service; External Secrets reads its hours in UTC."""
    for secret in environment.of_kind("ExternalSecret"):
        if environment.name != "prod" or secret["spec"].get("refreshPolicy") != "Periodic":
            continue
        asked = secret["spec"].get("syncWindows") or {"kind": "", "windows": []}
        denied = {(one["schedule"], one["duration"]) for one in asked["windows"]}
        if asked["kind"] != "deny" or not denied >= HOURS_UTC:
            yield Fault("hours", environment.where(secret), "may rotate in the sales hours")


def _application_sets(tree: Tree) -> Iterator[Fault]:
    for body in (one for one in tree.argocd if one["kind"] == "ApplicationSet"):
        where, spec = f"argocd: {name_of(body)}", body["spec"]
        options = spec.get("goTemplateOptions", [])
        if not spec.get("goTemplate") or "missingkey=error" not in options:
            yield Fault("application-set", where, "a misspelt parameter would render as nothing")
        annotations = spec["template"]["metadata"].get("annotations") or {}
        if "argocd.argoproj.io/manifest-generate-paths" not in annotations:
            yield Fault("application-set", where, "every commit would refresh every Application")
        for revision in _add_on_versions(body):
            if not PINNED.match(str(revision)):
                yield Fault("pinned", where, f"{revision!r} is no version")
    yield from _services_set(tree)


def _add_on_versions(body: Body) -> Iterator[str]:
    for generator in body["spec"]["generators"]:
        for inner in generator["matrix"]["generators"]:
            for element in (inner.get("list") or {}).get("elements", []):
                if "source" in element:
                    yield element["source"]["targetRevision"]


def _services_set(tree: Tree) -> Iterator[Fault]:
    where = "argocd: services"
    body = _argocd(tree, "ApplicationSet", "services")
    if body is None:
        yield Fault("application-set", where, "there is no ApplicationSet of the services")
        return
    lists = body["spec"]["generators"][0]["matrix"]["generators"][0]["list"]["elements"]
    named = {element["environment"] for element in lists}
    for missing in sorted(set(tree.environments) ^ named):
        yield Fault("application-set", where, f"{missing} is here or there, not in both")
    ignored = body["spec"]["template"]["spec"].get("ignoreDifferences", [])
    pointers = {pointer for one in ignored for pointer in one.get("jsonPointers", [])}
    for wanted in sorted({HASH_POINTER, "/spec/replicas"} - pointers):
        yield Fault("application-set", where, f"would take {wanted} for drift")
    if any("containers" in pointer for pointer in pointers):
        yield Fault("application-set", where, "a pointer into containers freezes their images")


def _order(tree: Tree) -> Iterator[Fault]:
    """Add-ons before services: Argo CD waits between waves for what it can tell the health of."""
    settings = _argocd(tree, "ConfigMap", "argocd-cm")
    platform = _argocd(tree, "ApplicationSet", "platform")
    services = _argocd(tree, "ApplicationSet", "services")
    if settings is None or platform is None or services is None:
        yield Fault("order", "argocd", "lacks its settings, its add-ons or its services")
        return
    for kind in ("Application", "ApplicationSet"):
        if f"{HEALTH}{kind}" not in settings["data"]:
            yield Fault("order", "argocd: argocd-cm", f"cannot tell whether an {kind} is well")
    if not wave_of(settings) < wave_of(platform) < wave_of(services):
        yield Fault("order", "argocd", "settings, add-ons and services do not come in this order")
    if (platform["metadata"].get("labels") or {}).get(WAITED_FOR) != "true":
        yield Fault("order", "argocd: platform", "services would not wait for the add-ons")
    if WAITED_FOR in (services["metadata"].get("labels") or {}):
        what = "one sick service would hold up everything that Argo CD is told"
        yield Fault("order", "argocd: services", what)


def _people(tree: Tree) -> Iterator[Fault]:
    """Somebody can sign in, and who may act can see what he acts on."""
    data = (_argocd(tree, "ConfigMap", "argocd-cm") or {"data": {}})["data"]
    if data.get("admin.enabled") == "false" and not {"oidc.config", "dex.config"} & set(data):
        what = "nobody can sign in: neither a password nor an identity provider"
        yield Fault("people", "argocd: argocd-cm", what)
    for project in (body for body in tree.argocd if body["kind"] == "AppProject"):
        for role in project["spec"].get("roles", []):
            rights = {tuple(policy.split(", ")[2:4]) for policy in role["policies"]}
            if ("applications", "get") not in rights:
                what = f"{role['name']} may act on Applications and see none"
                yield Fault("people", f"argocd: {name_of(project)}", what)
