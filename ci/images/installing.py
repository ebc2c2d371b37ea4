"""
Runs inside the image's build: installs what one service needs into a virtual environment, by hash
from the common lock file. What it needs is found by following what each package says of itself.

It uses the standard library and pip alone, since nothing else is there yet.
"""

import argparse
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

OURS = "railgate-"
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==")


class NotLocked(SystemExit):
    """Something is needed that the lock file does not have, so it would come unchecked."""


def locked_requirements(lock: str) -> dict[str, str]:
    """Give each package's part of the lock file, its version and hashes together."""
    parts: dict[str, str] = {}
    name = ""
    for line in lock.splitlines():
        if found := LOCKED.match(line):
            name = canonicalize_name(found[1])
            parts[name] = ""
        if name and line.strip() and not line.lstrip().startswith("#"):
            parts[name] += f"{line}\n"
    return parts


def roots_of(apps: Path, app: str, without: set[str]) -> tuple[list[str], list[str]]:
    """Give our own packages that go into the image, and what they depend on."""
    project = tomllib.loads((apps / app / "pyproject.toml").read_text())["project"]
    ours, others = [app], []
    for dependency in project["dependencies"]:
        name = canonicalize_name(Requirement(dependency).name)
        if name.startswith(OURS):
            deeper_ours, deeper = roots_of(apps, name.removeprefix(OURS), without)
            ours, others = ours + deeper_ours, others + deeper
        elif name not in without:
            others.append(dependency)
    return ours, others


class Installation:
    """Grows a set of packages until it needs nothing more."""

    def __init__(self, python: str, parts: dict[str, str]) -> None:
        self._python, self._parts = python, parts
        self._installed: set[str] = set()
        self._extras: dict[str, set[str]] = {}
        self.site = Path(
            subprocess.check_output(
                [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
            ).strip()
        )

    def install(self, dependencies: list[str]) -> None:
        for dependency in dependencies:
            self._want(Requirement(dependency))
        while missing := sorted(set(self._extras) - self._installed):
            self._pip(missing)
            self._installed.update(missing)
            self._follow()

    def _want(self, requirement: Requirement) -> None:
        name = canonicalize_name(requirement.name)
        self._extras.setdefault(name, set()).update(requirement.extras)

    def _follow(self) -> None:
        """An extra may be asked for after its package is in, so all are read until none adds."""
        while True:
            before = {name: set(extras) for name, extras in self._extras.items()}
            for found in importlib.metadata.distributions(path=[str(self.site)]):
                extras = before.get(canonicalize_name(found.name), set())
                for requirement in map(Requirement, found.requires or []):
                    if _applies(requirement, extras):
                        self._want(requirement)
            if self._extras == before:
                return

    def _pip(self, names: list[str]) -> None:
        unknown = [name for name in names if name not in self._parts]
        if unknown:
            raise NotLocked(f"apps/requirements.txt has no {', '.join(unknown)}.")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as subset:
            subset.write("".join(self._parts[name] for name in names))
            subset.flush()
            words = ["--require-hashes", "--no-deps", "--no-compile", "--no-cache-dir"]
            words += ["--only-binary", ":all:", "--quiet", "--disable-pip-version-check"]
            words += ["--requirement", subset.name]
            subprocess.run(
                [sys.executable, "-m", "pip", "--python", self._python, "install", *words],
                check=True,
            )


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras})


def copy_ours(apps: Path, ours: list[str], site: Path) -> None:
    """
    Our packages are plain Python: they are copied, and no build tool comes along. Their rights are
    those of the image, whatever a checkout's were.
    """
    for app in ours:
        shutil.copytree(
            apps / app / "src" / app, site / app,
            ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True,
        )  # fmt: skip
        for path in (site / app, *(site / app).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def tidy(venv: Path) -> None:
    """Leave what runs: no activation scripts, and of the commands only Python and gunicorn."""
    for path in (venv / "bin").iterdir():
        if not path.name.startswith("python") and path.name != "gunicorn":
            path.unlink()
    for name in ("include", "share"):
        shutil.rmtree(venv / name, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("packages", "ours"))
    parser.add_argument("app")
    parser.add_argument("--apps", type=Path, required=True)
    parser.add_argument("--venv", type=Path, required=True)
    parser.add_argument("--without", default="", help="dependencies to leave out, by spaces")
    options = parser.parse_args()
    ours, others = roots_of(options.apps, options.app, set(options.without.split()))
    parts = locked_requirements((options.apps / "requirements.txt").read_text())
    installation = Installation(str(options.venv / "bin" / "python"), parts)
    if options.what == "packages":
        installation.install(others)
    else:
        copy_ours(options.apps, ours, installation.site)
        tidy(options.venv)


if __name__ == "__main__":
    main()
