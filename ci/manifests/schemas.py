"""
Every object against the strict schema of its kind: from the folders in SCHEMAS, else with
kubeconform from the public catalogues. Which of them was used is said; none is a failure.
"""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import jsonschema_rs
import yaml
from ci.manifests.faults import Fault
from ci.manifests.rendering import ROOT, Body, Environment, Tree, name_of

CORE = "kubernetes/v1.35.0-standalone-strict"
CATALOGUE = (
    "https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/"
    "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
)
# Kinds of add-ons that no folder of schemas has; any other kind without one is a fault.
WITHOUT_SCHEMA = {"BackendTrafficPolicy", "ClientTrafficPolicy", "EnvoyProxy"}


class Schemas:
    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = list(folders)

    def knows(self, body: Body) -> bool:
        return self._validator(body["apiVersion"], body["kind"]) is not None

    def faults(self, where: str, body: Body) -> Iterator[Fault]:
        validator = self._validator(body["apiVersion"], body["kind"])
        if validator is None:
            if body["kind"] not in WITHOUT_SCHEMA:
                yield Fault("schema", where, f"no schema of {body['apiVersion']} is known")
            return
        for error in validator.iter_errors(body):
            place = "/".join(map(str, error.instance_path))
            yield Fault("schema", where, f"{place}: {error.message[:300]}")
        if body["kind"] == "Rollout":
            yield from self._as_deployment(where, body)

    def _as_deployment(self, where: str, body: Body) -> Iterator[Fault]:
        """Rollout's own schema leaves much of a pod open; Deployment's does not."""
        spec = {key: body["spec"].get(key) for key in ("selector", "template")}
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name_of(body)},
            "spec": spec,
        }
        yield from self.faults(where, deployment)

    @functools.cache  # noqa: B019 - one object lives as long as the program
    def _validator(self, api_version: str, kind: str) -> jsonschema_rs.Validator | None:
        group, _, version = api_version.rpartition("/")
        first = f"-{group.split('.')[0]}" if group else ""
        names = (
            f"{CORE}/{kind.lower()}{first}-{version}.json",
            f"crds/{group}/{kind.lower()}_{version}.json",
        )
        for path in (folder / name for folder in self._folders for name in names):
            if path.exists():
                schema = json.loads(path.read_text())
                return jsonschema_rs.validator_for(schema, validate_formats=False)
        return None


def folders() -> list[Path]:
    """SCHEMAS may name several folders, as PATH does."""
    named = os.environ.get("SCHEMAS") or str(ROOT.parent / "shared" / "schemas")
    return [Path(name) for name in named.split(os.pathsep) if Path(name).is_dir()]


def labelled(tree: Tree) -> Iterator[tuple[str, Body]]:
    for environment in tree.environments.values():
        for body in environment.objects:
            yield environment.where(body), body
    argocd = Environment("argocd", {"": tree.argocd})
    for body in tree.argocd:
        yield argocd.where(body), body


def check_schemas(tree: Tree) -> tuple[str, list[Fault]]:
    """Say what the objects were checked against, and what is wrong with them."""
    found = folders()
    if found:
        schemas = Schemas(found)
        faults = [fault for where, body in labelled(tree) for fault in schemas.faults(where, body)]
        unknown = sorted({b["kind"] for _, b in labelled(tree) if not schemas.knows(b)})
        against = f"Schemas: from {', '.join(map(str, found))}"
        against += f"; NONE OF {', '.join(unknown)}." if unknown else "."
        return against, faults
    if shutil.which("kubeconform"):
        return "Schemas: from the public catalogues, with kubeconform.", list(_kubeconform(tree))
    loud = "SCHEMAS WERE NOT CHECKED: set SCHEMAS to a folder of them, or install kubeconform."
    if os.environ.get("ALLOW_NO_SCHEMAS") == "1":
        return f"{loud} (ALLOW_NO_SCHEMAS=1 lets it pass.)", []
    return loud, [Fault("schema", "SCHEMAS", "there is nothing to check the objects against")]


def _kubeconform(tree: Tree) -> Iterator[Fault]:
    objects = yaml.safe_dump_all([body for _, body in labelled(tree)])
    command = ["kubeconform", "-strict", "-kubernetes-version", "1.35.0", "-output", "json"]
    command += ["-skip", ",".join(sorted(WITHOUT_SCHEMA))]
    command += ["-schema-location", "default", "-schema-location", CATALOGUE]
    done = subprocess.run(command, input=objects, capture_output=True, text=True, check=False)
    try:
        resources = json.loads(done.stdout).get("resources") or []
    except ValueError:
        yield Fault("schema", "kubeconform", (done.stderr or done.stdout).strip()[:500])
        return
    for one in resources:
        yield Fault("schema", f"{one.get('kind')} {one.get('name')}", str(one.get("msg")))
