"""What happens without a request: sessions expire, late banks answer, notices leave."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from sandbox import notices, sessions
from sandbox.notices import SEND_SECONDS
from sandbox.posting import Poster
from sandbox.settings import Settings
from sandbox.store import Store

TICK_SECONDS = 0.2
SENDERS = 4
_log = logging.getLogger(__name__)


class Background:
    """
    Daemon threads around the store; what one had in hand when it died is leased and returns.

    A sender sleeps until it is called: by the commit that leaves a notice, or by the clock when
    one has become due. At most one call for each sender is kept, and none is lost.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._stop = threading.Event()
        self._calls = threading.BoundedSemaphore(SENDERS)
        works = [self._tick_on, *[self._send_on] * SENDERS]
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]
        store.on_notices = self._call_sender

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for _ in self._threads:
            self._call_sender()
        for thread in self._threads:
            thread.join(timeout=SEND_SECONDS)

    def _call_sender(self) -> None:
        with contextlib.suppress(ValueError):
            self._calls.release()

    def _tick_on(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            self._surely(self._tick)

    def _send_on(self) -> None:
        poster = Poster(timeout_seconds=SEND_SECONDS)
        while not self._stop.is_set():
            self._calls.acquire()
            while not self._stop.is_set() and self._surely(lambda: self._send(poster)):
                pass
        poster.close()

    def _surely(self, work: Callable[[], bool]) -> bool:
        try:
            return work()
        except Exception:  # noqa: BLE001 - the thread outlives whatever fails in it
            _log.exception("background work failed and will be tried again")
            return False

    def _tick(self) -> bool:
        now, late_seconds = time.time(), self._settings.late_seconds
        if notices.is_any_due(self._store, now=now):
            self._call_sender()
        return sessions.wake_due(self._store, late_seconds=late_seconds, now=now) > 0

    def _send(self, poster: Poster) -> bool:
        due = notices.take_due(self._store, now=time.time())
        if due is None:
            return False
        notices.deliver(
            self._store,
            due,
            poster,
            secret=self._settings.webhook_secret,
            retry_seconds=self._settings.retry_seconds,
            now=time.time(),
        )
        return True
