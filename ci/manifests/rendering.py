"""
The tree as Kustomize renders it: every folder of every environment, and what Argo CD is told.
Rendered objects are plain dictionaries, so that a test can plant a fault in them.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
NOT_RENDERED = {"environment"}
Body = dict[str, Any]

WITHOUT_KUBECTL = """\
`kubectl` is not on this machine: NOTHING WAS RENDERED AND NOTHING CHECKED.
Get it from https://kubernetes.io/docs/tasks/tools/ (any version from 1.32 on), for example
  curl -LO https://dl.k8s.io/release/v1.35.0/bin/linux/amd64/kubectl
  install kubectl ~/.local/bin/
"""


class CannotRender(Exception):
    """Kustomize refused a folder."""


@dataclass(frozen=True)
class PodTemplate:
    """A pod as some object makes it; `wave` is the object's, `kind` the object's kind."""

    folder: str
    kind: str
    name: str
    labels: dict[str, str]
    spec: Body
    wave: int
    is_hook: bool = False

    @property
    def where(self) -> str:
        return f"{self.folder}: {self.kind} {self.name}"

    @property
    def service(self) -> str:
        return self.labels.get("app.kubernetes.io/name", "")

    @property
    def part(self) -> str:
        return self.labels.get("app.kubernetes.io/component", "")

    @property
    def containers(self) -> list[Body]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


@dataclass
class Environment:
    name: str
    folders: dict[str, list[Body]]

    @property
    def objects(self) -> list[Body]:
        return [body for bodies in self.folders.values() for body in bodies]

    def of_kind(self, *kinds: str) -> list[Body]:
        return [body for body in self.objects if body["kind"] in kinds]

    def named(self, kind: str, name: str) -> Body | None:
        found = (body for body in self.of_kind(kind) if name_of(body) == name)
        return next(found, None)

    def where(self, body: Body) -> str:
        home = next(
            (name for name, bodies in self.folders.items() if any(b is body for b in bodies)), "?"
        )
        return f"{self.name}/{home}: {body['kind']} {name_of(body)}"

    def pods(self) -> Iterator[PodTemplate]:
        for folder, bodies in self.folders.items():
            for body in bodies:
                yield from _pods_of(f"{self.name}/{folder}", body)


@dataclass
class Tree:
    environments: dict[str, Environment]
    argocd: list[Body] = field(default_factory=list)


def name_of(body: Body) -> str:
    return str(body["metadata"]["name"])


def add_ons(tree: Tree) -> dict[str, Body]:
    """Name -> source of what every cluster gets."""
    return {
        element["name"]: element["source"]
        for body in tree.argocd
        if body["kind"] == "ApplicationSet" and name_of(body) == "platform"
        for generator in body["spec"]["generators"]
        for inner in generator["matrix"]["generators"]
        for element in (inner.get("list") or {}).get("elements", [])
        if "source" in element
    }


def wave_of(body: Body) -> int:
    annotations = body["metadata"].get("annotations") or {}
    return int(annotations.get("argocd.argoproj.io/sync-wave", "0"))


def kubectl() -> str | None:
    return shutil.which("kubectl")


def render(folder: Path) -> list[Body]:
    """
    Raises:
        CannotRender: with Kustomize's own words.
    """
    command = [kubectl() or "kubectl", "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise CannotRender(f"{folder}: {done.stderr.strip()}")
    return [body for body in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if body]


def folders_of(environment: Path) -> list[Path]:
    """
    Each is an Application: Argo CD takes every folder, so none may be without a kustomization.

    Raises:
        CannotRender: one is.
    """
    found = sorted(path for path in environment.iterdir() if path.is_dir())
    for path in found:
        if not (path / "kustomization.yaml").exists():
            raise CannotRender(f"{path} has no kustomization.yaml, and Argo CD would deploy it.")
    return [path for path in found if path.name not in NOT_RENDERED]


def environments_of(gitops: Path) -> list[Path]:
    outside = {"base", "components"}
    return sorted(p for p in (gitops / "envs").iterdir() if p.is_dir() and p.name not in outside)


def render_tree(gitops: Path) -> Tree:
    homes = [folder for env in environments_of(gitops) for folder in folders_of(env)]
    with ThreadPoolExecutor(4) as pool:
        argocd = pool.submit(render, gitops / "argocd")
        rendered = dict(zip(homes, pool.map(render, homes), strict=True))
    environments = {
        env.name: Environment(env.name, {home.name: rendered[home] for home in folders_of(env)})
        for env in environments_of(gitops)
    }
    return Tree(environments, argocd.result())


def _pods_of(folder: str, body: Body) -> Iterator[PodTemplate]:
    kind, name = body["kind"], name_of(body)
    annotations = body["metadata"].get("annotations") or {}
    if kind in {"Rollout", "Deployment", "Job"}:
        template = body["spec"]["template"]
        is_hook = "argocd.argoproj.io/hook" in annotations
        labels = template["metadata"].get("labels") or {}
        yield PodTemplate(folder, kind, name, labels, template["spec"], wave_of(body), is_hook)
    if kind == "AnalysisTemplate":
        for metric in body["spec"]["metrics"]:
            job = metric["provider"].get("job")
            if job:
                template = job["spec"]["template"]
                labels = template["metadata"].get("labels") or {}
                yield PodTemplate(folder, kind, name, labels, template["spec"], wave_of(body))


def selects(selector: Body | None, labels: dict[str, str]) -> bool:
    """A label selector as Kubernetes reads it; an empty one selects everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_expression_holds(one, labels) for one in selector.get("matchExpressions") or [])


def _expression_holds(expression: Body, labels: dict[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None


def texts(value: object) -> Iterator[str]:
    """Every string in an object, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def seconds(duration: str | int) -> int:
    """'1m30s' as Kubernetes and Argo write durations."""
    if isinstance(duration, int):
        return duration
    units = {"h": 3600, "m": 60, "s": 1, "": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([hms]?)", duration))


def cpu(quantity: str | int) -> float:
    """'500m' as Kubernetes writes processors."""
    said = str(quantity)
    return float(said[:-1]) / 1000 if said.endswith("m") else float(said)
