"""
The bars of the quality gate, from `sonar-project.properties`: the one place that the server's gate
(`make sonar-gate`) and the gate on this machine both take their numbers from.
"""

import re
from pathlib import Path

from ci.pipeline.changes import ROOT

PREFIX = "railgate.gate."
# These must not fall below their bar; all others must not rise above it.
AT_LEAST = re.compile(r"coverage|reviewed")


def properties(path: Path = ROOT / "sonar-project.properties") -> dict[str, str]:
    joined = re.sub(r"\\\n\s*", "", path.read_text())
    pairs = (line.split("=", 1) for line in joined.splitlines() if re.match(r"^\w[^#]*=", line))
    return {key.strip(): value.strip() for key, value in pairs}


def bars(read: dict[str, str]) -> dict[str, float]:
    """Sonar's name of the measure -> the bar."""
    return {
        key.removeprefix(PREFIX): float(value)
        for key, value in read.items()
        if key.startswith(PREFIX)
    }


def operator(metric: str) -> str:
    """In Sonar's words: the gate fails when the measure is LT or GT the bar."""
    return "LT" if AT_LEAST.search(metric) else "GT"


def misses(metric: str, measure: float, bar: float) -> bool:
    return measure < bar if operator(metric) == "LT" else measure > bar


def matcher(patterns: str) -> re.Pattern[str]:
    """Sonar's path patterns, separated by commas: `**` is any folders, `*` stays within one."""
    expressions = [
        re.escape(pattern.strip())
        .replace(r"\*\*/", "(?:.*/)?")
        .replace(r"\*\*", ".*")
        .replace(r"\*", "[^/]*")
        .replace(r"\?", "[^/]")
        for pattern in patterns.split(",")
        if pattern.strip()
    ]
    return re.compile(f"^(?:{'|'.join(expressions) or '(?!)'})$")
