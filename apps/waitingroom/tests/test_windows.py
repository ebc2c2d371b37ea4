"""What a process knows of the windows may be old; nobody is told by it that one is missing."""

import threading
import time
from types import SimpleNamespace
from uuid import uuid4

import pytest
from sqlalchemy.exc import OperationalError

from waitingroom import queries
from waitingroom.windows import LOOK_AGAIN_SECONDS, WindowNotFound, Windows


def test_a_window_made_while_this_process_idled_is_found_by_all_who_come_at_once():
    """One reads the list anew; another who comes meanwhile must not be told by the old list."""
    window_id, reading, go_on = uuid4(), threading.Event(), threading.Event()
    lists = [[]]

    def read():
        if lists[0]:
            reading.set()
            go_on.wait(5)
        return lists[0]

    windows = Windows(read, fresh_seconds=0.0)
    assert windows.all() == []
    time.sleep(2 * LOOK_AGAIN_SECONDS)
    lists[0] = [SimpleNamespace(window_id=window_id)]

    first = threading.Thread(target=windows.all)
    first.start()
    reading.wait(5)
    threading.Timer(0.2, go_on.set).start()
    found = windows.get(window_id)
    first.join(5)

    assert found.window_id == window_id


def test_a_window_that_is_not_there_is_not_found():
    windows = Windows(list, fresh_seconds=60.0)

    with pytest.raises(WindowNotFound):
        windows.get(uuid4())


def test_while_the_database_is_down_the_last_windows_hold(new_window):
    window_id, is_down = new_window(), [False]

    def read_windows():
        if is_down[0]:
            raise OperationalError("SELECT", {}, Exception("down"))
        return [queries.window_by_id(window_id)]

    windows = Windows(read_windows, fresh_seconds=0.0)
    before = windows.get(window_id)
    is_down[0] = True
    assert windows.get(window_id) == before
    with pytest.raises(OperationalError):
        Windows(read_windows, fresh_seconds=0.0).get(window_id)


def test_fifty_who_ask_at_once_read_the_windows_once(new_window):
    window_id, reads, start = new_window(), [], threading.Barrier(50)
    window = queries.window_by_id(window_id)

    def read_windows():
        reads.append(1)
        return [window]

    windows = Windows(read_windows, fresh_seconds=5.0)

    def ask():
        start.wait()
        windows.get(window_id)

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1
