"""
The gates that are another program's verdict: `make lint`, `make manifests`, `make infrastructure`
and the tests.
"""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from ci.manifests import schemas
from ci.pipeline.gates import Result, Workspace, failed, not_run, passed, ran
from ci.pipeline.tools import FOLDER, go_tool

ALWAYS = (
    "ci/tidy", "ci/pipeline/tests", "ci/manifests/tests", "ci/infrastructure/tests",
    "ci/images/tests", "ci/rehearsal/tests", "gitops", "loadtest",
)  # fmt: skip
LAST_LINES = 25
PARALLEL = ("-n", "auto")
# What tries the alerts and their routes, and the package of Debian and Ubuntu that has it.
ALERTING = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}
ALERT_TESTS = tuple(
    f"ci/manifests/tests/test_{what}.py" for what in ("alerts", "routes", "dashboards")
)


def lint_gate(space: Workspace) -> Result:
    return _made(space, "lint", "ruff, mypy, import rules and Bandit's quick look")


def manifests_gate(space: Workspace) -> Result:
    if ran("make", "--dry-run", "manifests", cwd=space.root).returncode:
        return not_run("The Makefile has no target `manifests`.")
    if not schemas.folders():
        go_tool("kubeconform")
    return _made(space, "manifests", "every environment rendered and checked")


def infrastructure_gate(space: Workspace) -> Result:
    """Without Terraform, or a provider for it, nothing is known and nothing is called good."""
    result = _made(space, "infrastructure", "every root of terraform, beside gitops and the code")
    said = (space.build / "infrastructure.txt").read_text().splitlines()
    blind = [line for line in said if "NOTHING WAS CHECKED" in line]
    return not_run(blind[0].strip()) if blind else result


def alerts_gate(space: Workspace) -> Result:
    """Rules and routes on invented series, by Prometheus's and Alertmanager's own programs."""
    missing = [name for name in ALERTING if shutil.which(name) is None]
    if missing:
        packages = " ".join(ALERTING[name] for name in missing)
        return not_run(
            f"NO ALERT WAS TRIED: there is no {' and no '.join(missing)} here "
            f"(apt-get install --no-install-recommends {packages})."
        )
    space.build.mkdir(exist_ok=True)
    report = space.build / "alerts.xml"
    ended = ran(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ALERT_TESTS,
        f"--junit-xml={report}", cwd=space.root,
    )  # fmt: skip
    said = _counted(report)
    if ended.returncode:
        return failed(said, _tail(ended.stdout + ended.stderr))
    return passed(said) if said.endswith(" 0 skipped") else not_run(f"NOT ALL WAS TRIED: {said}")


def _made(space: Workspace, target: str, good: str) -> Result:
    path = os.pathsep.join([os.environ["PATH"], str(FOLDER)])
    ended = ran(
        "make", "--no-print-directory", target, cwd=space.root, env=os.environ | {"PATH": path}
    )
    said = ended.stdout + ended.stderr
    space.build.mkdir(exist_ok=True)
    (space.build / f"{target}.txt").write_text(said)
    loud = [line for line in said.splitlines() if "NOT CHECKED" in line or "NOTHING WAS" in line]
    if ended.returncode:
        last = [line for line in said.splitlines() if line.strip()][-LAST_LINES:]
        return failed(f"make {target}; all of it in build/{target}.txt", last)
    return not_run(loud[0].strip()) if loud else passed(good)


def tests_gate(space: Workspace) -> Result:
    """The changed apps, what stands on them, whole journeys, and the rules of the house."""
    space.build.mkdir(exist_ok=True)
    for name in ("coverage.xml", "tests.xml"):
        (space.build / name).unlink(missing_ok=True)
    folders = folders_to_test(space)
    covered = [f"--cov={home}" for home in _homes(space)]
    log = space.build / "tests.txt"
    with log.open("w") as stream:
        # Straight into the file, so that a long run can be watched.
        ended = subprocess.run(
            [
                sys.executable, "-m", "pytest", "-q", *PARALLEL, *folders,
                *covered, "--cov-branch", f"--cov-report=xml:{space.build}/coverage.xml",
                "--cov-report=", f"--junit-xml={space.build}/tests.xml",
            ],
            cwd=space.root, stdout=stream, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    said = _counted(space.build / "tests.xml")
    if ended.returncode:
        return failed(f"{said}; all of it in build/tests.txt", _tail(log.read_text()))
    return passed(f"{said} in {', '.join(folders)}")


def folders_to_test(space: Workspace) -> list[str]:
    wanted = [f"apps/{app}/tests" for app in sorted(space.scope.apps)]
    wanted += ["ci/journeys"] if space.scope.journeys else []
    wanted += [folder for folder in ALWAYS if any((space.root / folder).rglob("test_*.py"))]
    return [folder for folder in wanted if (space.root / folder).exists()]


def _homes(space: Workspace) -> list[str]:
    return [f"apps/{app}/src" for app in sorted(space.scope.apps)] or ["ci/pipeline"]


def _counted(report: Path) -> str:
    if not report.exists():
        return "the tests broke off"
    suite = next(ET.parse(report).getroot().iter("testsuite")).attrib
    bad = int(suite["failures"]) + int(suite["errors"])
    return f"{suite['tests']} tests, {bad} failed, {suite['skipped']} skipped"


def _tail(said: str) -> list[str]:
    short = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return short or said.splitlines()[-LAST_LINES:]
