"""Refusals of the sandbox's API, answered as `application/problem+json`."""

import json
from typing import Any, ClassVar

from flask import Response


class Refusal(Exception):
    status: ClassVar[int] = 409
    code: ClassVar[str] = "conflict"
    title: ClassVar[str] = "This does not fit what is there."

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail, self.extra = detail, extra


class BadKey(Refusal):
    status, code, title = 401, "bad_key", "The key is missing or wrong."


class MalformedBody(Refusal):
    status, code, title = 400, "malformed_json", "The body is not a JSON object."


class InvalidBody(Refusal):
    status, code, title = 422, "invalid_request", "Something in the request is not right."


def refusal_response(status: int, code: str, title: str, **more: Any) -> Response:
    members = {"type": f"urn:sandbox:problem:{code}", "title": title, "status": status}
    body = json.dumps({**members, "code": code, **{k: v for k, v in more.items() if v}})
    return Response(body, status, content_type="application/problem+json")


def on_refusal(refusal: Refusal) -> Response:
    return refusal_response(
        refusal.status, refusal.code, refusal.title, detail=refusal.detail, **refusal.extra
    )
