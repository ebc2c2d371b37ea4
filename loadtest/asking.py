"""
How a passenger's browser asks: by Locust's FastHttpUser over shared keep-alive connections, each
from a loopback address of its own, again while nobody answers, and with every answer recorded.
Polls go by connections of their own.
"""

import contextlib
import itertools
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import gevent
import gevent.queue
from geventhttpclient.client import HTTPClientPool
from geventhttpclient.connectionpool import ConnectionPool
from locust import FastHttpUser

from loadtest.polling import Polls
from loadtest.record import Record, Story

# In the world everybody has a connection; here a slow step must not keep the others waiting for
# theirs, so each kind of request has connections of its own.
LANES = {"join": 60, "payment": 100, "provider": 60, "is it paid": 60}
OTHER_LANE, OTHER_CONNECTIONS = "", 100
POLL_CONNECTIONS = 40
LANE_OF = {"provider page": "provider", "provider form": "provider"}
CONNECTIONS = sum(LANES.values()) + OTHER_CONNECTIONS
PATIENCE_SECONDS = 90.0
TIMEOUT_SECONDS = 30.0
UNSEEN = frozenset({0, 500, 502, 503, 504})
_addresses = itertools.count(random.Random().randrange(1, 4_000_000))


def lane_of(step: str) -> str:
    return LANE_OF.get(step, step if step in LANES else OTHER_LANE)


class NoAnswerError(Exception):
    """Nobody answered for so long that a person would have gone home."""


@dataclass
class Answer:
    """A status, 0 where the connection broke, and the JSON of the body."""

    status: int
    body: dict
    retry_after: float = 0.0

    @classmethod
    def of(cls, response) -> "Answer":
        headers, body = response.headers or {}, {}
        if response.status_code and "json" in headers.get("Content-Type", ""):
            with contextlib.suppress(ValueError):
                body = response.json()
        return cls(response.status_code or 0, body, float(headers.get("Retry-After") or 0))

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        if self.status == 0:
            return "connection broken"
        return self.body.get("code") or str(self.status)


def own_address() -> str:
    """
    Thousands of people do not share an address, and limits by address would say so. All of
    127.0.0.0/8 is this machine where the system allows it.
    """
    n = next(_addresses) % 16_000_000
    return f"127.{n >> 16 & 127 | 1}.{n >> 8 & 255}.{n % 254 + 1}"


def begin_asking(base_url: str) -> Record:
    """Let all people of this process ask there; gives the record of their answers."""
    _connect_from_many_addresses()
    Asking.record, Asking.host = Record(), base_url
    _share_connections(base_url)
    return Asking.record


def _connect_from_many_addresses() -> None:
    """Where the system allows no such address, 127.0.0.1 has to do."""

    def connect(_self, sock, address):
        with contextlib.suppress(OSError):
            sock.bind((own_address(), 0))
        sock.connect(address)
        return sock

    ConnectionPool._connect_socket = connect  # noqa: SLF001 - there is no other way in


def _share_connections(base_url: str) -> None:
    """
    One pool for all. The lanes before it are queues, because the pool's own semaphore looks at
    everybody who waits each time that a connection is given back.
    """
    Asking.client_pool = HTTPClientPool(
        concurrency=CONNECTIONS, network_timeout=TIMEOUT_SECONDS, connection_timeout=5.0
    )
    address = urlsplit(base_url)
    Asking.polls = Polls(
        (address.hostname, address.port or 80),
        width=POLL_CONNECTIONS,
        timeout_seconds=TIMEOUT_SECONDS,
        own_address=own_address,
    )
    Asking.lanes = {}
    for lane, width in (*LANES.items(), (OTHER_LANE, OTHER_CONNECTIONS)):
        Asking.lanes[lane] = gevent.queue.Queue()
        for turn in range(width):
            Asking.lanes[lane].put(turn)


class Asking(FastHttpUser):
    """Someone at a browser; `record` and `client_pool` are set by the generator."""

    abstract = True
    record: Record
    lanes: dict[str, gevent.queue.Queue]
    polls: Polls
    token: str = ""
    first_look_seconds = 3.0
    story: Story | None = None

    def ask(self, step: str, method: str, path: str, **more) -> Answer:
        """
        Ask until somebody answers; `more` is what `ask_once` takes.

        Raises:
            NoAnswerError: nobody answered while a person would wait.
        """
        return self._until_answered(step, lambda: self.ask_once(step, method, path, **more))

    def poll(self, step: str, path: str) -> Answer:
        """
        Raises:
            NoAnswerError: nobody answered while a person would wait.
        """
        return self._until_answered(step, lambda: self._poll_once(step, path))

    def _until_answered(self, step: str, once: Callable[[], Answer]) -> Answer:
        """
        Reads and PUTs may be repeated; what is overloaded or restarting is asked again after a
        pause.
        """
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.3
        while True:
            answer = once()
            if answer.status == 429 and answer.code == "too_many_requests":
                pause = max(answer.retry_after, 1.0)
            elif answer.status not in UNSEEN:
                return answer
            if time.monotonic() > deadline:
                raise NoAnswerError(f"{step}: {answer.code}")
            gevent.sleep(pause * random.uniform(0.7, 1.3))
            pause = min(pause * 2, 5.0)

    def ask_once(
        self, step: str, method: str, path: str, *, body=None, form=None, admission="", token=""
    ) -> Answer:
        headers = {"Accept-Encoding": "identity"}
        if self.token and not path.startswith("http"):
            headers["Authorization"] = f"Bearer {token or self.token}"
        if admission:
            headers["Admission-Pass"] = admission
        began = time.perf_counter()
        lane = self.lanes[lane_of(step)]
        turn = lane.get()
        try:
            response = self.client.request(
                method, path, name=step, json=body, data=form, headers=headers,
                allow_redirects=False,
            )  # fmt: skip
        finally:
            lane.put(turn)
        return self._recorded(step, Answer.of(response), began)

    def _poll_once(self, step: str, path: str) -> Answer:
        began = time.perf_counter()
        status, body = self.polls.ask(path)
        return self._recorded(step, Answer(status, _parsed(body)), began)

    def _recorded(self, step: str, answer: Answer, began: float) -> Answer:
        outcome = "ok" if answer.is_good or answer.status in {302, 303} else answer.code
        self.record.answered(step, outcome, time.perf_counter() - began)
        if self.story is not None:
            self.story.requests += 1
        return answer


@lru_cache(maxsize=4)
def _parsed(body: bytes) -> dict:
    """Everybody gets the same answer for half a second; nobody changes it."""
    with contextlib.suppress(ValueError):
        return json.loads(body)
    return {}
