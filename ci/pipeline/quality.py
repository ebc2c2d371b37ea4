"""
The local quality gate: the numbers of SonarQube's gate, held against the same measures taken here,
so that it fails where the server's would. What only the server can count is named, not guessed.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from ci.pipeline import bars, coverage, duplication
from ci.pipeline.gates import Result, Workspace, failed, not_run, passed

SUFFIXES = {".py", ".js", ".css"}


@dataclass(frozen=True)
class Finding:
    metric: str
    measure: float
    bar: float

    @property
    def is_missed(self) -> bool:
        return bars.misses(self.metric, self.measure, self.bar)

    def __str__(self) -> str:
        at = "at least" if bars.operator(self.metric) == "LT" else "at most"
        return f"{self.metric} is {self.measure:.1f} %, must be {at} {self.bar:g} %"


def coverage_gate(space: Workspace) -> Result:
    report = space.build / "coverage.xml"
    if not report.exists():
        return not_run("There is no build/coverage.xml: the gate `tests` writes it.")
    read = bars.properties(space.root / "sonar-project.properties")
    measured = coverage_measures(space, read, report)
    return _result(space, "coverage", measured, read, [])


def coverage_measures(space: Workspace, read: dict[str, str], report: Path) -> dict[str, float]:
    """Only of the apps whose tests ran: the others' coverage says nothing today."""
    excluded = bars.matcher(f"{read['sonar.exclusions']},{read['sonar.coverage.exclusions']}")
    homes = tuple(f"apps/{app}/src/" for app in space.scope.apps)
    lines = {
        path: found
        for path, found in coverage.read_report(report, space.root).items()
        if path.startswith(homes) and not excluded.match(path)
    }
    whole = coverage.measured(line for found in lines.values() for line in found)
    new = coverage.new_lines(space.base, lines, space.root)
    fresh = coverage.only_new(lines, new)
    measures = {
        "coverage": whole.percent,
        "line_coverage": whole.lines_percent,
        "branch_coverage": whole.conditions_percent,
    }
    if sum(len(new.get(path, ())) for path in lines) >= _small(read):
        changed = coverage.measured(line for found in fresh.values() for line in found)
        measures["new_coverage"] = changed.percent
    return measures


def duplication_gate(space: Workspace) -> Result:
    read = bars.properties(space.root / "sonar-project.properties")
    files = {path: duplication.code_lines(space.root / path) for path in sources(space.root, read)}
    found = duplication.copies(files)
    measured = duplication_measures(space, read, list(files), found)
    return _result(space, "duplication", measured, read, [str(copy) for copy in found])


def sources(root: Path, read: dict[str, str]) -> list[str]:
    excluded = bars.matcher(f"{read['sonar.exclusions']},{read.get('sonar.cpd.exclusions', '')}")
    paths = (
        path.relative_to(root).as_posix()
        for folder in read["sonar.sources"].split(",")
        for path in (root / folder.strip()).rglob("*")
        if path.suffix in SUFFIXES
    )
    return sorted(path for path in paths if not excluded.match(path))


def duplication_measures(
    space: Workspace, read: dict[str, str], paths: list[str], found: list[duplication.Copy]
) -> dict[str, float]:
    copied = duplication.copied_lines(found)
    total = {path: len((space.root / path).read_bytes().splitlines()) for path in paths}
    measures = {
        "duplicated_lines_density": _share(
            sum(len(copied.get(path, ())) for path in paths), sum(total.values())
        )
    }
    new = coverage.new_lines(space.base, paths, space.root)
    new_total = sum(len(new.get(path, ())) for path in paths)
    if new_total >= _small(read):
        new_copied = sum(len(copied.get(path, set()) & new.get(path, set())) for path in paths)
        measures["new_duplicated_lines_density"] = _share(new_copied, new_total)
    return measures


def _share(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0


def _small(read: dict[str, str]) -> int:
    """SonarQube lets a change of fewer lines pass whatever its measures are."""
    return int(read["railgate.small_change_lines"])


def _result(
    space: Workspace, name: str, measured: dict[str, float], read: dict[str, str], more: list[str]
) -> Result:
    wanted = bars.bars(read)
    findings = [Finding(metric, value, wanted[metric]) for metric, value in measured.items()]
    space.build.mkdir(exist_ok=True)
    written = {f.metric: {"measure": round(f.measure, 2), "bar": f.bar} for f in findings}
    (space.build / f"{name}.json").write_text(
        json.dumps({"measures": written, "copies": more}, indent=2) + "\n"
    )
    said = ", ".join(f"{f.metric} {f.measure:.1f} % (bar {f.bar:g})" for f in findings)
    missed = [str(finding) for finding in findings if finding.is_missed]
    return failed(said, [*missed, *more]) if missed else passed(said)
