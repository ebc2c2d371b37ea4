"""
The last door of an environment: what its admission policies let in is what Git has, and what the
pipeline signs. A policy that lets everything in, or not even our own, is a fault.
"""

import fnmatch
import re
from collections.abc import Iterator

from ci.manifests.faults import Fault
from ci.manifests.rendering import ROOT, Body, Environment, Tree, add_ons, selects

ISSUER = "https://token.actions.githubusercontent.com"
SIGNER = re.compile(
    r"^https://github\.com/[\w.-]+/[\w.-]+/(?P<workflow>\.github/workflows/[\w-]+\.yml)"
    r"@refs/heads/main$"
)
# Chart 3.9 is Kyverno 1.19, the first to enforce `verifyDigest`.
CHART_MIN = (3, 9)
PODS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}


def check_admission(tree: Tree) -> Iterator[Fault]:
    version = (add_ons(tree).get("kyverno") or {}).get("targetRevision", "0.0.0")
    if tuple(map(int, version.split(".")[:2])) < CHART_MIN:
        yield Fault(
            "admission", "argocd: platform", f"Kyverno's chart {version} is too old or none"
        )
    for environment in tree.environments.values():
        signed = environment.of_kind("ImageValidatingPolicy")
        hardened = environment.of_kind("ValidatingPolicy")
        for kind, found in (("signature", signed), ("hardening", hardened)):
            if not found:
                yield Fault("admission", environment.name, f"no policy asks pods for {kind}")
        for policy in signed + hardened:
            yield from _door(environment, policy)
        for policy in signed:
            yield from _signature(environment, policy)
        yield from _images(environment, signed)


def _door(environment: Environment, policy: Body) -> Iterator[Fault]:
    where, spec = environment.where(policy), policy["spec"]
    if spec.get("failurePolicy") != "Fail" or spec.get("validationActions") != ["Deny"]:
        yield Fault("admission", where, "lets in what it cannot judge, or only writes it down")
    constraints = spec["matchConstraints"]
    rules = constraints.get("resourceRules", [])
    if not any(
        all(rule.get(key) == value for key, value in PODS.items())
        and set(rule["operations"]) == {"CREATE", "UPDATE"}
        for rule in rules
    ):
        yield Fault("admission", where, "does not look at every pod that is made or changed")
    for namespace in environment.of_kind("Namespace"):
        labels = namespace["metadata"].get("labels") or {}
        if not selects(constraints.get("namespaceSelector"), labels):
            yield Fault("admission", where, "does not look at this environment's namespace")


def _signature(environment: Environment, policy: Body) -> Iterator[Fault]:
    where, spec = environment.where(policy), policy["spec"]
    wanted = {"mutateDigest": False, "verifyDigest": True, "required": True}
    if spec.get("validationConfigurations") != wanted:
        yield Fault("admission", where, "must demand a digest, and write in none")
    identities = [
        identity
        for attestor in spec["attestors"]
        for identity in ((attestor.get("cosign") or {}).get("keyless") or {}).get("identities", [])
    ]
    for identity in identities:
        signer = SIGNER.match(identity.get("subject", ""))
        if identity.get("issuer") != ISSUER or signer is None:
            yield Fault("admission", where, "trusts another signer than a workflow on main")
        elif "publish.sh" not in _read(signer["workflow"]):
            yield Fault("admission", where, f"trusts {signer['workflow']}, which signs nothing")
    if not identities:
        yield Fault("admission", where, "names nobody whose signature counts")
    asked = " ".join(one["expression"] for one in spec["validations"])
    for part in ("images.containers", "images.initContainers", "verifyImageSignatures"):
        if part not in asked:
            yield Fault("admission", where, f"does not ask for {part}")


def _read(path: str) -> str:
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""


def _images(environment: Environment, policies: list[Body]) -> Iterator[Fault]:
    """An image that no reference matches counts as unsigned: every one of ours must match."""
    globs = {
        reference["glob"]
        for policy in policies
        for reference in policy["spec"]["matchImageReferences"]
    }
    for pod in environment.pods():
        for container in pod.containers:
            image = container.get("image", "")
            if globs and not any(fnmatch.fnmatchcase(image, glob) for glob in globs):
                yield Fault(
                    "admission", pod.where, f"{image.partition('@')[0]} would not be let in"
                )
    if any(glob.startswith("*") for glob in globs):
        yield Fault("admission", environment.name, "images of every registry are let in if signed")
