"""
Calls to a neighbour: a timeout on each, the request id passed on, refusals and silence told apart.

The standard library's client over kept connections costs a call 40 % of what httpx does, and a
purchase has five calls.
"""

import ssl
import time
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import orjson

from chassis.identity import SERVICE_TOKEN_SECONDS, service_token
from chassis.problems import Problem
from chassis.visits import current_visit

# A kept connection that has rested for longer is not used again: the way may be gone silently.
IDLE_SECONDS_MAX = 5.0


class PeerUnavailable(Problem):
    """The peer did not answer, or answered 5xx: what was asked may or may not have happened."""

    status, code, title = 503, "peer_unavailable", "A part of the system does not answer."


class PeerRefused(Exception):
    """The peer's own no (4xx), with its reason."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.problem = problem
        super().__init__(f"{status} {self.code}")


@dataclass(frozen=True, slots=True)
class Answer:
    status_code: int
    headers: Message
    content: bytes

    def json(self) -> Any:
        """
        Raises:
            ValueError: it is not JSON.
        """
        return orjson.loads(self.content)


class Peer:
    """
    One neighbour, by its short name. With `caller` and `secret` each call carries a service token.

    What is asked must be repeatable, as every write of ours is: where a kept connection turns out
    to have been closed by the peer, the call is sent once more on a new one.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        caller: str = "",
        secret: str = "",
        timeout_seconds: float = 3.0,
    ) -> None:
        self._name, self._caller, self._secret = name, caller, secret
        self._base_url, self._timeout_seconds = urlsplit(base_url.rstrip("/")), timeout_seconds
        self._tls = ssl.create_default_context() if self._base_url.scheme == "https" else None
        self._idle: list[tuple[HTTPConnection, float]] = []
        self._token, self._token_renewed_at = "", -float(SERVICE_TOKEN_SECONDS)

    def ask(
        self, method: str, path: str, *, json: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """
        Raises:
            PeerRefused: the peer answered 4xx.
            PeerUnavailable: no answer, or 5xx.
        """
        body = None if json is None else orjson.dumps(json)
        try:
            answer = self._send(method, path, body, {**self._headers(body), **(headers or {})})
        except (OSError, HTTPException) as error:
            raise self._unavailable(type(error).__name__) from error
        if answer.status_code >= 500:
            raise self._unavailable(str(answer.status_code))
        if answer.status_code >= 400:
            raise PeerRefused(answer.status_code, _problem_of(answer))
        return answer

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        kept = self._kept()
        if kept is not None:
            try:
                return self._exchange(kept, method, path, body, headers)
            except ConnectionError:
                pass
        return self._exchange(self._connection(), method, path, body, headers)

    def _exchange(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> Answer:
        try:
            connection.request(method, self._base_url.path + path, body, headers)
            given = connection.getresponse()
            answer = Answer(given.status, given.headers, given.read())
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:
            self._idle.append((connection, time.monotonic()))
        return answer

    def _kept(self) -> HTTPConnection | None:
        """The one that was used last, so that those of a busier hour grow old and go."""
        rested_since = time.monotonic() - IDLE_SECONDS_MAX
        while self._idle:
            try:
                connection, used_at = self._idle.pop()
            except IndexError:
                return None
            if used_at > rested_since:
                return connection
            connection.close()
        return None

    def _connection(self) -> HTTPConnection:
        host, port = self._base_url.hostname or "", self._base_url.port
        if self._tls is not None:
            return HTTPSConnection(host, port, timeout=self._timeout_seconds, context=self._tls)
        return HTTPConnection(host, port, timeout=self._timeout_seconds)

    def _unavailable(self, reason: str) -> PeerUnavailable:
        return PeerUnavailable(f"{self._name}: {reason}", headers={"Retry-After": "1"})

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        visit = current_visit()
        if visit is not None:
            headers["X-Request-Id"] = visit.request_id
        if self._secret:
            headers["Authorization"] = f"Bearer {self._service_token()}"
        return headers

    def _service_token(self) -> str:
        """Signed anew after half of its life."""
        now = time.monotonic()
        if now - self._token_renewed_at > SERVICE_TOKEN_SECONDS / 2:
            self._token = service_token(caller=self._caller, callee=self._name, secret=self._secret)
            self._token_renewed_at = now
        return self._token


def _problem_of(answer: Answer) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
