"""What no manifest may lack or contain: restricted pods, digests, limits, probes, no secret."""

import re
from collections.abc import Iterator

from ci.manifests.faults import Fault
from ci.manifests.rendering import Body, Environment, PodTemplate, Tree, name_of, texts

DIGEST = re.compile(r"^[^@:]+(:\d+/[^@:]+)?@sha256:[0-9a-f]{64}$")
NEVER_RELEASED = "0" * 64
SECRET_NAME = re.compile(r"(?i)(^|_)(KEY|SECRET|PASSWORD|TOKEN)$|^(MIGRATION_)?DATABASE_URL$")
SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|://[^/\s:@]+:[^/\s@]+@|AKIA[0-9A-Z]{16}|\beyJ[\w-]{20,}\."
)
LEVELS = ("enforce", "audit", "warn")
HOST = ("hostNetwork", "hostPID", "hostIPC")


def check_policy(tree: Tree) -> Iterator[Fault]:
    for environment in tree.environments.values():
        for pod in environment.pods():
            yield from _pod(pod)
            yield from _probes(pod)
            for container in pod.containers:
                yield from _container(pod, container)
                yield from _image(pod, container)
                yield from _resources(pod, container)
        for body in environment.objects:
            yield from _secrets(environment.where(body), body)
        yield from _namespaces(environment)
        yield from _replicas(environment)
    for body in tree.argocd:
        yield from _secrets(f"argocd: {body['kind']} {name_of(body)}", body)


def never_released(tree: Tree) -> list[str]:
    """Where the digest is still the placeholder of sixty-four zeros."""
    return [
        pod.folder
        for environment in tree.environments.values()
        for pod in environment.pods()
        if pod.kind in {"Rollout", "Deployment"}
        and pod.part != "worker"
        and NEVER_RELEASED in pod.spec["containers"][0].get("image", "")
    ]


def _pod(pod: PodTemplate) -> Iterator[Fault]:
    context = pod.spec.get("securityContext") or {}
    user = context.get("runAsUser")
    if context.get("runAsNonRoot") is not True or not isinstance(user, int) or user == 0:
        yield Fault("restricted", pod.where, "must run as a numeric user that is not root")
    if (context.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
        yield Fault("restricted", pod.where, "has no seccomp profile")
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield Fault("restricted", pod.where, "mounts a token of the API server")
    if pod.spec.get("enableServiceLinks") is not False:
        yield Fault("restricted", pod.where, "gets every Service as environment variables")
    if any(pod.spec.get(name) for name in HOST):
        yield Fault("restricted", pod.where, "shares a namespace of its node")
    for volume in pod.spec.get("volumes", []):
        if not {"emptyDir", "configMap", "secret"} & set(volume):
            yield Fault("restricted", pod.where, f"the volume {volume['name']} is of no safe kind")


def _container(pod: PodTemplate, container: Body) -> Iterator[Fault]:
    context = container.get("securityContext") or {}
    name = container["name"]
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield Fault("restricted", pod.where, f"{name} may gain privileges")
    capabilities = context.get("capabilities") or {}
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield Fault("restricted", pod.where, f"{name} does not drop all capabilities")
    if context.get("readOnlyRootFilesystem") is not True:
        yield Fault("restricted", pod.where, f"{name} can write to its image's files")
    mounted = {mount["mountPath"] for mount in container.get("volumeMounts", [])}
    if "/tmp" not in mounted:
        yield Fault("restricted", pod.where, f"{name} has no writable /tmp")
    for variable in container.get("env", []):
        if variable["name"] == "PROMETHEUS_MULTIPROC_DIR" and variable["value"] not in mounted:
            yield Fault("restricted", pod.where, f"{name} cannot write its metrics")


def _image(pod: PodTemplate, container: Body) -> Iterator[Fault]:
    image = container.get("image", "")
    if not DIGEST.match(image):
        yield Fault("digest", pod.where, f"{image or 'no image'} is not named by digest alone")


def _resources(pod: PodTemplate, container: Body) -> Iterator[Fault]:
    resources = container.get("resources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    if not {"cpu", "memory"} <= set(requests) or "memory" not in limits:
        what = f"{container['name']} must request cpu and memory and limit memory"
        yield Fault("resources", pod.where, what)


def _probes(pod: PodTemplate) -> Iterator[Fault]:
    if pod.kind not in {"Rollout", "Deployment"}:
        return
    for container in pod.spec["containers"]:
        wanted = ["startupProbe", "livenessProbe"]
        wanted += ["readinessProbe"] if container.get("ports") else []
        for probe in wanted:
            if probe not in container:
                yield Fault("probes", pod.where, f"{container['name']} has no {probe}")
        asked = [_what(container.get(p)) for p in ("readinessProbe", "livenessProbe")]
        if asked[0] and asked[0] == asked[1]:
            what = "readiness and liveness ask the same: a slow database would restart all pods"
            yield Fault("probes", pod.where, what)


def _what(probe: Body | None) -> str:
    """What a probe asks, without how often."""
    asked = {k: v for k, v in (probe or {}).items() if k in {"httpGet", "tcpSocket", "exec"}}
    return str(asked) if asked else ""


def _secrets(where: str, body: Body) -> Iterator[Fault]:
    if body["kind"] == "Secret":
        yield Fault("secret-in-git", where, "a Secret has no place in Git: use an ExternalSecret")
    entries = dict(body.get("data") or {}) if body["kind"] == "ConfigMap" else {}
    for text in texts(body):
        if SECRET_TEXT.search(text):
            yield Fault("secret-in-git", where, "a text in it looks like a key or a password")
    for variable in _variables(body):
        entries[variable["name"]] = variable.get("value", "")
    for name, value in entries.items():
        if value and SECRET_NAME.search(name):
            yield Fault("secret-in-git", where, f"{name} has its value here")


def _variables(value: object) -> Iterator[Body]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "env" and isinstance(inner, list):
                yield from (v for v in inner if isinstance(v, dict) and "name" in v)
            yield from _variables(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _variables(inner)


def _namespaces(environment: Environment) -> Iterator[Fault]:
    for namespace in environment.of_kind("Namespace"):
        labels = namespace["metadata"].get("labels") or {}
        for level in LEVELS:
            if labels.get(f"pod-security.kubernetes.io/{level}") != "restricted":
                where = environment.where(namespace)
                yield Fault("restricted", where, f"does not {level} Pod Security restricted")


def _replicas(environment: Environment) -> Iterator[Fault]:
    for scaler in environment.of_kind("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        scaled = environment.named(target["kind"], target["name"])
        if scaled is not None and "replicas" in scaled["spec"]:
            where = environment.where(scaled)
            yield Fault("replicas", where, "the autoscaler owns the number, Git must not name it")
