"""
How well changes reach an environment, by the four keys of DORA, read from the release commits in
Git and from nothing else: how often, how long after the change was written, how many had to be
taken back, and how long that took.

`make delivery-report ENV=prod DAYS=90`
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

from ci.manifests.differences import git
from ci.manifests.releases import DIGEST, ENVIRONMENTS, NOTHING, release_path
from ci.manifests.rendering import ROOT

SOURCE = re.compile(r"^Source: ([0-9a-f]{40})$", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """One digest on an environment. `written_at` is when its code was committed, if known."""

    service: str
    digest: str
    released_at: datetime
    written_at: datetime | None = None
    is_back: bool = False


@dataclass(frozen=True)
class Report:
    service: str
    releases: int
    taken_back: int
    lead_time: timedelta | None
    time_to_restore: timedelta | None

    @property
    def failed_share(self) -> float | None:
        return self.taken_back / self.releases if self.releases else None


def history(root: Path, environment: str, service: str) -> list[Release]:
    """
    Every digest that the environment had, oldest first. Back is what was there before: a digest
    that had been replaced and comes again.
    """
    path = release_path(environment, service).as_posix()
    written = sources(root, service)
    found: list[Release] = []
    words = ("log", "--first-parent", "--reverse", "--format=%H %ct", "--", path)
    for commit, _, moment in (line.partition(" ") for line in git(root, *words).splitlines()):
        digest = _digest(root, commit, path)
        if digest in {"", NOTHING} or (found and found[-1].digest == digest):
            continue
        is_back = any(release.digest == digest for release in found)
        found.append(Release(service, digest, _time(moment), written.get(digest), is_back))
    return found


def sources(root: Path, service: str) -> dict[str, datetime]:
    """Digest -> when the commit it was built from was made, which its release on dev names."""
    path = release_path("dev", service).as_posix()
    moments = dict(line.split() for line in git(root, "log", "--format=%H %ct").splitlines())
    found: dict[str, datetime] = {}
    for commit in git(root, "log", "--first-parent", "--format=%H", "--", path).split():
        named = SOURCE.search(git(root, "show", "--no-patch", "--format=%B", commit))
        if named and named[1] in moments:
            found[_digest(root, commit, path)] = _time(moments[named[1]])
    return found


def _digest(root: Path, commit: str, path: str) -> str:
    if not git(root, "ls-tree", commit, "--", path):
        return ""
    named = DIGEST.search(git(root, "show", f"{commit}:{path}"))
    return named["digest"] if named else ""


def _time(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds.strip()), UTC)


def judge(service: str, releases: list[Release], *, since: datetime) -> Report:
    """A release counts as failed when the next one takes it back; back itself is no delivery."""
    recent = [one for one in releases if one.released_at >= since and not one.is_back]
    pairs = pairwise(releases)
    restored = [
        back.released_at - bad.released_at for bad, back in pairs if back.is_back and bad in recent
    ]
    leads = [one.released_at - one.written_at for one in recent if one.written_at]
    return Report(
        service,
        releases=len(recent),
        taken_back=len(restored),
        lead_time=median(leads) if leads else None,
        time_to_restore=median(restored) if restored else None,
    )


def reports(root: Path, environment: str, *, since: datetime) -> Iterator[Report]:
    homes = sorted((root / "gitops" / "envs" / environment).glob("*/release/kustomization.yaml"))
    for service in (home.parent.parent.name for home in homes):
        yield judge(service, history(root, environment, service), since=since)


def as_table(found: Iterable[Report]) -> str:
    lines = [
        "| service | releases | lead time (median) | taken back | time to restore (median) |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        share = "-" if one.failed_share is None else f"{one.taken_back} ({one.failed_share:.0%})"
        lead, restore = readable(one.lead_time), readable(one.time_to_restore)
        lines.append(f"| {one.service} | {one.releases} | {lead} | {share} | {restore} |")
    return "\n".join(lines)


def readable(length: timedelta | None) -> str:
    if length is None:
        return "-"
    minutes = round(length.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} d"


def main(words: list[str] | None = None, root: Path = ROOT, now: datetime | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", default="prod", choices=ENVIRONMENTS)
    parser.add_argument("--days", type=int, default=90)
    chosen = parser.parse_args(words)
    since = (now or datetime.now(UTC)) - timedelta(days=chosen.days)
    print(f"{chosen.environment}, the last {chosen.days} days, by its release commits:\n")
    print(as_table(reports(root, chosen.environment, since=since)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
