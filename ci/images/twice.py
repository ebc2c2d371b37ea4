"""
`make image-twice SERVICE=order`: one image is built twice without a cache, the second time from a
copy of the source whose files have other times and rights. Both must have the same layers, byte for
byte, the same settings and the same steps; podman's names of what lay between the steps may differ.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ci.images import building
from ci.images.engine import Engine, EngineFailed

SHOWN = 20
# Later than any file of the first build, and readable by its owner only.
COPY_TIME = 1_900_000_000
COPY_RIGHTS = 0o700


def differences(engine: Engine, service: str) -> list[str]:
    """What tells the second build from the first; empty when nothing does."""
    base = building.known_base(engine, may_be_made=True)
    with tempfile.TemporaryDirectory(prefix="railgate-twice-") as name:
        folder = Path(name)
        copied_source(folder / "source")
        images = [f"railgate/{service}:first", f"railgate/{service}:second"]
        try:
            for image, source in zip(images, (building.ROOT, folder / "source"), strict=True):
                print(f"Building {image} without a cache ...", flush=True)
                building.build(
                    engine, service, base, source=source, image=image, words=("--no-cache",)
                )
            return compared(engine, *images, folder)
        finally:
            engine.run("rmi", "--force", *images, check=False)


def copied_source(folder: Path) -> None:
    """What Git knows and is there, with other times and rights than here."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(listed, cwd=building.ROOT, text=True).split("\0")
    for name in filter(None, names):
        source, copy = building.ROOT / name, folder / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    for path in (folder, *folder.rglob("*")):
        path.chmod(COPY_RIGHTS)
        os.utime(path, (COPY_TIME, COPY_TIME))


def compared(engine: Engine, first: str, second: str, folder: Path) -> list[str]:
    one, other = (_inspected(engine, image) for image in (first, second))
    faults = [
        f"{name} differs: {one.get(name)} and {other.get(name)}"
        for name in ("Created", "Architecture", "Config")
        if one.get(name) != other.get(name)
    ]
    faults += [
        f"step {number}: {' and '.join(step['created_by'] for step in steps)}"
        for number, steps in enumerate(zip(one["History"], other["History"], strict=True))
        if steps[0]["created_by"] != steps[1]["created_by"]
    ]
    if one["RootFS"]["Layers"] != other["RootFS"]["Layers"]:
        listings = [_files(engine, image, folder) for image in (first, second)]
        faults += told(*listings) or ["the layers differ, though their files are the same"]
    if not faults:
        print("The same layers twice:", *one["RootFS"]["Layers"], sep="\n  ")
    return faults


def _inspected(engine: Engine, image: str) -> dict:
    found: list[dict] = json.loads(engine.run("image", "inspect", image).stdout)
    return found[0]


def told(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Which files differ, and how; so many at most that a person reads them."""
    differing = sorted(
        name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
    )
    lines = [
        f"{name}: {first.get(name, 'not there')} and {second.get(name, 'not there')}"
        for name in differing[:SHOWN]
    ]
    left_out = len(differing) - len(lines)
    return [*lines, f"and {left_out} more"] if left_out else lines


def _files(engine: Engine, image: str, folder: Path) -> dict[str, str]:
    archive = folder / "saved.tar"
    archive.unlink(missing_ok=True)
    engine.run("save", "--format=docker-archive", f"--output={archive}", image)
    with tarfile.open(archive) as saved:
        return dict(files_of(saved))


def files_of(saved: tarfile.TarFile) -> Iterator[tuple[str, str]]:
    """Every file of every layer with all that makes it what it is."""
    (manifest,) = json.load(_member(saved, "manifest.json"))
    for number, layer in enumerate(manifest["Layers"]):
        with tarfile.open(fileobj=_member(saved, layer)) as files:
            for entry in files:
                content = files.extractfile(entry) if entry.isfile() else None
                digest = hashlib.sha256(content.read()).hexdigest()[:16] if content else ""
                yield f"{number}:{entry.name}", _described(entry, digest)


def _described(entry: tarfile.TarInfo, digest: str) -> str:
    kind = entry.type.decode()
    owner = f"{entry.uid}:{entry.gid}"
    words = (kind, oct(entry.mode), owner, str(entry.mtime), entry.linkname, digest)
    return " ".join(filter(None, words))


def _member(saved: tarfile.TarFile, name: str) -> io.BufferedIOBase:
    found = saved.extractfile(name)
    if found is None:
        raise EngineFailed(f"The saved image has no {name}.")
    return found
