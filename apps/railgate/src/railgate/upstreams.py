"""
Where each service answers now. The gateway starts with a table; a file may move a service
elsewhere and is read again on SIGHUP, which drops no request: what is in hand ends where it began.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

ADDRESS = re.compile(r"http://[A-Za-z0-9.-]+(:[0-9]{1,5})?")


class InvalidUpstreams(ValueError):
    """The file is unreadable, names an unknown service, or gives what is no address."""


class Upstreams:
    """A file moves services of the start's table; it can open no path that was closed."""

    def __init__(self, at_start: Mapping[str, str], file: Path | None = None) -> None:
        self._at_start = dict(at_start)
        self._now = dict(at_start)
        self._file = file
        self.reread()

    def __contains__(self, name: str) -> bool:
        return name in self._at_start

    @property
    def names(self) -> list[str]:
        return list(self._at_start)

    def address(self, name: str) -> str | None:
        return self._now.get(name)

    def reread(self) -> None:
        """A file that is broken changes nothing: half a switch is worse than none."""
        if self._file is None or not self._file.exists():
            return
        try:
            self._now = self._at_start | read_moves(self._file, self._at_start)
        except InvalidUpstreams as error:
            print(f"{self._file} was not taken: {error}", file=sys.stderr, flush=True)


def read_moves(file: Path, known: Mapping[str, str]) -> dict[str, str]:
    """
    Read `{"order": "http://127.0.0.1:9083"}`.

    Raises:
        InvalidUpstreams: with what is wrong in the file.
    """
    try:
        moves = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InvalidUpstreams(str(error)) from error
    if not isinstance(moves, dict):
        raise InvalidUpstreams("it is no object of services and addresses.")
    for name, address in moves.items():
        if name not in known:
            raise InvalidUpstreams(f"{name} is no service of this gateway.")
        if not isinstance(address, str) or not ADDRESS.fullmatch(address):
            raise InvalidUpstreams(f"{address!r} is no address like http://127.0.0.1:8083.")
    return moves


def write_moves(file: Path, moves: Mapping[str, str]) -> None:
    """Put the whole file in place at once, so that nobody reads half of it."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(json.dumps(dict(moves), indent=2))
    fresh.replace(file)
