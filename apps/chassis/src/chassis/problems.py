"""
Errors as `application/problem+json` (RFC 9457) with a stable snake_case `code`.

A reason to refuse is a subclass of Problem that stands beside the code that raises it.
"""

import logging
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from flask import Flask, Response
from marshmallow import INCLUDE, Schema, fields
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from chassis.visits import current_visit

CONTENT_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)


class Problem(Exception):
    """
    A refusal with a reason the caller can act on. `extra` members are added to the body,
    `headers` to the answer.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = "The request cannot be served."

    def __init__(
        self, detail: str = "", *, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra


class InvalidRequest(Problem):
    status, code, title = 422, "invalid_request", "Something in the request is not right."


class NotFound(Problem):
    status, code, title = 404, "not_found", "There is nothing here."


class IdReused(Problem):
    status, code, title = 409, "id_reused", "This id was used before for something else."


class DatabaseUnavailable(Problem):
    status, code, title = 503, "database_unavailable", "Please repeat this in a moment."


class ProblemSchema(Schema):
    """How an error looks, for the API's description; a reason may bring members of its own."""

    class Meta:
        unknown = INCLUDE

    type = fields.String(metadata={"example": "urn:railgate:problem:invalid_request"})
    title = fields.String(metadata={"example": InvalidRequest.title})
    status = fields.Integer(metadata={"example": 422})
    detail = fields.String()
    code = fields.String(metadata={"example": "invalid_request"})
    request_id = fields.String()
    errors = fields.Dict(metadata={"description": "What is wrong, by field."})


def problem_body(status: int, code: str, title: str, detail: str = "", **extra: Any) -> bytes:
    """Write the refusal down; the request's log line says its code too."""
    visit = current_visit()
    if visit is not None:
        visit.code = code
    body = {
        "type": f"urn:railgate:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "request_id": visit.request_id if visit is not None else None,
        **extra,
    }
    if detail:
        body["detail"] = detail
    return orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)


def problem_response(
    status: int,
    code: str,
    title: str,
    detail: str = "",
    *,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> Response:
    body = problem_body(status, code, title, detail, **extra)
    return Response(body, status, headers, content_type=CONTENT_TYPE)


def register_problem_handlers(app: Flask) -> None:
    app.register_error_handler(Problem, _on_problem)
    app.register_error_handler(HTTPException, _on_http_exception)
    app.register_error_handler(DBAPIError, _on_database_error)
    app.register_error_handler(PoolTimeout, _on_pool_timeout)
    app.register_error_handler(Exception, _on_unexpected)


def _on_problem(problem: Problem) -> Response:
    return problem_response(
        problem.status,
        problem.code,
        problem.title,
        problem.detail,
        headers=problem.headers,
        **problem.extra,
    )


def _on_http_exception(error: HTTPException) -> Response:
    """Answer what Flask, werkzeug and webargs refuse; the latter keep their messages in `data`."""
    status = error.code or 500
    more = getattr(error, "data", None) or {}
    messages = more.get("messages")
    if status == InvalidRequest.status and messages:
        return _on_problem(InvalidRequest(errors=_flat(messages)))
    headers = {
        name: value
        for name, value in error.get_headers()
        if name.lower() in {"allow", "retry-after", "location"}
    }
    if 300 <= status < 400:
        return Response(status=status, headers=headers)
    if status == HTTPStatus.BAD_REQUEST and messages:
        return problem_response(400, "malformed_json", "The body is not JSON.", headers=headers)
    phrase = HTTPStatus(status).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    return problem_response(status, code, f"{phrase}.", headers=headers)


def _flat(messages: Any) -> dict[str, Any]:
    """Webargs sorts messages by where the field was found (`json`, `query`); callers need not."""
    return {
        field: texts
        for found in messages.values()
        for field, texts in (found.items() if isinstance(found, dict) else [("_body", found)])
    }


def _on_database_error(error: DBAPIError) -> Response:
    """
    A lost connection, a lock or statement timeout and a deadlock leave no trace of the request,
    so it may be repeated as it was; anything else is our fault.
    """
    if error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError)):
        _log.warning("database: %s", str(error.orig).strip())
        return _on_problem(DatabaseUnavailable(headers={"Retry-After": "1"}))
    return _on_unexpected(error)


def _on_pool_timeout(error: PoolTimeout) -> Response:
    _log.warning("database pool: %s", error)
    return _on_problem(DatabaseUnavailable(headers={"Retry-After": "1"}))


def _on_unexpected(error: Exception) -> Response:
    _log.error("unexpected %s", type(error).__name__, exc_info=error)
    return problem_response(
        500, "internal_error", "Something went wrong on our side.", "It was recorded."
    )
