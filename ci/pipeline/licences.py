"""
The licences of what is shipped, from what the packages say of themselves. What `licences.toml` does
not take is refused, a licence that cannot be made out included.
"""

import importlib.metadata
import re
import tomllib
from pathlib import Path

from ci.pipeline.dependencies import PINNED
from ci.pipeline.gates import Result, Workspace, judged

TAKEN = Path(__file__).parent / "licences.toml"
# What older packages write, in the words of SPDX. Only the whole text counts.
SPDX = {
    "mit license": "MIT",
    "bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "isc license (iscl)": "ISC",
    "gnu library or lesser general public license (lgpl)": "LGPL-3.0-or-later",
    "gnu general public license v3 (gplv3)": "GPL-3.0-only",
    "gnu affero general public license v3": "AGPL-3.0-only",
}
TOKEN = re.compile(r"\(|\)|[\w.+-]+")


def licence_of(package: str) -> str:
    """SPDX where it can be made out, else the package's own words, else nothing."""
    said = importlib.metadata.metadata(package)
    if expression := said.get("License-Expression"):
        return expression
    classified = {
        _spdx(line.rsplit(" :: ", 1)[1])
        for line in said.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    }
    if classified:
        return " AND ".join(sorted(classified))
    return _spdx((said.get("License") or "").split("\n")[0])


def _spdx(words: str) -> str:
    return SPDX.get(words.strip().lower(), words.strip())


def is_taken(expression: str, taken: set[str]) -> bool:
    """
    Of licences joined by OR one must be taken, of those joined by AND all. Text that is no SPDX
    expression of licences that are taken is refused.
    """
    tokens = TOKEN.findall(expression)
    if not tokens or re.sub(r"[\w.+\s()-]", "", expression):
        return False
    try:
        value, rest = _either(tokens, taken)
    except IndexError:
        return False
    return value and not rest


def _either(tokens: list[str], taken: set[str]) -> tuple[bool, list[str]]:
    value, rest = _both(tokens, taken)
    while rest and rest[0].upper() == "OR":
        other, rest = _both(rest[1:], taken)
        value = value or other
    return value, rest


def _both(tokens: list[str], taken: set[str]) -> tuple[bool, list[str]]:
    value, rest = _one(tokens, taken)
    while rest and rest[0].upper() == "AND":
        other, rest = _one(rest[1:], taken)
        value = value and other
    return value, rest


def _one(tokens: list[str], taken: set[str]) -> tuple[bool, list[str]]:
    if tokens[0] != "(":
        return tokens[0] in taken, tokens[1:]
    value, rest = _either(tokens[1:], taken)
    return value and rest[0] == ")", rest[1:]


def licences_gate(space: Workspace) -> Result:
    lock = (space.root / "apps/requirements.txt").read_text()
    return verdict(read_licences(lock), tomllib.loads(TAKEN.read_text()), space.build)


def read_licences(lock: str) -> dict[str, tuple[str, str]]:
    """Package -> (version, licence) of what is installed; the lock also names other platforms'."""
    found = {}
    for name, version in PINNED.findall(lock):
        try:
            found[name] = (version, licence_of(name))
        except importlib.metadata.PackageNotFoundError:
            found[name] = (version, "not installed here")
    return found


def verdict(found: dict[str, tuple[str, str]], rules: dict, build: Path) -> Result:
    taken, exceptions = set(rules["taken"]), rules["exceptions"]
    absent = {name for name, (_, licence) in found.items() if licence == "not installed here"}
    faults = [
        f"{name} {version}: {licence or 'says nothing of a licence'}"
        for name, (version, licence) in found.items()
        if name not in absent and name not in exceptions and not is_taken(licence, taken)
    ]
    faults += [f"{name}: an exception that nothing needs" for name in exceptions.keys() - found]
    rows = [f"| {name} | {version} | {licence} |" for name, (version, licence) in found.items()]
    build.mkdir(exist_ok=True)
    (build / "licences.md").write_text(
        "| package | version | licence |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    )
    aside = f" ({', '.join(sorted(absent))}: for other Pythons, not looked at)" if absent else ""
    return judged(
        faults,
        f"{len(found) - len(absent)} packages, {len(exceptions)} by exception{aside}",
        "licences that are not taken",
    )
