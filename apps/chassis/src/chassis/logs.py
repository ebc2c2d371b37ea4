"""
One JSON object a line on standard output, each with the request id that travels across services.
"""

import logging
import os
import re
import sys
import time
from datetime import UTC, datetime

import orjson
from flask import Flask, Response, current_app, g, has_request_context, request

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


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
    if logging.getLogger().isEnabledFor(logging.INFO):
        app.after_request(_write_line)
    app.after_request(_name)


def _begin() -> None:
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
    g.began_at = time.perf_counter()


def _name(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    return response


def _write_line(response: Response) -> Response:
    """
    The line is written here and not by the logging module, which takes four times as long: in a
    rush there are thousands a second.
    """
    seen, environ = vars(g._get_current_object()), request.environ  # noqa: SLF001
    identity = seen.get("identity")
    line = {
        "at": datetime.now(UTC),
        "level": "INFO",
        "service": current_app.name,
        "logger": "access",
        "message": f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}",
        "status": response.status_code,
        "code": seen.get("problem_code"),
        "duration_ms": round((time.perf_counter() - seen["began_at"]) * 1e3, 2),
        "account_id": identity.account_id if identity is not None else None,
        "request_id": seen["request_id"],
    }
    sys.stdout.write(orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE).decode())
    return response
