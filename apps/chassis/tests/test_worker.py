"""The loops of a worker, and the heartbeat that tells when one of them hangs."""

import os
import signal
import threading
import time

import pytest
from flask import Flask

from chassis.worker import Loop, run_worker

PATIENCE_SECONDS = 10.0


@pytest.fixture
def heartbeat(tmp_path, monkeypatch):
    path = tmp_path / "heartbeat"
    monkeypatch.setenv("WORKER_HEARTBEAT", str(path))
    return path


@pytest.fixture
def run():
    """Run the loops until one of them calls `end`."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield lambda *loops: run_worker(Flask("worker"), list(loops))
    for number, handler in handlers.items():
        signal.signal(number, handler)


def end():
    os.kill(os.getpid(), signal.SIGTERM)


class Looker:
    """A loop's work that looks at the heartbeat, and ends the worker when it has seen enough."""

    def __init__(self, heartbeat, is_enough):
        self.seen, self.has_ended = [], threading.Event()
        self._heartbeat, self._is_enough = heartbeat, is_enough
        self._deadline = time.monotonic() + PATIENCE_SECONDS

    def __call__(self):
        if self._heartbeat.exists():
            self.seen.append(self._heartbeat.stat().st_mtime)
        if self._is_enough(self.seen) or time.monotonic() > self._deadline:
            self.has_ended.set()
            end()
        return 0


def has_moved(seen):
    return len(set(seen)) > 2


@pytest.mark.parametrize("rounds_before", [0, 1])
def test_one_hung_loop_makes_the_heartbeat_stand_still(run, heartbeat, rounds_before):
    look, rounds, hangs = Looker(heartbeat, lambda seen: len(seen) == 6), [], threading.Event()

    def hang():
        rounds.append(time.time())
        if len(rounds) > rounds_before:
            hangs.set()
            look.has_ended.wait(PATIENCE_SECONDS)
        return 0

    def turn():
        return look() if hangs.is_set() else 0

    run(Loop("hung", hang, 0.01), Loop("turning", turn, 0.01))
    # The first look may find what was written before.
    assert len(look.seen) == 6
    assert len(set(look.seen[1:])) == 1
    assert look.seen[-1] <= rounds[-1] + 0.01


def test_the_heartbeat_moves_while_all_loops_turn_even_one_that_fails(run, heartbeat):
    look = Looker(heartbeat, has_moved)
    run(Loop("turning", look, 0.01), Loop("failing", lambda: 1 // 0, 0.01))
    assert has_moved(look.seen)


def test_a_loop_that_rests_is_not_overdue(run, heartbeat):
    look = Looker(heartbeat, has_moved)
    run(Loop("hourly", lambda: 0, 3_600), Loop("turning", look, 0.01))
    assert has_moved(look.seen)
    began = time.time()
    run(Loop("hourly", end, 3_600))
    assert heartbeat.stat().st_mtime >= began + 3_599


def test_the_heartbeat_of_a_worker_before_is_no_sign_of_life(run, heartbeat):
    heartbeat.touch()
    found = []

    def look():
        found.append(heartbeat.exists())
        end()
        return 0

    run(Loop("looking", look, 60))
    assert found == [False]
    assert heartbeat.exists()
