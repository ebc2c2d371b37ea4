"""
What is broken on purpose in the middle of the rush: CHAOS=1 empties Redis, kills an order worker
and a gunicorn worker and restarts PostgreSQL; SLOW=1 makes the provider slow and lets mail hang.
"""

import os
import random
import signal
import threading
import time

import psutil
import redis
from ci.town import Town

FROZEN_SECONDS, RUNNING_SECONDS = 1.5, 0.7


class Chaos:
    """One blow after the other, `between_seconds` apart, from `at` on."""

    def __init__(self, town: Town, at: float, between_seconds: float = 8.0) -> None:
        self._town, self._at, self._between = town, at, between_seconds
        self.done: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.join(60)

    def _run(self) -> None:
        time.sleep(max(0.0, self._at - time.time()))
        for blow in (self._flush, self._kill_worker, self._kill_gunicorn, self._restart_postgres):
            said = blow()
            self.done.append((time.time(), said))
            print(f"\n  CHAOS: {said}", flush=True)
            time.sleep(self._between)

    def _flush(self) -> str:
        for url in sorted(set(self._town.state["redis_urls"].values())):
            redis.Redis.from_url(url).flushall()
        return "Redis is emptied"

    def _kill_worker(self) -> str:
        os.kill(self._town.pid("order-worker"), signal.SIGKILL)
        return "order's worker is killed"

    def _kill_gunicorn(self) -> str:
        children = psutil.Process(self._town.pid("order")).children()
        os.kill(random.choice(children).pid, signal.SIGKILL)
        return "one of order's gunicorn workers is killed"

    def _restart_postgres(self) -> str:
        os.kill(self._town.server_pid("postgres"), signal.SIGINT)
        return "PostgreSQL is stopped at once, and started again by its keeper"


class Slowness:
    """
    The provider answers in fits (frozen two thirds of the time) and the mail server takes
    connections and says nothing, from `start` to `stop`.
    """

    def __init__(self, town: Town) -> None:
        self._provider, self._mail = town.pid("sandbox"), town.pid("mail")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        os.kill(self._mail, signal.SIGSTOP)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)
        for pid in (self._provider, self._mail):
            os.kill(pid, signal.SIGCONT)

    def _run(self) -> None:
        while not self._over.is_set():
            os.kill(self._provider, signal.SIGSTOP)
            self._over.wait(FROZEN_SECONDS)
            os.kill(self._provider, signal.SIGCONT)
            self._over.wait(RUNNING_SECONDS)
