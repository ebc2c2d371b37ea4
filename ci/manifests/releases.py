"""
Which image an environment runs of a service: one digest in one file, the only thing that a
promotion or a rollback moves.

`python -m ci.manifests.releases dev order sha256:…` writes it: the pipeline's last step.
"""

import argparse
import re
import sys
from pathlib import Path

from ci.manifests.rendering import ROOT

ENVIRONMENTS = ("dev", "staging", "prod")
DIGEST = re.compile(r"^(?P<before> *digest: *)(?P<digest>sha256:[0-9a-f]{64})$", re.MULTILINE)
NOTHING = "sha256:" + "0" * 64


class Refused(SystemExit):
    """Ends the program with the reason; nothing was changed."""


def release_path(environment: str, service: str) -> Path:
    """Relative to the repository."""
    return Path("gitops", "envs", environment, service, "release", "kustomization.yaml")


def digest_in(text: str) -> str:
    found = DIGEST.findall(text)
    if len(found) != 1:
        raise Refused(f"A release file names one digest, this one {len(found)}.")
    return found[0][1]


def read_digest(root: Path, environment: str, service: str) -> str:
    path = root / release_path(environment, service)
    if not path.exists():
        raise Refused(f"There is no {service} in {environment}: {path} is missing.")
    return digest_in(path.read_text())


def write_digest(root: Path, environment: str, service: str, digest: str) -> None:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise Refused(f"{digest!r} is no digest: sha256: and 64 hexadecimal digits.")
    read_digest(root, environment, service)
    path = root / release_path(environment, service)
    path.write_text(DIGEST.sub(rf"\g<before>{digest}", path.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", choices=["dev"], help="the others get theirs by promotion")
    parser.add_argument("service")
    parser.add_argument("digest")
    chosen = parser.parse_args()
    write_digest(ROOT, chosen.environment, chosen.service, chosen.digest)


if __name__ == "__main__":
    sys.exit(main())
