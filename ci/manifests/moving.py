"""
The release manager's two commands, `make promote` and `make rollback`. Each moves one digest on a
branch of its own and describes what would change in the cluster; a reviewed merge makes it so.

The caller's working tree and branch stay as they are. Only what is committed counts. With a
context in ARGOCD_CONTEXT a promotion asks first whether the source runs well; without one it says
loudly that nobody was asked.
"""

import argparse
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ci.manifests.delivery_report import history
from ci.manifests.differences import checked_out, difference, git, objects_of
from ci.manifests.releases import (
    ENVIRONMENTS,
    NOTHING,
    Refused,
    digest_in,
    read_digest,
    release_path,
    write_digest,
)
from ci.manifests.rendering import ROOT, WITHOUT_KUBECTL, kubectl
from ci.manifests.standing import NOT_ASKED, require_well


@dataclass(frozen=True)
class Move:
    """One digest for one service of one environment; `verb` and `why` go into the description."""

    verb: str
    environment: str
    service: str
    digest: str
    why: str

    @property
    def branch(self) -> str:
        return f"{self.verb}/{self.service}-{self.environment}-{self.digest[7:19]}"

    @property
    def title(self) -> str:
        return f"{self.service}: {self.verb.capitalize()} {self.digest[7:19]} in {self.environment}"


def promotion(root: Path, source: str, target: str, service: str) -> Move:
    """
    Raises:
        Refused: a step is skipped, or the source has nothing that the target has not.
    """
    for environment in (source, target):
        if environment not in ENVIRONMENTS:
            raise Refused(f"{environment!r} is none of {', '.join(ENVIRONMENTS)}.")
    if ENVIRONMENTS.index(target) != ENVIRONMENTS.index(source) + 1:
        raise Refused(f"The way is {' -> '.join(ENVIRONMENTS)}, one step at a time.")
    digest = committed_digest(root, source, service)
    if digest == NOTHING:
        raise Refused(f"{service} was never released in {source}: there is nothing to promote.")
    if digest == committed_digest(root, target, service):
        raise Refused(f"{target} runs {service} {digest[7:19]} already.")
    why = f"What {source} runs goes to {target}."
    return Move("promote", target, service, digest, why)


def rollback(root: Path, environment: str, service: str) -> Move:
    """
    Back to what stood before: what was taken back once is not gone back to.

    Raises:
        Refused: there is none.
    """
    now = committed_digest(root, environment, service)
    before = [digest for digest in standing_digests(root, environment, service) if digest != now]
    if not before:
        said = f"{environment} ran no other {service} that was not taken back"
        raise Refused(f"{said}: there is nothing to go back to.")
    why = f"Back from {now[7:19]}. Migrations only expand, so the schema stays as it is."
    return Move("rollback", environment, service, before[-1], why)


def standing_digests(root: Path, environment: str, service: str) -> list[str]:
    """Oldest first; a digest that comes again takes away those that had replaced it."""
    standing: list[str] = []
    for release in history(root, environment, service):
        if release.digest in standing:
            del standing[standing.index(release.digest) + 1 :]
        else:
            standing.append(release.digest)
    return standing


def committed_digest(root: Path, environment: str, service: str) -> str:
    path = release_path(environment, service).as_posix()
    if not git(root, "ls-tree", "HEAD", "--", path):
        raise Refused(f"There is no {service} in {environment}: {path} is not committed.")
    return digest_in(git(root, "show", f"HEAD:{path}"))


def make_branch(root: Path, move: Move) -> str:
    """Commit the move on its branch and give the description, with the rendered difference."""
    if git(root, "branch", "--list", move.branch):
        raise Refused(f"The branch {move.branch} is there already: merge or delete it.")
    with checked_out(root, "HEAD", branch=move.branch) as place:
        before = objects_of(place, move.environment, move.service)
        was = read_digest(place, move.environment, move.service)
        write_digest(place, move.environment, move.service, move.digest)
        change = difference(before, objects_of(place, move.environment, move.service))
        body = f"{move.why}\n\nfrom {was}\nto   {move.digest}"
        path = release_path(move.environment, move.service).as_posix()
        git(place, "add", path)
        git(place, "commit", "--quiet", "-m", move.title, "-m", body)
    return f"# {move.title}\n\n{body}\n\nIn the cluster:\n\n```diff\n{change}\n```\n"


def asked(move: Move, source: str, context: str) -> Move:
    """
    The promotion with what was learnt of its source in its description.

    Raises:
        Refused: the source does not run it well, or cannot be asked.
    """
    if context:
        learnt = require_well(context, source, move.service, move.digest)
    else:
        learnt = NOT_ASKED.format(source=source, service=move.service, digest=move.digest[7:19])
    print(learnt, file=sys.stderr)
    return replace(move, why=f"{move.why} {learnt.splitlines()[0]}")


def main(words: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    promoting = verbs.add_parser("promote", help="move a digest one environment on")
    promoting.add_argument("--from", dest="source", required=True)
    promoting.add_argument("--to", dest="target", required=True)
    promoting.add_argument("--service", required=True)
    promoting.add_argument(
        "--argocd-context",
        default=os.environ.get("ARGOCD_CONTEXT", ""),
        help="kubectl context in which Argo CD is asked about the source",
    )
    rolling_back = verbs.add_parser("rollback", help="bring the digest before this one back")
    rolling_back.add_argument("--environment", required=True)
    rolling_back.add_argument("--service", required=True)
    chosen = parser.parse_args(words)
    if kubectl() is None:
        print(WITHOUT_KUBECTL, file=sys.stderr)
        return 2
    if chosen.verb == "promote":
        move = promotion(root, chosen.source, chosen.target, chosen.service)
        move = asked(move, chosen.source, chosen.argocd_context)
    else:
        move = rollback(root, chosen.environment, chosen.service)
    description = make_branch(root, move)
    written = root / "build" / f"{move.branch.replace('/', '-')}.md"
    written.parent.mkdir(exist_ok=True)
    written.write_text(description)
    print(description)
    print(f"The branch {move.branch} is made and the description is in {written}. Now:")
    print(f"  git push origin {move.branch}")
    print(f"  gh pr create --head {move.branch} --title '{move.title}' --body-file {written}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
