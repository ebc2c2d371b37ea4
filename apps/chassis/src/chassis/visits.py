"""
One record of each request, from its first moment to its answer: its id, which travels across
services, its line in the log, and its duration in the metrics.
"""

import os
import random
import re
import time
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

# Ids are no secret, and asking the system for 16 bytes each time would let the interpreter go.
_ids = random.Random()
os.register_at_fork(after_in_child=_ids.seed)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_current: ContextVar["Visit | None"] = ContextVar("visit", default=None)


@dataclass(slots=True)
class Visit:
    """`rule` is the url rule that matched, never the raw path; `seconds` until the answer began."""

    method: str
    path: str
    request_id: str
    began_at: float = field(default_factory=time.perf_counter)
    rule: str = "unknown"
    account_id: UUID | None = None
    code: str | None = None
    status: int = 0
    answered_at: float = 0.0
    seconds: float = 0.0

    def end(self, status: int) -> None:
        self.status = status
        self.answered_at = time.time()
        self.seconds = time.perf_counter() - self.began_at


def begin_visit(environ: dict[str, Any]) -> tuple[Visit, Token["Visit | None"]]:
    """Keep the caller's request id when it is a plain token; ids are no secret."""
    given = environ.get("HTTP_X_REQUEST_ID")
    if given is None or not _REQUEST_ID.fullmatch(given):
        given = f"{_ids.getrandbits(128):032x}"
    visit = Visit(environ["REQUEST_METHOD"], environ["PATH_INFO"], given)
    return visit, _current.set(visit)


def end_visit(token: Token["Visit | None"]) -> None:
    _current.reset(token)


def current_visit() -> Visit | None:
    """None outside of a request."""
    return _current.get()
