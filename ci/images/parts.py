"""
What an image is made of: its Python packages, each of which has to be locked, and the packages of
its base; and the parts list (CycloneDX) that says so of this image and no other.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci.images.building import image_of, revision
from ci.images.engine import Engine, EngineFailed
from ci.pipeline.dependencies import sbom_components

# Runs inside, with what every image has: Python.
TELLING = """
import importlib.metadata, json, pathlib
status = pathlib.Path("/var/lib/dpkg/status")
print(json.dumps({
    "python": sorted([d.name, d.version] for d in importlib.metadata.distributions()),
    "debian": status.read_text() if status.exists() else "",
}))
"""
FIELD = re.compile(r"^(Package|Version|Architecture): (\S+)$", re.MULTILINE)
LOCK = "apps/requirements.txt"


@dataclass(frozen=True)
class Parts:
    """Names and versions; of Debian's packages the architecture as well."""

    python: list[tuple[str, str]]
    debian: list[tuple[str, str, str]]

    @classmethod
    def of(cls, engine: Engine, image: str) -> "Parts":
        """
        Raises:
            EngineFailed: the image does not even run Python.
        """
        closed = ("--network=none", "--read-only", "--no-healthcheck", *engine.limits)
        words = ("run", "--rm", "--interactive", *closed, image, "python", "-")
        told = json.loads(engine.run(*words, input=TELLING).stdout)
        python = [(normalised(name), version) for name, version in told["python"]]
        return cls(python, debian_packages(told["debian"]))

    def unlocked(self, locked: dict[str, str]) -> list[str]:
        """What is in the image and not in the lock, or in another version."""
        return [
            f"{name} {version}, locked is {locked.get(name, 'none')}"
            for name, version in self.python
            if locked.get(name) != version
        ]


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def debian_packages(status: str) -> list[tuple[str, str, str]]:
    found = (dict(FIELD.findall(block)) for block in status.split("\n\n"))
    return sorted(
        (one["Package"], one["Version"], one["Architecture"]) for one in found if "Version" in one
    )


def list_parts(engine: Engine, service: str, *, root: Path, build: Path) -> list[str]:
    """Write the image's own parts list; gives what is inside and not locked."""
    try:
        parts = Parts.of(engine, image_of(service))
    except (EngineFailed, ValueError) as error:
        return [f"{service}: it could not be asked: {error}"]
    locked = sbom_components((root / LOCK).read_text())
    listing = parts_list(service, parts, locked)
    build.mkdir(exist_ok=True)
    (build / f"sbom-{service}.cdx.json").write_text(json.dumps(listing, indent=2) + "\n")
    versions = {normalised(one["name"]): one["version"] for one in locked}
    return [f"{service}: {fault}" for fault in parts.unlocked(versions)]


def parts_list(service: str, parts: Parts, locked: list[dict[str, Any]]) -> dict[str, Any]:
    """`locked` are the components of the whole lock, with their hashes; those inside are taken."""
    names = {name for name, _ in parts.python}
    components = [one for one in locked if normalised(one["name"]) in names]
    components += [
        {"type": "library", "bom-ref": reference, "name": name, "version": version,
         "purl": reference}
        for name, version, architecture in parts.debian
        for reference in [f"pkg:deb/debian/{name}@{version}?arch={architecture}"]
    ]  # fmt: skip
    image = {"type": "container", "name": f"railgate/{service}", "version": revision(),
             "bom-ref": service}  # fmt: skip
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": image},
        "components": components,
        "dependencies": [{"ref": service, "dependsOn": [c["bom-ref"] for c in components]}],
    }
