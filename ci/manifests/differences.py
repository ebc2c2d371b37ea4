"""
What changes in a cluster, as a difference of rendered objects rather than of files.

`make diff ENV=prod` shows it for the working tree against the last commit.
"""

import argparse
import contextlib
import difflib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from ci.manifests.rendering import (
    ROOT,
    WITHOUT_KUBECTL,
    CannotRender,
    folders_of,
    kubectl,
    name_of,
    render,
)


class Readable(yaml.SafeDumper):
    """Programs and queries as blocks, so that a change in them shows as the lines that change."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Readable.add_representer(str, _text)


def git(root: Path, *words: str) -> str:
    """
    Raises:
        SystemExit: with git's own words.
    """
    command = ["git", "-C", str(root), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def checked_out(root: Path, revision: str, *, branch: str | None = None) -> Iterator[Path]:
    """A work tree of its own, so that the caller's stays as it is; with `branch`, on a new one."""
    with tempfile.TemporaryDirectory(prefix="railgate-") as name:
        place = Path(name) / "tree"
        way = ["-b", branch] if branch else ["--detach"]
        git(root, "worktree", "add", "--quiet", *way, str(place), revision)
        try:
            yield place
        finally:
            git(root, "worktree", "remove", "--force", str(place))


def objects_of(root: Path, environment: str, service: str | None = None) -> dict[str, str]:
    """Title -> YAML of everything an environment, or one service of it, consists of."""
    home = root / "gitops" / "envs" / environment
    found = {}
    for folder in folders_of(home) if home.is_dir() else []:
        if service in {None, folder.name}:
            for body in render(folder):
                title = f"{folder.name}/{body['kind']}/{name_of(body)}"
                found[title] = yaml.dump(body, Dumper=Readable, width=100)
    return found


def difference(before: dict[str, str], after: dict[str, str]) -> str:
    lines: list[str] = []
    for title in sorted(before.keys() | after.keys()):
        old, new = before.get(title, ""), after.get(title, "")
        if old != new:
            lines += difflib.unified_diff(
                old.splitlines(),
                new.splitlines(),
                fromfile=title if old else "(nothing)",
                tofile=title if new else "(nothing)",
                lineterm="",
            )
    return "\n".join(lines)


def show(root: Path, environment: str, revision: str) -> str:
    """
    Raises:
        CannotRender: one of the two trees does not render.
    """
    with checked_out(root, revision) as committed:
        before = objects_of(committed, environment)
    return difference(before, objects_of(root, environment))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", required=True)
    parser.add_argument("--against", default="HEAD")
    chosen = parser.parse_args()
    if kubectl() is None:
        print(WITHOUT_KUBECTL, file=sys.stderr)
        return 2
    if not (ROOT / "gitops" / "envs" / chosen.environment).is_dir():
        print(f"There is no environment {chosen.environment!r}.", file=sys.stderr)
        return 2
    try:
        print(show(ROOT, chosen.environment, chosen.against) or "Nothing changes.")
    except CannotRender as error:
        print(f"Kustomize refuses: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
