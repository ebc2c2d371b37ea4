"""
All checks of the infrastructure, one after the other; what could not be compared is said. The plans
are kept beside the hash of what they were made from, so that tests need not make them again.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from ci.infrastructure.fit import check_fit
from ci.infrastructure.policy import check_policy
from ci.infrastructure.terraform import Plan, Resource, Terraform, Values
from ci.manifests.code import read_code
from ci.manifests.faults import Fault
from ci.manifests.rendering import ROOT, CannotRender, kubectl, render_tree

WORK = ROOT / "build" / "terraform"
PLANNED = ("bootstrap", "account", "envs/dev", "envs/staging", "envs/prod")
WITHOUT_KUBECTL = "`kubectl` is not on this machine: NOT CHECKED beside gitops."


@dataclass
class Verdict:
    said: list[str]
    faults: list[Fault]


class CannotPlan(Exception):
    """Terraform finds faults, so there is no plan to look at."""


def check_all(root: Path = ROOT, work: Path = WORK) -> Verdict:
    """
    Raises:
        NothingChecked: there is no Terraform, or no provider.
    """
    checked = Terraform(root / "terraform", work).check()
    faults = [fault for one in checked.values() for fault in one.faults]
    plans = {name: one.plan for name, one in checked.items() if one.plan}
    tests = sum(one.tests for one in checked.values())
    said = [f"{len(checked) - 1} roots laid out, initialised and validated; {tests} tests"]
    said += [f"{name}: {len(plan.resources)} resources" for name, plan in plans.items()]
    # Where Terraform itself finds a fault, what it would plan says nothing yet.
    faults = faults or unplanned(plans)
    if not faults:
        keep_plans(plans, root, work)
        faults += check_policy(plans)
        faults += _beside_gitops(root, plans, said)
    return Verdict(said, sorted(set(faults)))


def unplanned(plans: dict[str, Plan]) -> list[Fault]:
    """A rule says nothing of a root that it does not see."""
    said = "no test named `whole` has planned it"
    return [Fault("every-root", root, said) for root in PLANNED if root not in plans]


def _beside_gitops(root: Path, plans: dict[str, Plan], said: list[str]) -> list[Fault]:
    if kubectl() is None:
        said.append(WITHOUT_KUBECTL)
        return []
    try:
        tree = render_tree(root / "gitops")
    except CannotRender as why:
        return [Fault("gitops", "gitops", str(why))]
    said.append(f"Compared with {', '.join(tree.environments)} of gitops and with the code")
    return list(check_fit(plans, tree, read_code(root)))


def plans_of(root: Path = ROOT, work: Path = WORK) -> dict[str, Plan]:
    """
    The plans of this very code: those that are kept, else made anew.

    Raises:
        NothingChecked: there is no Terraform, or no provider.
        CannotPlan: with the first fault.
    """
    if (kept := _file(root, work)).exists():
        return read_plans(kept)
    checked = Terraform(root / "terraform", work).check(PLANNED)
    plans = {name: one.plan for name, one in checked.items() if one.plan}
    if faults := [fault for one in checked.values() for fault in one.faults] or unplanned(plans):
        raise CannotPlan(str(faults[0]))
    keep_plans(plans, root, work)
    return plans


def keep_plans(plans: dict[str, Plan], root: Path, work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    for old in work.glob("plans-*.json"):
        old.unlink()
    written = {
        name: {
            "resources": [[one.address, one.kind, one.values] for one in plan.resources],
            "outputs": plan.outputs,
        }
        for name, plan in plans.items()
    }
    _file(root, work).write_text(json.dumps(written))


def read_plans(path: Path) -> dict[str, Plan]:
    return {
        name: Plan(
            name,
            [Resource(name, a, kind, Values(values)) for a, kind, values in body["resources"]],
            body["outputs"],
        )
        for name, body in json.loads(path.read_text()).items()
    }


def _file(root: Path, work: Path) -> Path:
    digest = hashlib.sha256()
    for path in sorted((root / "terraform").rglob("*")):
        if path.suffix in {".tf", ".hcl", ".yaml"} and ".terraform" not in path.parts:
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return work / f"plans-{digest.hexdigest()[:16]}.json"
