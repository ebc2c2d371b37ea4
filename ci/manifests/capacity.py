"""
Production beside the opening that was measured: the pods that stand there before it can use the
cores that the published run asks for, and the autoscaler may go there within its own goal.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ci.manifests.delivery import TARGET_PERCENT
from ci.manifests.faults import Fault
from ci.manifests.rendering import ROOT, Environment, Tree, cpu

MEASURED = Path("loadtest", "results", "opening.md")
ROW = re.compile(r"^\| (?P<service>\w+) \|.*\| (?P<cores>[\d.]+) \| replicas \|$", re.MULTILINE)


def check_capacity(tree: Tree, root: Path = ROOT) -> Iterator[Fault]:
    environment = tree.environments.get("prod")
    path = root / MEASURED
    measured = measured_cores(path.read_text() if path.exists() else "")
    if not measured:
        yield Fault("capacity", MEASURED.as_posix(), "does not say how many cores a service takes")
    for service, cores in measured.items() if environment else ():
        yield from _bounds(environment, service, cores)


def measured_cores(text: str) -> dict[str, float]:
    """Of each part that grows by replicas, with room: the run says how busy they then are."""
    return {row["service"]: float(row["cores"]) for row in ROW.finditer(text)}


def _bounds(environment: Environment, service: str, cores: float) -> Iterator[Fault]:
    scaler = environment.named("HorizontalPodAutoscaler", service)
    rollout = environment.named("Rollout", service)
    if scaler is None or rollout is None:
        yield Fault("capacity", environment.name, f"{service} was measured and is not here")
        return
    container = rollout["spec"]["template"]["spec"]["containers"][0]
    given = {one["name"]: one.get("value", "") for one in container["env"]}
    where, spec = environment.where(scaler), scaler["spec"]
    # An interpreter runs on one core at a time.
    at_once = spec["minReplicas"] * int(given["WEB_WORKERS"])
    if at_once < cores:
        what = f"its smallest number can use {at_once} cores, the opening takes {cores:g}"
        yield Fault("capacity", where, what)
    goal = cpu(container["resources"]["requests"]["cpu"]) * TARGET_PERCENT / 100
    at_most = spec["maxReplicas"] * goal
    if at_most < cores:
        what = f"is at its bound with {at_most:g} cores, the opening takes {cores:g}"
        yield Fault("capacity", where, what)
