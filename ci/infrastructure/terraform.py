"""
Runs Terraform over the roots: layout, initialisation, validation and tests with a pretended AWS. A
test named `whole` plans an environment, and its plan is handed on, so that every rule can look at
every resource. Nothing here speaks to AWS or to a state.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci.infrastructure.installing import FOLDER as TOOLS
from ci.manifests.faults import Fault

ROOTS = (
    "bootstrap",
    "account",
    "envs/dev",
    "envs/staging",
    "envs/prod",
    "modules/platform",
)
# Two cores are enough for two; the provider is the heavy part.
AT_ONCE = 2
# Whose a thing is: the budgets and the limits of the pipeline's roles go by it.
ENVIRONMENT_TAG = "railgate:environment"
NO_PROVIDER = (
    "Failed to query available provider packages",
    "Failed to install provider",
    "no available releases match",
)
WITHOUT_TERRAFORM = """\
`terraform` is not on this machine: NOTHING WAS CHECKED of the infrastructure.
Any version from 1.11 on will do; `python3 -m ci.infrastructure.installing` fetches one."""
WITHOUT_PROVIDER = """\
Terraform could not get the AWS provider: NOTHING WAS CHECKED of the infrastructure.
TF_PLUGINS names a folder that has it, laid out as Terraform's own mirror; else the public registry
must be within reach."""


class NothingChecked(Exception):
    """There is no Terraform here, or no provider for it."""


class Values(dict[str, Any]):
    """What a plan leaves out, it leaves to AWS; asked for, it is None."""

    def __missing__(self, name: str) -> None:
        return None


@dataclass(frozen=True)
class Resource:
    """A resource as it is planned; what only AWS knows is pretended."""

    root: str
    address: str
    kind: str
    values: Values

    @property
    def where(self) -> str:
        return f"{self.root}: {self.address}"


@dataclass
class Plan:
    root: str
    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def of_kind(self, *kinds: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.kind in kinds]


@dataclass
class Checked:
    """The faults of one root, and its plan where a test made one."""

    faults: list[Fault]
    plan: Plan | None = None
    tests: int = 0


class Terraform:
    """
    Raises:
        NothingChecked: there is no program.
    """

    def __init__(self, folder: Path, work: Path, plugins: str | None = None) -> None:
        self.folder = folder
        self.work = work
        self.plugins = plugins if plugins is not None else os.environ.get("TF_PLUGINS", "")
        self.program = program()
        if self.program is None:
            raise NothingChecked(WITHOUT_TERRAFORM)

    def check(self, roots: tuple[str, ...] = ROOTS) -> dict[str, Checked]:
        """
        Raises:
            NothingChecked: there is no provider.
        """
        layout = {"": Checked(list(self.misshapen()))}
        # One after the other: they share a cache of providers, which only one may write to.
        broken = {root: self.initialised(root) for root in roots}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            judged = pool.map(lambda root: self.judged(root, broken[root]), roots)
            return layout | dict(zip(roots, judged, strict=True))

    def misshapen(self) -> Iterator[Fault]:
        ended = self._ran(self.folder, "", "fmt", "-check", "-recursive", "-no-color")
        for line in ended.stdout.split():
            yield Fault("layout", line, "is not laid out as `terraform fmt` would")
        if ended.returncode not in (0, 3):
            yield Fault("layout", "terraform", ended.stderr.strip()[-300:])

    def check_root(self, root: str) -> Checked:
        return self.judged(root, self.initialised(root))

    def judged(self, root: str, broken: Fault | None) -> Checked:
        if broken:
            return Checked([broken])
        if faults := list(self.invalid(root)):
            return Checked(faults)
        return self.tested(root)

    def initialised(self, root: str) -> Fault | None:
        """
        Raises:
            NothingChecked: there is no provider.
        """
        options = ["-backend=false", "-input=false", "-no-color"]
        options += [f"-plugin-dir={self.plugins}"] if self.plugins else []
        if (self.folder / root / ".terraform.lock.hcl").exists():
            options.append("-lockfile=readonly")
        ended = self._ran(self.folder / root, root, "init", *options)
        if ended.returncode == 0:
            return None
        said = " ".join(ended.stderr.split())
        if any(sign in said for sign in NO_PROVIDER):
            raise NothingChecked(WITHOUT_PROVIDER)
        return Fault("init", root, said[-300:])

    def invalid(self, root: str) -> Iterator[Fault]:
        """A test validates before it begins, so only a root without tests is asked by itself."""
        if any((self.folder / root / "tests").glob("*.tftest.hcl")):
            return
        said = json.loads(self._ran(self.folder / root, root, "validate", "-json").stdout)
        for diagnostic in said["diagnostics"]:
            yield _fault("validate", root, diagnostic)

    def tested(self, root: str) -> Checked:
        ended = self._ran(self.folder / root, root, "test", "-json", "-verbose")
        checked = Checked([])
        for line in ended.stdout.splitlines():
            message = json.loads(line)
            match message["type"]:
                case "diagnostic":
                    checked.faults.append(_fault("test", root, message["diagnostic"]))
                case "test_plan" if message.get("@testrun") == "whole":
                    checked.plan = read_plan(root, message["test_plan"])
                case "test_summary":
                    checked.tests = message["test_summary"].get("passed", 0)
        if ended.returncode and not checked.faults:
            checked.faults.append(Fault("test", root, ended.stderr.strip()[-300:] or "broke off"))
        if not ended.returncode and not checked.tests:
            checked.faults.append(Fault("test", root, "has no test"))
        return checked

    def _ran(self, where: Path, root: str, *command: str) -> subprocess.CompletedProcess[str]:
        cache = self.work / "providers"
        cache.mkdir(parents=True, exist_ok=True)
        ours = {
            "TF_DATA_DIR": str(self.work / (root.replace("/", "-") or "layout")),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            # No key of the person at this machine, whatever the code asks for.
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if not self.plugins:
            ours["TF_PLUGIN_CACHE_DIR"] = str(cache)
            # For a module, which has no lock of its own: else it would be fetched once more.
            ours["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = "1"
        return subprocess.run(
            [str(self.program), *command],
            cwd=where, env=_without_keys() | ours, capture_output=True, text=True, check=False,
        )  # fmt: skip


def program() -> str | None:
    beside = TOOLS / "terraform"
    return (
        os.environ.get("TERRAFORM")
        or shutil.which("terraform")
        or (str(beside) if beside.exists() else None)
    )


def read_plan(root: str, planned: dict[str, Any]) -> Plan:
    resources = [
        Resource(root, change["address"], change["type"], Values(change["change"]["after"] or {}))
        for change in planned.get("resource_changes", [])
        if change.get("mode") == "managed"
    ]
    changes = planned.get("output_changes", {})
    return Plan(root, resources, {name: change["after"] for name, change in changes.items()})


def _without_keys() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _fault(rule: str, root: str, diagnostic: dict[str, Any]) -> Fault:
    place = diagnostic.get("range") or {}
    line = (place.get("start") or {}).get("line", 0)
    where = diagnostic.get("address") or f"{place.get('filename', '')}:{line}"
    what = " ".join(f"{diagnostic['summary']} {diagnostic.get('detail', '')}".split())
    return Fault(rule, f"{root}: {where}", what[:300])
