"""Redis may be slow or gone: a request waits for it a moment at most, and then nobody asks."""

import functools
import re
import socketserver
import threading
import time
from uuid import uuid4

import pytest

from chassis.cache import SoftRedis, Throttle, TooManyRequests
from chassis.testing import redis_url

FALLBACK = b"fallback"


class SlowRedis:
    """Answers everything with OK after `seconds`, and counts the PINGs."""

    def __init__(self):
        self.seconds, self.pings = 0.0, 0


@pytest.fixture
def slow_redis():
    state = SlowRedis()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            while asked := self.request.recv(65_536):
                state.pings += asked.count(b"PING")
                time.sleep(state.seconds if b"PING" in asked else 0)
                try:
                    self.request.sendall(b"+OK\r\n" * len(re.findall(rb"\*\d+\r\n", asked)))
                except OSError:
                    return

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"redis://127.0.0.1:{server.server_address[1]}/0?protocol=2"
    yield state
    server.shutdown()
    server.server_close()


def ask(soft_redis):
    return soft_redis.call(lambda client: client.execute_command("PING"), FALLBACK)


def pause_of(soft_redis):
    """How long nobody asks after one failure, to a few hundredths of a second."""
    assert ask(soft_redis) == FALLBACK
    return soft_redis._paused_until - time.monotonic()


def test_one_slow_answer_is_a_short_pause(slow_redis):
    soft_redis = SoftRedis(slow_redis.url)
    assert ask(soft_redis) != FALLBACK
    slow_redis.seconds = 0.7
    assert pause_of(soft_redis) == pytest.approx(0.25, abs=0.1)
    slow_redis.seconds = 0.0
    time.sleep(0.3)
    assert ask(soft_redis) != FALLBACK


def test_nobody_asks_during_a_pause(slow_redis):
    soft_redis = SoftRedis(slow_redis.url)
    slow_redis.seconds = 0.7
    assert ask(soft_redis) == FALLBACK
    slow_redis.seconds, asked = 0.0, slow_redis.pings
    began = time.monotonic()
    assert [ask(soft_redis) for _ in range(100)] == [FALLBACK] * 100
    assert time.monotonic() - began < 0.1
    assert slow_redis.pings == asked


def test_timeouts_in_a_row_make_the_pause_longer_up_to_a_second(slow_redis):
    soft_redis = SoftRedis(slow_redis.url)
    slow_redis.seconds = 0.7
    pauses = []
    for _ in range(4):
        soft_redis._paused_until = 0.0
        pauses.append(pause_of(soft_redis))
    assert pauses == pytest.approx([0.25, 0.5, 1.0, 1.0], abs=0.1)


def test_a_refused_connection_is_a_pause_of_a_second():
    with socketserver.TCPServer(("127.0.0.1", 0), None) as unused:
        port = unused.server_address[1]
    assert pause_of(SoftRedis(f"redis://127.0.0.1:{port}/0")) == pytest.approx(1.0, abs=0.1)


def test_without_an_address_nobody_is_asked():
    assert ask(SoftRedis("")) == FALLBACK


@pytest.mark.parametrize("url", [redis_url, lambda: ""])
def test_the_one_limit_of_several_that_is_passed_refuses(url):
    throttle = Throttle(SoftRedis(url(), timeout_seconds=10.0))
    one, other = f"one:{uuid4()}", f"other:{uuid4()}"
    count = functools.partial(throttle.count_each, window_seconds=60, now=120.0)
    for _ in range(2):
        count({one: 2, other: 9})
    with pytest.raises(TooManyRequests) as refused:
        count({one: 2, other: 9})
    assert refused.value.headers["Retry-After"] == "61"
    count({other: 4})
    with pytest.raises(TooManyRequests):
        count({other: 4, one: 99})
