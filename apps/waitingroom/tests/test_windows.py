"""What a process knows of the windows may be old; nobody is told by it that one is missing."""

import threading
import time
from types import SimpleNamespace
from uuid import uuid4

import pytest

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
