"""
Remembers which services' databases this very code has prepared, so that a second start
of the same code does not do it all again.
"""

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

from railgate.town import Service


class Prepared:
    """The memory lies beside the data it speaks of, and goes with it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "prepared.json"

    def is_done(self, service: Service) -> bool:
        return self._read().get(service.name) == code_digest(service.name)

    def remember(self, services: Sequence[Service]) -> None:
        done = {service.name: code_digest(service.name) for service in services}
        self._path.write_text(json.dumps(done, indent=2))

    def _read(self) -> dict[str, str]:
        try:
            done = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return done if isinstance(done, dict) else {}


def code_digest(package: str) -> str:
    """Digest all files of an installed package, its migrations and tables of facts among them."""
    found = importlib.util.find_spec(package)
    digest = hashlib.sha256()
    for place in (found.submodule_search_locations or []) if found is not None else []:
        for path in sorted(Path(place).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(place)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
