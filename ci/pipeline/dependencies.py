"""
Known vulnerabilities of what is locked, and its parts list. pip-audit says "none found" even where
it reached no advisory, so it is asked first about a release that is known to be bad, and believed
only if it says so.
"""

import json
import re
import tempfile
from datetime import date
from pathlib import Path
from tomllib import loads

from ci.pipeline.gates import Result, Workspace, failed, judged, not_run, passed, ran, tool

# CVE-2019-10906 and more: every source of advisories knows it.
KNOWN_BAD = "jinja2==2.4.1"
SERVICES = ("pypi", "osv")
LOCKS = ("apps/requirements.txt", "ci/requirements.txt")
IGNORED = Path(__file__).parent / "ignored_advisories.toml"
PINNED = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)


def audit_gate(space: Workspace) -> Result:
    if (audit := tool("pip-audit")) is None:
        return not_run("There is no pip-audit here.")
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "requirements.txt"
        canary.write_text(KNOWN_BAD + "\n")
        knowing = [one for one in SERVICES if findings(asked(audit, one, canary))]
    if not knowing:
        return not_run(
            "NO ADVISORY WAS READ: neither PyPI nor OSV knew a release to be bad that is."
        )
    locks = [space.root / lock for lock in LOCKS]
    report = asked(audit, knowing[0], *locks)
    if report is None:
        return failed("pip-audit broke off while it read the lock")
    space.build.mkdir(exist_ok=True)
    (space.build / "audit.json").write_text(json.dumps(report, indent=2) + "\n")
    return verdict(report, read_ignored(), "\n".join(lock.read_text() for lock in locks))


def asked(audit: str, service: str, *locks: Path) -> dict | None:
    """What pip-audit says of locks; None if it said nothing that can be read."""
    read = (part for lock in locks for part in ("--requirement", str(lock)))
    ended = ran(
        audit, *read, "--disable-pip", "--no-deps", "--format", "json",
        "--vulnerability-service", service, "--progress-spinner", "off", "--timeout", "10",
    )  # fmt: skip
    try:
        return json.loads(ended.stdout)
    except ValueError:
        return None


def findings(report: dict | None) -> list[tuple[str, str]]:
    """(advisory, package and version)."""
    return [
        (found["id"], f"{package['name']} {package['version']}")
        for package in (report or {}).get("dependencies", [])
        for found in package.get("vulns", [])
    ]


def read_ignored(path: Path = IGNORED, today: date | None = None) -> dict[str, str]:
    """Advisory -> why it does not concern us. One without an end, or past it, does not count."""
    day = today or date.today()  # noqa: DTZ011 - a day more or less does not matter
    entries = loads(path.read_text()).get("ignored", [])
    return {entry["advisory"]: entry["why"] for entry in entries if entry["until"] >= day}


def verdict(report: dict, ignored: dict[str, str], lock: str) -> Result:
    """A package that pip-audit skipped was not checked, and is a fault as well."""
    bad = [f"{what}: {advisory}" for advisory, what in findings(report) if advisory not in ignored]
    skipped = [
        f"{package['name']}: {package['skip_reason']}"
        for package in report["dependencies"]
        if "skip_reason" in package
    ]
    named = {package["name"].lower() for package in report["dependencies"]}
    forgotten = [
        f"{name}: is locked and was not asked about"
        for name in sorted({name for name, _ in PINNED.findall(lock)})
        if name.lower() not in named
    ]
    return judged(
        [*bad, *skipped, *forgotten],
        f"no advisory against {len(report['dependencies'])} locked packages",
        "advisories, or packages that could not be asked about",
    )


def sbom_gate(space: Workspace) -> Result:
    """The parts list of the product from its lock: names, versions, hashes. Needs no network."""
    components = sbom_components((space.root / "apps/requirements.txt").read_text())
    parts = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "railgate", "bom-ref": "railgate"}
        },
        "components": components,
        "dependencies": [{"ref": "railgate", "dependsOn": [c["bom-ref"] for c in components]}],
    }
    space.build.mkdir(exist_ok=True)
    (space.build / "sbom.cdx.json").write_text(json.dumps(parts, indent=2) + "\n")
    bare = [c["name"] for c in components if not c["hashes"]]
    if bare:
        return failed("locked without a hash", bare)
    return passed(f"{len(components)} packages with their hashes in build/sbom.cdx.json")


def sbom_components(lock: str) -> list[dict]:
    blocks = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE).strip())
    found = []
    for block in blocks:
        if pinned := PINNED.match(block):
            name, version = pinned.groups()
            reference = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
            hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", block)
            found.append({
                "type": "library", "bom-ref": reference, "name": name, "version": version,
                "purl": reference,
                "hashes": [{"alg": "SHA-256", "content": one} for one in hashes],
            })  # fmt: skip
    return found
