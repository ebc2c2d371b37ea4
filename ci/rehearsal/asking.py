"""
Visitors who forgive nothing: they repeat no request, so that an answer which a patient page would
have asked for again is counted as lost. Every request is written down.
"""

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from ci.passenger import PATIENCE_SECONDS
from ci.rehearsal.next_release import HEADER
from ci.town import Town

LONGEST_SECONDS = 30.0
LOOK_SECONDS = 0.15
SERVICE = re.compile(r"/api/([a-z]+)/")
# The gateway itself answers this one, from a file.
AT_THE_EDGE = "/now-serving"


class Lost(Exception):
    """The answer was not the expected one, which the ledger knows; the visit is given up."""


@dataclass(frozen=True)
class Asked:
    """One request and what came of it; `failure` is empty when it went well."""

    at: float
    seconds: float
    method: str
    path: str
    version: str
    failure: str = ""

    @property
    def service(self) -> str:
        """Whose answer it was; empty where no service of ours was asked."""
        found = SERVICE.match(self.path)
        return "" if found is None or self.path.endswith(AT_THE_EDGE) else found[1]


@dataclass(frozen=True)
class Got:
    status: int
    version: str
    body: Any = None
    headers: httpx.Headers = field(default_factory=httpx.Headers)


@dataclass
class Ledger:
    """
    What all visitors did together; each list only grows, so no lock is needed to append.

    `made` are rows: the service, the key and the version that made each; `broken` is what was wrong
    though every answer had the expected status.
    """

    asked: list[Asked] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)
    made: list[tuple[str, str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def between(self, start: float, end: float) -> list[Asked]:
        return [one for one in self.asked if start <= one.at < end]

    def finish(self, key: str, deed: str) -> None:
        self.finished.append(key)
        self.deeds.append(deed)

    @property
    def failures(self) -> list[Asked]:
        return [one for one in self.asked if one.failure]

    @property
    def unfinished(self) -> set[str]:
        return set(self.begun) - set(self.finished)

    @property
    def done(self) -> Counter[str]:
        return Counter(self.deeds)

    def made_by(self, service: str, version: str) -> list[str]:
        return [key for whose, key, maker in self.made if (whose, maker) == (service, version)]


class Visitor(threading.Thread):
    """Comes again and again until told to stop, and finishes the last visit."""

    def __init__(self, town: Town, ledger: Ledger) -> None:
        super().__init__()
        self.town, self.ledger = town, ledger
        self._is_over = threading.Event()

    def visit(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self._is_over.set()

    def run(self) -> None:
        with httpx.Client(base_url=self.town.base_url, timeout=LONGEST_SECONDS) as self.http:
            while not self._is_over.is_set():
                try:
                    self.visit()
                except Lost:
                    pass
                except Exception as error:  # noqa: BLE001 - a visitor who is gone asks nothing more
                    self.ledger.broken.append(f"{type(self).__name__} broke off: {error!r}")
                    return

    def ask(self, method: str, path: str, *expected: int, **said: Any) -> Got:
        """
        Ask once.

        Raises:
            Lost: there was no answer, or not one of the expected ones.
        """
        at, failure, got = time.monotonic(), "", Got(0, "")
        try:
            answer = self.http.request(method, path, **said)
            got = _got(answer)
            if answer.status_code not in expected:
                failure = f"{answer.status_code}, not {expected}: {answer.text[:160]}"
        except httpx.HTTPError as error:
            failure = f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - at
        self.ledger.asked.append(Asked(at, seconds, method, path, got.version, failure))
        if failure:
            raise Lost(failure)
        return got

    def await_state(self, path: str, state: str, **said: Any) -> None:
        """
        Raises:
            Lost: an answer was, or the state does not come.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.ask("GET", path, 200, **said).body["state"] != state:
            if time.monotonic() > deadline:
                raise Lost(f"{path} does not become {state}")
            time.sleep(LOOK_SECONDS)

    def expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.ledger.broken.append(otherwise)


def _got(answer: httpx.Response) -> Got:
    is_json = "json" in answer.headers.get("Content-Type", "") and answer.content
    body = answer.json() if is_json else None
    return Got(answer.status_code, answer.headers.get(HEADER, "old"), body, answer.headers)


@contextlib.contextmanager
def visiting(visitors: Sequence[Visitor]) -> Iterator[None]:
    """Let them come during the block; at its end each finishes his last visit."""
    for visitor in visitors:
        visitor.start()
    try:
        yield
    finally:
        for visitor in visitors:
            visitor.stop()
        for visitor in visitors:
            visitor.join(4 * PATIENCE_SECONDS)
