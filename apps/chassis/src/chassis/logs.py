"""
One JSON object a line on standard output, each with the request id that travels across services.
"""

import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime

import orjson
from flask import Flask, Response, g, has_request_context, request

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_access = logging.getLogger("access")


class JsonFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "members", {}),
        }
        if has_request_context():
            line["request_id"] = g.get("request_id")
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure_logging(service: str, level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # httpx writes a line for each call at INFO; the callee writes its own.
    logging.getLogger("httpx").setLevel("WARNING")


def register_request_log(app: Flask) -> None:
    """Give each request an id (the caller's, when it is a plain token) and write one line of it."""
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    g.began_at = time.perf_counter()


def _finish(response: Response) -> Response:
    request_id = g.get("request_id", "")
    response.headers["X-Request-Id"] = request_id
    if _access.isEnabledFor(logging.INFO):
        _access.info("%s %s", request.method, request.path, extra={"members": _members(response)})
    return response


def _members(response: Response) -> dict[str, object]:
    identity = g.get("identity")
    return {
        "status": response.status_code,
        "code": g.get("problem_code"),
        "duration_ms": round((time.perf_counter() - g.began_at) * 1e3, 2) if "began_at" in g else 0,
        "account_id": getattr(identity, "account_id", None),
    }
