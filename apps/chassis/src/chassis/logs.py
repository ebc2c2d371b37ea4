"""
One JSON object a line on standard output, each with the request id that travels across services.
"""

import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

import orjson

from chassis.visits import Visit, current_visit


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
        visit = current_visit()
        if visit is not None:
            line["request_id"] = visit.request_id
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


def are_requests_logged() -> bool:
    return logging.getLogger().isEnabledFor(logging.INFO)


def write_request_lines(service: str, visits: Iterable[Visit]) -> None:
    """
    The lines are written here and not by the logging module, which takes four times as long: in a
    rush there are thousands a second.
    """
    sys.stdout.write("".join(_line(service, visit) for visit in visits))
    sys.stdout.flush()


def _line(service: str, visit: Visit) -> str:
    line = {
        "at": datetime.fromtimestamp(visit.answered_at, UTC),
        "level": "INFO",
        "service": service,
        "logger": "access",
        "message": f"{visit.method} {visit.path}",
        "status": visit.status,
        "code": visit.code,
        "duration_ms": round(visit.seconds * 1e3, 2),
        "account_id": visit.account_id,
        "request_id": visit.request_id,
    }
    return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE).decode()
