"""
Admission passes: while a waiting room's window is hot, an order for one of its runs needs a pass
of that window, signed for that account.

Which windows are hot is asked once a second by a thread beside the requests. Only the first request
of a process waits for its first answer: a process that knows no window would let everybody by.
While the waiting room does not answer, the last list holds; until it has answered once, sales are
open. A run in no hot window costs one look into a dictionary.
"""

import functools
import logging
import threading
import time
import weakref
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt

from chassis.peers import Peer, PeerRefused, PeerUnavailable
from chassis.problems import Problem

HEADER = "Admission-Pass"
ISSUER, AUDIENCE = "railgate-waitingroom", "railgate-order"
REFRESH_SECONDS = 1.0
# A process that has just begun knows no window yet: its first requests wait for the first answer.
FIRST_ANSWER_SECONDS_MAX = 3.0
REMEMBERED_MAX = 50_000
PASS_LENGTH_MAX = 2_000
MALFORMED = (LookupError, ValueError, TypeError, AttributeError)
_log = logging.getLogger(__name__)


class NotAdmitted(Problem):
    status, code, title = 403, "not_admitted", "Please take a place in the waiting room first."


@dataclass(frozen=True)
class HotWindows:
    """The hot windows of each run, and the keys that sign their passes."""

    by_run: dict[UUID, frozenset[str]] = field(default_factory=dict)
    keys: dict[str, jwt.PyJWK] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pass:
    window_id: str
    account_id: str
    expires_at: float


class Admission:
    """`waitingroom` is None where there is no waiting room: then everybody is admitted."""

    def __init__(self, waitingroom: Peer | None) -> None:
        self._waitingroom = waitingroom
        self._hot = HotWindows()
        self._remembered: dict[str, Pass] = {}
        self._is_heard = True
        self._is_asking = False
        self._beginning = threading.Lock()
        self._has_asked = threading.Event()

    def require(self, run_id: UUID, account_id: UUID, pass_: str, *, now: datetime) -> None:
        """
        Raises:
            NotAdmitted: the run is in a hot window and this is no live pass of it and the account.
        """
        if self._waitingroom is None:
            return
        self._keep_asking()
        if not self._has_asked.is_set():
            self._has_asked.wait(FIRST_ANSWER_SECONDS_MAX)
        windows = self._hot.by_run.get(run_id)
        if windows is None:
            return
        known = self._remembered.get(pass_) or self._verified(pass_)
        is_his = (
            known is not None and known.window_id in windows and known.account_id == str(account_id)
        )
        if known is None or not is_his or known.expires_at <= now.timestamp():
            window_id = min(windows)
            raise NotAdmitted(
                window_id=window_id,
                wait_at=f"/api/waitingroom/windows/{window_id}/places/me",
                pass_expired=is_his,
            )

    def refresh(self) -> None:
        """Ask the waiting room now. Whatever goes wrong, what was known stays in force."""
        if self._waitingroom is None:
            return
        try:
            windows = self._waitingroom.ask("GET", "/api/waitingroom/windows").json()["windows"]
            published = self._waitingroom.ask("GET", "/api/waitingroom/jwks.json").json()["keys"]
            hot = _hot_windows(windows, published)
        except (PeerRefused, PeerUnavailable, jwt.PyJWTError, *MALFORMED) as error:
            if self._is_heard:
                _log.warning("the waiting room is not heard, its last word holds: %s", error)
            self._is_heard = False
            return
        self._is_heard = True
        if hot.keys.keys() != self._hot.keys.keys():
            self._remembered.clear()
        self._hot = hot

    def _keep_asking(self) -> None:
        """Begun by the first request, in the process that serves: a fork would lose the thread."""
        if not self._is_asking and self._beginning.acquire(blocking=False):
            self._is_asking = True
            arguments = (weakref.ref(self),)
            threading.Thread(target=_ask_each_second, args=arguments, daemon=True).start()

    def _verified(self, pass_: str) -> Pass | None:
        """
        A pass verified once is remembered by its bytes; what is not valid is not. Whether it has
        ended is for the caller to see, each time anew.
        """
        if not pass_ or len(pass_) > PASS_LENGTH_MAX:
            return None
        try:
            key = self._hot.keys[jwt.get_unverified_header(pass_).get("kid", "")]
            claims = jwt.decode(
                pass_, key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER,
                options={"require": ["exp", "sub", "window_id"], "verify_exp": False},
            )  # fmt: skip
            found = Pass(str(claims["window_id"]), str(claims["sub"]), float(claims["exp"]))
        except (jwt.PyJWTError, LookupError, ValueError, TypeError, RecursionError):
            return None
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[pass_] = found
        return found


def _ask_each_second(kept: "weakref.ref[Admission]") -> None:
    """It ends with the admission it asks for."""
    while (admission := kept()) is not None:
        admission.refresh()
        admission._has_asked.set()  # noqa: SLF001 - the thread is the admission's own
        del admission
        time.sleep(REFRESH_SECONDS)


def _hot_windows(windows: list[dict[str, Any]], published: list[dict[str, Any]]) -> HotWindows:
    by_run: dict[UUID, frozenset[str]] = {}
    for window in windows:
        if window["is_hot"]:
            for run_id in map(_run_id, window["run_ids"]):
                by_run[run_id] = by_run.get(run_id, frozenset()) | {window["window_id"]}
    return HotWindows(by_run, {jwk["kid"]: jwt.PyJWK(jwk, "EdDSA") for jwk in published})


@functools.lru_cache(maxsize=4_096)
def _run_id(text: str) -> UUID:
    return UUID(text)


def admission_at(waitingroom_url: str) -> Admission:
    """An empty address stands for a railway without a waiting room."""
    peer = Peer("waitingroom", waitingroom_url, timeout_seconds=2.0) if waitingroom_url else None
    return Admission(peer)
