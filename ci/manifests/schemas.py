"""
Every object against the strict schema of its kind: from the folders in SCHEMAS, else with
kubeconform from the public catalogues. Which of them was used is said; none is a failure. The few
kinds that neither has are described in envoy_gateway.yaml.
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
from ci.manifests.rendering import Body, Environment, Tree, name_of

CORE = "kubernetes/v1.35.0-standalone-strict"
CATALOGUE = (
    "https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/"
    "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
)
DESCRIBED_HERE = Path(__file__).with_name("envoy_gateway.yaml")
ENVOY_GATEWAY = "gateway.envoyproxy.io/v1alpha1"


class Schemas:
    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = list(folders)

    def faults(self, where: str, body: Body) -> Iterator[Fault]:
        validator = self._validator(body["apiVersion"], body["kind"])
        if validator is None:
            yield Fault("schema", where, f"no schema of {body['apiVersion']} is known")
            return
        yield from _broken(validator, where, body)
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
        if own := own_validator(api_version, kind):
            return own
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


def _broken(validator: jsonschema_rs.Validator, where: str, body: Body) -> Iterator[Fault]:
    for error in validator.iter_errors(body):
        place = "/".join(map(str, error.instance_path))
        yield Fault("schema", where, f"{place}: {error.message[:300]}")


@functools.cache
def own_validator(api_version: str, kind: str) -> jsonschema_rs.Validator | None:
    described = yaml.safe_load(DESCRIBED_HERE.read_text())
    if api_version != ENVOY_GATEWAY or kind not in described["kinds"]:
        return None
    schema = {
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": api_version},
            "kind": {"const": kind},
            "metadata": {"$ref": "#/definitions/metadata"},
            "spec": {"type": "object"} | described["kinds"][kind],
        },
        "additionalProperties": False,
        "definitions": described["definitions"],
    }
    return jsonschema_rs.validator_for(schema, validate_formats=False)


def folders() -> list[Path]:
    """SCHEMAS may name several folders, as PATH does."""
    named = os.environ.get("SCHEMAS", "").split(os.pathsep)
    return [Path(name) for name in named if name and Path(name).is_dir()]


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
        return f"Schemas: from {', '.join(map(str, found))}; Envoy Gateway's are our own.", faults
    if shutil.which("kubeconform"):
        return "Schemas: from the public catalogues, with kubeconform.", list(_kubeconform(tree))
    loud = "SCHEMAS WERE NOT CHECKED: set SCHEMAS to a folder of them, or install kubeconform."
    if os.environ.get("ALLOW_NO_SCHEMAS") == "1":
        return f"{loud} (ALLOW_NO_SCHEMAS=1 lets it pass.)", []
    return loud, [Fault("schema", "SCHEMAS", "there is nothing to check the objects against")]


def _kubeconform(tree: Tree) -> Iterator[Fault]:
    others = []
    for where, body in labelled(tree):
        if own := own_validator(body["apiVersion"], body["kind"]):
            yield from _broken(own, where, body)
        else:
            others.append(body)
    objects = yaml.safe_dump_all(others)
    command = ["kubeconform", "-strict", "-kubernetes-version", "1.35.0", "-output", "json"]
    command += ["-schema-location", "default", "-schema-location", CATALOGUE]
    done = subprocess.run(command, input=objects, capture_output=True, text=True, check=False)
    try:
        resources = json.loads(done.stdout).get("resources") or []
    except ValueError:
        yield Fault("schema", "kubeconform", (done.stderr or done.stdout).strip()[:500])
        return
    for one in resources:
        yield Fault("schema", f"{one.get('kind')} {one.get('name')}", str(one.get("msg")))
