"""
Puts Terraform into `build/tools`, for runners that have none: one version, and only if the archive
is the one whose checksum stands here. Needs the standard library only.
"""

import hashlib
import io
import platform
import sys
import zipfile
from pathlib import Path
from urllib.request import urlopen

FOLDER = Path(__file__).resolve().parents[2] / "build" / "tools"
VERSION = "1.11.4"
MACHINES = {"x86_64": "linux_amd64", "aarch64": "linux_arm64"}
# Of the archives, from the release's own signed list.
CHECKSUMS = {
    "linux_amd64": "sha256:1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "sha256:a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
}


class WrongArchive(Exception):
    """What came is not what was published."""


def install(archive: bytes, checksum: str, folder: Path) -> Path:
    """
    Raises:
        WrongArchive: the checksum is another one; nothing is written then.
    """
    came = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    if came != checksum:
        raise WrongArchive(f"the archive has the checksum {came}, not {checksum}")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "terraform"
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        program.write_bytes(packed.read("terraform"))
    program.chmod(0o755)
    return program


def main() -> None:
    machine = platform.machine()
    if sys.platform != "linux" or machine not in MACHINES:
        sys.exit(f"No checksum is known for {sys.platform} on {machine}: install it yourself.")
    kind = MACHINES[machine]
    name = f"terraform_{VERSION}_{kind}.zip"
    with urlopen(
        f"https://releases.hashicorp.com/terraform/{VERSION}/{name}", timeout=120
    ) as answer:
        archive = answer.read()
    print(install(archive, CHECKSUMS[kind], FOLDER))


if __name__ == "__main__":
    main()
