"""
What a change touches: the apps whose tests run and the images that are built. A path that no rule
knows means everything; it never means nothing. Needs the standard library only.
"""

import argparse
import json
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = re.compile(r"^\s*(?:from|import)\s+(\w+)", re.MULTILINE)

IN_EVERY_IMAGE = re.compile(
    r"^(apps/)?(requirements\.(in|txt)|[^/]*(Docker|Container)file.*|\.dockerignore)$"
    r"|^ci/images/(entry|installing)\.py$"
)
IN_EVERY_TEST = re.compile(r"^(pyproject\.toml|conftest\.py|Makefile|ci/requirements\.(in|txt))$")
IN_JOURNEYS = re.compile(r"^ci/(journeys/.*|\w+\.py)$")
IN_NOTHING_BUILT = re.compile(
    r"^(gitops|terraform|docs|loadtest|ci|\.github)/|\.md$"
    r"|^(LICENSE|NOTICE|\.gitignore|\.editorconfig|renovate\.json5?|compose\.yaml"
    r"|sonar-project\.properties)$"
)


@dataclass(frozen=True)
class Scope:
    """`apps` are tested, `images` are built; `journeys` says whether whole purchases are tried."""

    apps: frozenset[str]
    images: frozenset[str]
    journeys: bool

    def __or__(self, other: "Scope") -> "Scope":
        return Scope(
            self.apps | other.apps, self.images | other.images, self.journeys or other.journeys
        )


NOTHING = Scope(frozenset(), frozenset(), journeys=False)


@dataclass(frozen=True)
class Tree:
    """
    Who imports whom, read from the code. `sources` decides about images, `tests` adds what only
    tests import, and `everywhere` is what the tests' common fixtures stand on.
    """

    sources: dict[str, frozenset[str]]
    tests: dict[str, frozenset[str]]
    everywhere: frozenset[str]
    with_image: frozenset[str]

    @property
    def apps(self) -> frozenset[str]:
        return frozenset(self.sources)

    def everything(self) -> Scope:
        return Scope(self.apps, self.with_image, journeys=True)

    def _importers(self, app: str, imports: dict[str, frozenset[str]]) -> frozenset[str]:
        found, waiting = {app}, [app]
        while waiting:
            one = waiting.pop()
            new = {other for other, names in imports.items() if one in names} - found
            found |= new
            waiting += new
        return frozenset(found)

    def of_source(self, app: str) -> Scope:
        images = self._importers(app, self.sources) & self.with_image
        both = {name: self.sources[name] | self.tests[name] for name in self.sources}
        standing_on = {one for one in self.everywhere if app in self._reach(one)}
        apps = self.apps if standing_on else self._importers(app, both)
        return Scope(apps, images, journeys=True)

    def _reach(self, app: str) -> frozenset[str]:
        """The app and what it imports, directly or not."""
        found, waiting = {app}, [app]
        while waiting:
            new = (self.sources.get(waiting.pop(), frozenset()) & self.apps) - found
            found |= new
            waiting += new
        return frozenset(found)


def imports_under(folder: Path) -> frozenset[str]:
    texts = (path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    return frozenset(name for text in texts for name in IMPORTED.findall(text))


@cache
def read_tree(root: Path = ROOT) -> Tree:
    homes = {path.parent.name: path.parent for path in root.glob("apps/*/pyproject.toml")}
    conftest = root / "conftest.py"
    common = IMPORTED.findall(conftest.read_text()) if conftest.exists() else []
    return Tree(
        sources={name: imports_under(home / "src") & set(homes) for name, home in homes.items()},
        tests={name: imports_under(home / "tests") & set(homes) for name, home in homes.items()},
        everywhere=frozenset({"chassis", *common}) & set(homes),
        with_image=frozenset(p.name for p in root.glob("gitops/envs/base/*")) & set(homes),
    )


def scope_of(paths: Iterable[str], tree: Tree) -> Scope:
    scope = NOTHING
    for path in paths:
        scope |= scope_of_path(path, tree)
    return scope


def scope_of_path(path: str, tree: Tree) -> Scope:
    parts = PurePosixPath(path).parts
    if IN_EVERY_IMAGE.search(path):
        return tree.everything()
    if IN_EVERY_TEST.search(path):
        return Scope(tree.apps, frozenset(), journeys=True)
    if IN_JOURNEYS.search(path):
        return Scope(frozenset(), frozenset(), journeys=True)
    if IN_NOTHING_BUILT.search(path):
        return NOTHING
    if len(parts) > 2 and parts[0] == "apps" and parts[1] in tree.apps:
        if parts[2] == "tests":
            return Scope(frozenset({parts[1]}), frozenset(), journeys=False)
        return tree.of_source(parts[1])
    return tree.everything()


def git(*arguments: str, root: Path = ROOT) -> str:
    return subprocess.run(
        ["git", "-c", "core.quotepath=off", *arguments],
        cwd=root, capture_output=True, text=True, check=True, errors="replace",
    ).stdout  # fmt: skip


def base_commit(reference: str | None, root: Path = ROOT) -> str | None:
    """
    The commit where the change left `reference`. Without one, `origin/main` is taken if it is
    there; else everything counts as new. Raises CalledProcessError for a reference unknown to git.
    """
    if reference:
        return git("merge-base", reference, "HEAD", root=root).strip()
    try:
        return git("merge-base", "origin/main", "HEAD", root=root).strip()
    except subprocess.CalledProcessError:
        return None


def last_deployed(root: Path = ROOT) -> str | None:
    """
    The commit whose images were last put on dev, from that commit's trailer. What was merged since
    counts as changed, so that a build that failed is made up for by the next.
    """
    said = git(
        "log", "-1", "--grep=^Source: ", "--format=%(trailers:key=Source,valueonly)",
        "--", "gitops/envs/dev", root=root,
    ).strip()  # fmt: skip
    return said.splitlines()[0] if said else None


def changed_paths(base: str, root: Path = ROOT) -> list[str]:
    """Committed since the base, not yet committed, and not yet known to git."""
    changed = git("diff", "--name-only", "--no-renames", "-z", base, root=root)
    fresh = git("ls-files", "--others", "--exclude-standard", "-z", root=root)
    return sorted({path for path in (changed + fresh).split("\0") if path})


def scope_since(base: str | None, root: Path = ROOT) -> Scope:
    tree = read_tree(root)
    return scope_of(changed_paths(base, root), tree) if base else tree.everything()


def touches_infrastructure(base: str | None, root: Path = ROOT) -> bool:
    """Whether a plan of Terraform could say anything new."""
    if base is None:
        return True
    return any(path.startswith("terraform/") for path in changed_paths(base, root))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", help="branch or commit that the change goes to")
    parser.add_argument("--all", action="store_true", help="as if everything had changed")
    parser.add_argument("--deployed", action="store_true", help="since what dev runs")
    asked = parser.parse_args()
    base = last_deployed() if asked.deployed else None if asked.all else base_commit(asked.base)
    scope = scope_since(base)
    lines = [
        f"apps={json.dumps(sorted(scope.apps))}",
        f"images={json.dumps(sorted(scope.images))}",
        f"journeys={json.dumps(scope.journeys)}",
        f"infrastructure={json.dumps(touches_infrastructure(base))}",
    ]
    print("\n".join(lines))
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as stream:
            stream.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
