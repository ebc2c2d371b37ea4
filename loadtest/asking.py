"""
How a passenger's browser asks: by Locust's FastHttpUser over shared keep-alive connections, each
from a loopback address of its own, again while nobody answers, and with every answer recorded.
"""

import contextlib
import itertools
import random
import time

import gevent
import gevent.queue
from geventhttpclient.client import HTTPClientPool
from geventhttpclient.connectionpool import ConnectionPool
from locust import FastHttpUser

from loadtest.record import Record, Story

# In the world everybody has a connection; here a slow step must not keep the others waiting for
# theirs, so each kind of request has connections of its own.
LANES = {"now serving": 40, "join": 60, "payment": 100, "provider": 60, "is it paid": 60}
OTHER_LANE, OTHER_CONNECTIONS = "", 100
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


class Answer:
    """A status, 0 where the connection broke, and the JSON of the body."""

    def __init__(self, response) -> None:
        self.status = response.status_code or 0
        self.retry_after = float((response.headers or {}).get("Retry-After") or 0)
        self.body: dict = {}
        content_type = (response.headers or {}).get("Content-Type", "")
        if self.status and "json" in content_type:
            with contextlib.suppress(ValueError):
                self.body = response.json()

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        if self.status == 0:
            return "connection broken"
        return self.body.get("code") or str(self.status)


def connect_from_many_addresses() -> None:
    """
    Thousands of people do not share an address, and limits by address would say so. All of
    127.0.0.0/8 is this machine where the system allows it; elsewhere 127.0.0.1 has to do.
    """

    def connect(_self, sock, address):
        n = next(_addresses) % 16_000_000
        with contextlib.suppress(OSError):
            sock.bind((f"127.{n >> 16 & 127 | 1}.{n >> 8 & 255}.{n % 254 + 1}", 0))
        sock.connect(address)
        return sock

    ConnectionPool._connect_socket = connect  # noqa: SLF001 - there is no other way in


def share_connections() -> None:
    """
    One pool for all. The lanes before it are queues, because the pool's own semaphore looks at
    everybody who waits each time that a connection is given back.
    """
    Asking.client_pool = HTTPClientPool(
        concurrency=CONNECTIONS, network_timeout=TIMEOUT_SECONDS, connection_timeout=5.0
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
    token: str = ""
    first_look_seconds = 3.0
    story: Story | None = None

    def ask(
        self, step: str, method: str, path: str, *, body=None, form=None, admission="", token=""
    ):
        """
        Ask until somebody answers. Reads and PUTs may be repeated; what is overloaded or
        restarting is asked again after a pause.

        Raises:
            NoAnswerError: nobody answered while a person would wait.
        """
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.3
        while True:
            answer = self.ask_once(
                step, method, path, body=body, form=form, admission=admission, token=token
            )
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
        answer = Answer(response)
        outcome = "ok" if answer.is_good or answer.status in {302, 303} else answer.code
        self.record.answered(step, outcome, time.perf_counter() - began)
        if self.story is not None:
            self.story.requests += 1
        return answer
