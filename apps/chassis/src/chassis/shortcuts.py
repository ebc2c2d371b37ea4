"""
Answers before Flask is asked. In a rush nearly every request gets one of very few answers, and
finding its view costs more than the answer: a service may put a shortcut in front of such a route.

A shortcut gives the very answer that the route would give, or None, and then the route is asked.
It has no Flask context; what it raises is answered as if a view had raised it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any
from uuid import UUID

import orjson

from chassis.problems import CONTENT_TYPE, Problem, problem_body

Environ = dict[str, Any]
BODY_BYTES_MAX = 64 * 1024
_UUID = r"([0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def status_line(self) -> str:
        return _STATUS_LINES[self.status]

    def header_list(self) -> list[tuple[str, str]]:
        return [
            *self.headers,
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
        ]


class Shortcut:
    """`rule` is the route's own, with one `<uuid:…>` in it, which `answer` is given."""

    def __init__(
        self, method: str, rule: str, answer: Callable[[Environ, UUID], Answer | None]
    ) -> None:
        before, _, after = re.split(r"(<uuid:\w+>)", rule)
        self.rule = rule
        self._answer = answer
        self._method = method
        self._path = re.compile(re.escape(before) + _UUID + re.escape(after))

    def answer(self, environ: Environ) -> Answer | None:
        """
        Raises:
            Problem: the route would refuse for this reason.
        """
        if environ["REQUEST_METHOD"] != self._method:
            return None
        found = self._path.fullmatch(environ["PATH_INFO"])
        return self._answer(environ, UUID(found[1])) if found else None


def problem_answer(problem: Problem) -> Answer:
    body = problem_body(
        problem.status, problem.code, problem.title, problem.detail, **problem.extra
    )
    return Answer(problem.status, body, CONTENT_TYPE, tuple(problem.headers.items()))


def json_body(environ: Environ) -> Any:
    """
    The JSON that was sent, or None where there is none or it is for the route to say what is wrong
    with it; the route can read it again.
    """
    length = environ.get("CONTENT_LENGTH", "")
    is_json = environ.get("CONTENT_TYPE", "").startswith("application/json")
    if not is_json or not length.isdecimal() or int(length) > BODY_BYTES_MAX:
        return None
    sent = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(sent)
    try:
        return orjson.loads(sent)
    except orjson.JSONDecodeError:
        return None


_STATUS_LINES = {status.value: f"{status.value} {status.phrase.upper()}" for status in HTTPStatus}
