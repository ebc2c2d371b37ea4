"""
Secrets that were about to be published: in the files that git knows or would take, and in every
line that any commit since the base has added, even where a later commit took it away again. A
finding shows its first characters only.
"""

import hashlib
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ci.pipeline.changes import git
from ci.pipeline.gates import Result, Workspace, failed, passed

ALLOWED = Path(__file__).parent / "allowed_secrets.toml"
FILE_BYTES_MAX = 1_000_000
# Hashes are all that these hold, and their tools prove them.
LOCKS = re.compile(r"(^|/)(requirements\.txt|package-lock\.json|\.terraform\.lock\.hcl)$")

# A secret that its form gives away. The first group is the secret.
FORMS = {
    # The whole line: an allowance for a test that speaks of keys must not fit every key.
    "private key": re.compile(r"^(.*-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----.*)$"),
    "AWS access key": re.compile(r"\b((?:AKIA|ASIA)[A-Z0-9]{16})\b"),
    "AWS secret key": re.compile(r"(?i)aws.{0,30}(?:secret|key).{0,5}[:=]\s*[\"']?([\w/+]{40})\b"),
    "GitHub token": re.compile(r"\b(gh[pousr]_\w{36,}|github_pat_\w{50,})"),
    "GitLab token": re.compile(r"\b(glpat-[\w-]{20,})"),
    "Slack token": re.compile(r"\b(xox[abeoprs]-[\w-]{10,})"),
    "Slack webhook": re.compile(r"(hooks\.slack\.com/services/T\w+/B\w+/\w{20,})"),
    "payment key": re.compile(r"\b([rs]k_live_\w{16,})"),
    "Google key": re.compile(r"\b(AIza[\w-]{35})"),
    "package registry token": re.compile(r"\b(pypi-AgEI[\w-]{40,}|npm_\w{36})"),
    "Sonar token": re.compile(r"\b(sq[apu]_[0-9a-f]{40})\b"),
    "JSON web token": re.compile(r"\b(eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{16,})"),
    "password in an address": re.compile(r"://[^/\s:@\"']+:([^/\s:@{}$<>\"']{12,})@"),
}
NAMED = re.compile(
    r"(?i)(?:password|passwd|secret|token|api_?key|private_?key|access_?key|pepper|credential)\w*"
    r"[\"']?\s*(?:[:=]|=>)\s*[\"']([^\"'\s{}$<>]{12,})[\"']"
)
UNQUOTED = re.compile(
    r"(?i)^\s*(?:export\s+)?[\w.-]*(?:password|secret|token|api_?key|private_?key)[\w.-]*"
    r"\s*[:=]\s*([^\s\"'{}$<>()\[\]|/#.]{16,})\s*$"
)
HEX = re.compile(r"(?<![\w:-])([0-9a-f]{40,}|[0-9A-F]{40,})(?![\w-])")
BASE64 = re.compile(r"[\"']([\w+/-]{40,}={0,2})[\"']")
PINNED = re.compile(r"(uses:\s|sha256[:=]|@[0-9a-f]{40}\b)")


@dataclass(frozen=True)
class Finding:
    kind: str
    where: str
    path: str
    secret: str

    @property
    def digest(self) -> str:
        """What an allowance names: it gives nothing away and fits this one string only."""
        return hashlib.sha256(self.secret.strip().encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return f"{self.where}: {self.kind} ({self.secret.strip()[:4]}…, digest {self.digest})"


def entropy(text: str) -> float:
    """Bits per character."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


def secrets_in(line: str) -> Iterator[tuple[str, str]]:
    """(kind, secret) of everything in a line that looks like one."""
    for kind, form in FORMS.items():
        for found in form.finditer(line):
            if not _is_made_up(kind, found[1]):
                yield kind, found[1]
    for form in (NAMED, UNQUOTED):
        for found in form.finditer(line):
            if _is_random(found[1], bits=3.3):
                yield "value of a secret's name", found[1]
    if not PINNED.search(line):
        yield from _random_in(line)


def _random_in(line: str) -> Iterator[tuple[str, str]]:
    for found in HEX.finditer(line):
        if entropy(found[1].lower()) > 3.0:
            yield "long random number", found[1]
    for found in BASE64.finditer(line):
        if _is_random(found[1], bits=4.5) and re.search(r"[A-Z]", found[1]):
            yield "long random text", found[1]


def _is_made_up(kind: str, secret: str) -> bool:
    """A password in an address counts when it is more than a word."""
    return kind == "password in an address" and not _is_random(secret, bits=3.0)


def _is_random(text: str, bits: float) -> bool:
    return bool(re.search(r"\d", text) and re.search(r"[A-Za-z]", text)) and entropy(text) >= bits


def in_text(path: str, text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        for kind, secret in secrets_in(line):
            yield Finding(kind, f"{path}:{number}", path, secret)


def in_files(root: Path) -> Iterator[Finding]:
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z", root=root)
    for name in sorted({name for name in listed.split("\0") if name}):
        path = root / name
        if LOCKS.search(name) or not path.is_file() or path.stat().st_size > FILE_BYTES_MAX:
            continue
        content = path.read_bytes()
        if b"\0" not in content[:8000]:
            yield from in_text(name, content.decode("utf-8", "replace"))


def in_history(log: str) -> Iterator[Finding]:
    """`log` is what `git log --patch` says, each commit's line beginning with `commit `."""
    commit = path = ""
    for line in log.splitlines():
        if line.startswith("commit "):
            commit = line.split()[1][:12]
        elif line.startswith("+++ "):
            path = line.removeprefix("+++ ").removeprefix("b/")
        elif line.startswith("+") and not LOCKS.search(path):
            for kind, secret in secrets_in(line[1:]):
                yield Finding(kind, f"{commit} {path}", path, secret)


def read_allowed(path: Path = ALLOWED) -> dict[str, str]:
    """Digest -> why it is no secret. An allowance without a reason is a KeyError."""
    entries = tomllib.loads(path.read_text()).get("allowed", [])
    return {entry["digest"]: entry["why"] for entry in entries}


def not_allowed(findings: Iterable[Finding], allowed: dict[str, str]) -> list[str]:
    """The findings that no allowance fits, and the allowances that nothing needs any more."""
    found = list(findings)
    faults = [str(finding) for finding in found if finding.digest not in allowed]
    stale = allowed.keys() - {finding.digest for finding in found}
    return [*faults, *(f"allowance {digest} fits nothing any more" for digest in sorted(stale))]


def secrets_gate(space: Workspace) -> Result:
    found = list(in_files(space.root))
    commits = 0
    if space.base:
        log = git("log", "--patch", "-U0", "--no-color", f"{space.base}..HEAD", root=space.root)
        commits = sum(line.startswith("commit ") for line in log.splitlines())
        found += in_history(log)
    allowed = read_allowed()
    faults = not_allowed(found, allowed)
    if faults:
        return failed(f"{len(faults)} to look at", faults)
    return passed(
        f"none in the files and {commits} commits; {len(allowed)} look-alikes are allowed by name"
    )
