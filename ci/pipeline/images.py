"""
The images of the changed services: built, listed and scanned with what is here. Without an engine
nothing is built, and without a scanner what was built is not called good.
"""

import json
import shutil
from pathlib import Path

from ci.images.building import image_of
from ci.images.engine import ENGINES, Engine
from ci.images.parts import list_parts
from ci.pipeline.gates import Result, Workspace, failed, not_run, passed, ran

SCANNERS = {
    "trivy": ("image", "--scanners", "vuln", "--severity", "HIGH,CRITICAL", "--ignore-unfixed",
              "--exit-code", "1", "--quiet", "--format", "json", "--output"),
    "grype": ("--fail-on", "high", "--only-fixed", "--quiet", "--output", "json", "--file"),
}  # fmt: skip


def images_gate(space: Workspace) -> Result:
    services = sorted(space.scope.images)
    if not services:
        return passed("no service's image is touched")
    if (engine := working_engine()) is None:
        return not_run(f"NO IMAGE WAS BUILT: neither {' nor '.join(ENGINES)} works here.")
    if ran("make", "--dry-run", "image", "SERVICE=order", cwd=space.root).returncode:
        return not_run("NO IMAGE WAS BUILT: the Makefile has no target `image`.")
    for service in services:
        ended = ran("make", "image", f"SERVICE={service}", f"ENGINE={engine}", cwd=space.root)
        if ended.returncode:
            return failed(f"the image of {service}", ended.stderr.splitlines()[-10:])
    strangers = [
        fault
        for service in services
        for fault in list_parts(Engine(engine), service, root=space.root, build=space.build)
    ]
    return failed("not locked", strangers) if strangers else _scanned(space, services)


def working_engine() -> str | None:
    """A client without its daemon is no engine."""
    return next(
        (name for name in ENGINES if shutil.which(name) and ran(name, "info").returncode == 0), None
    )


def _scanned(space: Workspace, services: list[str]) -> Result:
    scanner = next((name for name in SCANNERS if shutil.which(name)), None)
    if scanner is None:
        return not_run(
            f"BUILT AND LISTED {len(services)} IMAGES AND SCANNED NONE: neither"
            f" {' nor '.join(SCANNERS)} here."
        )
    bad = []
    for service in services:
        report = space.build / f"image-{service}.json"
        ended = ran(scanner, *SCANNERS[scanner], str(report), image_of(service), cwd=space.root)
        if ended.returncode:
            bad.append(f"{service}: {_count(report)} (build/{report.name})")
    return failed("vulnerable images", bad) if bad else passed(f"{len(services)} images, {scanner}")


def _count(report: Path) -> str:
    try:
        found = json.loads(report.read_text())
    except (OSError, ValueError):
        return "the scanner broke off"
    matches = found.get("matches") or [
        one for result in found.get("Results", []) for one in result.get("Vulnerabilities") or []
    ]
    return f"{len(matches)} vulnerabilities"
