"""
Bandit over everything that ships, Python in the manifests included: a finding of at least medium
severity and confidence fails. There is no baseline, and a mark that silences Bandit names the rule.
"""

import json
import re
import sys
from pathlib import Path

from ci.pipeline.gates import Result, Workspace, failed, judged, ran

RANKS = ("UNDEFINED", "LOW", "MEDIUM", "HIGH")
BAR = RANKS.index("MEDIUM")
BLANKET = re.compile(r"#\s*nosec\b(?!:?\s*B\d{3})")
ENDED_WELL = (0, 1)


def shipped(root: Path) -> list[str]:
    folders = [*sorted(root.glob("apps/*/src")), root / "gitops"]
    return [folder.relative_to(root).as_posix() for folder in folders if folder.exists()]


def bandit_gate(space: Workspace) -> Result:
    space.build.mkdir(exist_ok=True)
    paths = shipped(space.root)
    for form in ("sarif", "json"):
        ended = ran(
            sys.executable, "-m", "bandit", "--quiet", "--recursive", *paths,
            "--configfile", "pyproject.toml", "--format", form,
            "--output", str(space.build / f"bandit.{form}"), cwd=space.root,
        )  # fmt: skip
        if ended.returncode not in ENDED_WELL:
            return failed("Bandit broke off", ended.stderr.splitlines()[-5:])
    report = json.loads((space.build / "bandit.json").read_text())
    (space.build / "bandit.md").write_text(readable(report))
    faults = [*serious(report), *unread(report), *blanket_marks(space.root, paths)]
    lines = report["metrics"]["_totals"]["loc"]
    minor = len(report["results"]) - len(serious(report))
    return judged(
        faults,
        f"nothing of weight in {lines:,} lines ({minor} lesser findings in build/bandit.md)",
        "findings of at least medium severity and confidence, or hidden ones",
    )


def _is_serious(finding: dict) -> bool:
    return all(RANKS.index(finding[f"issue_{rank}"]) >= BAR for rank in ("severity", "confidence"))


def serious(report: dict) -> list[str]:
    return [
        f"{found['filename']}:{found['line_number']} {found['test_id']} {found['issue_text']}"
        for found in report["results"]
        if _is_serious(found)
    ]


def unread(report: dict) -> list[str]:
    """A file that Bandit could not read was not checked."""
    return [f"{error['filename']}: {error['reason']}" for error in report["errors"]]


def blanket_marks(root: Path, paths: list[str]) -> list[str]:
    return [
        f"{path.relative_to(root)}:{number} silences Bandit without naming a rule"
        for folder in paths
        for path in sorted((root / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if BLANKET.search(line)
    ]


def readable(report: dict) -> str:
    """The same as a table, for the comment beside a change."""
    if not report["results"]:
        return "### Bandit\n\nNo findings.\n"
    rows = [
        f"| {'**fails**' if _is_serious(found) else 'noted'} | {found['issue_severity'].lower()} "
        f"| {found['issue_confidence'].lower()} | [{found['test_id']}]({found['more_info']}) "
        f"| `{found['filename']}:{found['line_number']}` | {_cell(found['issue_text'])} |"
        for found in sorted(report["results"], key=lambda f: not _is_serious(f))
    ]
    head = "| | severity | confidence | rule | place | what |\n|---|---|---|---|---|---|\n"
    return "### Bandit\n\n" + head + "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
