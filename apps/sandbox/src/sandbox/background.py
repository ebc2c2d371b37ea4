"""What happens without a request: sessions expire, late banks answer, notices leave."""

import logging
import threading
import time
from collections.abc import Callable

import httpx

from sandbox import notices, sessions
from sandbox.notices import SEND_SECONDS
from sandbox.settings import Settings
from sandbox.store import Store

REST_SECONDS = 0.2
SENDERS = 4
_log = logging.getLogger(__name__)


class Background:
    """Daemon threads around the store; what one had in hand when it died is leased and returns."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._stop = threading.Event()
        works = [self._wake, *[self._send] * SENDERS]
        self._threads = [
            threading.Thread(target=self._turn, args=(work,), daemon=True) for work in works
        ]
        self._client = httpx.Client(timeout=SEND_SECONDS, follow_redirects=False)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=SEND_SECONDS)
        self._client.close()

    def _turn(self, work: Callable[[], bool]) -> None:
        while not self._stop.is_set():
            try:
                has_worked = work()
            except Exception:  # noqa: BLE001 - the thread outlives whatever fails in it
                _log.exception("background work failed and will be tried again")
                has_worked = False
            if not has_worked:
                self._stop.wait(REST_SECONDS)

    def _wake(self) -> bool:
        late_seconds = self._settings.late_seconds
        return sessions.wake_due(self._store, late_seconds=late_seconds, now=time.time()) > 0

    def _send(self) -> bool:
        due = notices.take_due(self._store, now=time.time())
        if due is None:
            return False
        notices.deliver(
            self._store,
            due,
            self._client,
            secret=self._settings.webhook_secret,
            retry_seconds=self._settings.retry_seconds,
            now=time.time(),
        )
        return True
