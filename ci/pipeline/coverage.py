"""
Coverage in Sonar's way of counting: lines and conditions together, over all code and over the lines
that a change brings. Reads `coverage.xml` and git; runs no test.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ci.pipeline.changes import git

HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")
CONDITIONS = re.compile(r"\((\d+)/(\d+)\)")
Lines = dict[str, set[int]]


@dataclass(frozen=True)
class Line:
    """A line that can be run, and the ways that lead on from it where there are several."""

    number: int
    is_covered: bool
    conditions: int = 0
    conditions_covered: int = 0


@dataclass(frozen=True)
class Measure:
    lines: int
    lines_covered: int
    conditions: int
    conditions_covered: int

    @property
    def percent(self) -> float:
        return _percent(self.lines_covered + self.conditions_covered, self.lines + self.conditions)

    @property
    def lines_percent(self) -> float:
        return _percent(self.lines_covered, self.lines)

    @property
    def conditions_percent(self) -> float:
        return _percent(self.conditions_covered, self.conditions)


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0


def read_report(report: Path, root: Path) -> dict[str, list[Line]]:
    """Path from the root -> its lines."""
    document = ET.parse(report).getroot()
    sources = [Path(node.text or "") for node in document.iter("source")]
    found = {}
    for file in document.iter("class"):
        path = _located(file.attrib["filename"], sources, root)
        found[path] = [_line(node) for node in file.iter("line")]
    return found


def _located(name: str, sources: list[Path], root: Path) -> str:
    for source in (root, *sources):
        path = source / name
        if path.exists() and path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return name


def _line(node: ET.Element) -> Line:
    counted = CONDITIONS.search(node.attrib.get("condition-coverage", ""))
    covered, conditions = map(int, counted.groups()) if counted else (0, 0)
    return Line(int(node.attrib["number"]), int(node.attrib["hits"]) > 0, conditions, covered)


def measured(lines: Iterable[Line]) -> Measure:
    all_lines = list(lines)
    return Measure(
        lines=len(all_lines),
        lines_covered=sum(line.is_covered for line in all_lines),
        conditions=sum(line.conditions for line in all_lines),
        conditions_covered=sum(line.conditions_covered for line in all_lines),
    )


def new_lines(base: str | None, paths: Iterable[str], root: Path) -> Lines:
    """The lines that are not in the base; without a base, or for a file unknown to git, all."""
    if base is None:
        return {path: _all_lines(root / path) for path in paths}
    changed = parse_diff(git("diff", "-U0", "--no-renames", base, "--", "apps", root=root))
    fresh = git("ls-files", "--others", "--exclude-standard", "--", "apps", root=root).splitlines()
    return changed | {path: _all_lines(root / path) for path in fresh}


def _all_lines(path: Path) -> set[int]:
    return set(range(1, len(path.read_bytes().splitlines()) + 1))


def parse_diff(text: str) -> Lines:
    found: Lines = {}
    lines: set[int] = set()
    for line in text.splitlines():
        if line.startswith("+++ "):
            lines = found.setdefault(line.removeprefix("+++ ").removeprefix("b/"), set())
        elif hunk := HUNK.match(line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            lines.update(range(first, first + count))
    return found


def only_new(report: dict[str, list[Line]], new: Lines) -> dict[str, list[Line]]:
    return {
        path: [line for line in lines if line.number in new.get(path, ())]
        for path, lines in report.items()
    }
