"""
Calls to a neighbour: a timeout on each, the request id passed on, refusals and silence told apart.
"""

from typing import Any

import httpx
from flask import g, has_request_context

from chassis.identity import service_token
from chassis.problems import Problem


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


class Peer:
    """
    One neighbour, by its short name. With `caller` and `secret` each call carries a service token.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        caller: str = "",
        secret: str = "",
        timeout_seconds: float = 3.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._name, self._caller, self._secret = name, caller, secret
        self._client = httpx.Client(
            base_url=base_url,
            timeout=timeout_seconds,
            transport=transport or httpx.HTTPTransport(limits=httpx.Limits(max_connections=50)),
        )

    def ask(
        self, method: str, path: str, *, json: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """
        Raises:
            PeerRefused: the peer answered 4xx.
            PeerUnavailable: no answer, or 5xx.
        """
        try:
            answer = self._client.request(
                method, path, json=json, headers={**self._headers(), **(headers or {})}
            )
        except httpx.HTTPError as error:
            raise self._unavailable(type(error).__name__) from error
        if answer.status_code >= 500:
            raise self._unavailable(str(answer.status_code))
        if answer.status_code >= 400:
            raise PeerRefused(answer.status_code, _problem_of(answer))
        return answer

    def _unavailable(self, reason: str) -> PeerUnavailable:
        return PeerUnavailable(f"{self._name}: {reason}", headers={"Retry-After": "1"})

    def _headers(self) -> dict[str, str]:
        headers = {}
        if has_request_context() and "request_id" in g:
            headers["X-Request-Id"] = g.request_id
        if self._secret:
            token = service_token(caller=self._caller, callee=self._name, secret=self._secret)
            headers["Authorization"] = f"Bearer {token}"
        return headers


def _problem_of(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
