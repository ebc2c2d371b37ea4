"""What requests leave behind is written in batches: all of it, once, by the stop at the latest."""

import subprocess
import sys
import threading
import time

from chassis import batches
from chassis.batches import Batch, flush_batches

FORKING = """
import os
from chassis.batches import Batch, flush_batches

def write(items):
    os.write(1, f"{'child' if os.getpid() != parent else 'parent'} {items}\\n".encode())

parent, batch = os.getpid(), Batch(write)
batch._waiting.append("before")
if os.fork() == 0:
    batch.add("after")
    flush_batches()
    os._exit(0)
os.wait()
"""
ENDING = """
from chassis.batches import Batch
batch = Batch(print)
batch.add("the last")
"""


def run(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def until(holds, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def test_what_is_added_is_written_in_order_without_being_asked():
    written = []
    batch = Batch(written.extend)
    for n in range(10):
        batch.add(n)
    assert until(lambda: len(written) == 10)
    assert written == list(range(10))


def test_many_threads_lose_nothing_and_write_nothing_twice():
    written = []
    batch = Batch(written.extend)

    def add(first):
        for n in range(2_000):
            batch.add(first + n)

    threads = [threading.Thread(target=add, args=(k * 2_000,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flush_batches()
    assert sorted(written) == list(range(16_000))


def test_a_starved_writer_does_not_let_a_process_grow(monkeypatch):
    monkeypatch.setattr(batches, "WAITING_MAX", 10)
    monkeypatch.setattr(batches._writer, "is_running", True)
    written = []
    batch = Batch(written.append)
    monkeypatch.setattr(batches._writer, "batches", set())
    for n in range(11):
        batch.add(n)
    assert written == [list(range(11))]


def test_what_cannot_be_written_breaks_no_request(caplog):
    def fail(items):
        raise OSError("the disk is full")

    batch = Batch(fail)
    batch.add("a line")
    batch.flush()
    assert "1 notes were not written" in caplog.text


def test_a_process_that_ends_writes_the_rest():
    assert run(ENDING) == ["['the last']"]


def test_a_forked_child_writes_its_own_and_not_its_parents():
    assert sorted(run(FORKING)) == ["child ['after']", "parent ['before']"]
