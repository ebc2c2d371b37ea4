"""
What a million people in the line cost: memory by place, and the time to join and to be let in,
which must not grow with them. MILLION=1 measures a million too, in about a minute.
"""

import os
import time
from statistics import median
from uuid import UUID, uuid4

import pytest

from chassis.application import utc_now
from waitingroom import numbers, operations

SIZES = [1_000, 100_000, *([1_000_000] if os.environ.get("MILLION") else [])]
# In a short line nearly everyone has a packed hash to himself.
BYTES_PER_PLACE_MAX = 500
SAMPLES = 300


def fill(valkey, window_id, count):
    """Let `count` people join by the very script, many at once to save time."""
    block = numbers._block_key(window_id)
    valkey.hset(block, mapping={"last": 0, "end": 10**9, "lease": 10**15})
    for begin in range(0, count, 5_000):
        with valkey.pipeline(transaction=False) as pipe:
            for _ in range(begin, min(begin + 5_000, count)):
                account_id = uuid4()
                keys = [numbers._bucket(window_id, account_id), block, "sketch"]
                pipe.eval(numbers._JOIN, 3, *keys, account_id.bytes, "late", 3600, "")
            pipe.execute()


def seconds_of(call, samples=SAMPLES):
    durations = []
    for _ in range(samples):
        began = time.perf_counter()
        call()
        durations.append(time.perf_counter() - began)
    return median(durations)


def measured(parts, valkey, window_id, count) -> tuple[float, float, float]:
    """Bytes a place, and the seconds to join and to be let in, with `count` people in the line."""
    before = valkey.info("memory")["used_memory"]
    fill(valkey, window_id, count)
    bytes_per_place = (valkey.info("memory")["used_memory"] - before) / count
    person = uuid4()

    def join(account_id: UUID):
        return operations.take_place(
            parts=parts, window_id=window_id, account_id=account_id, shown=None, now=utc_now()
        )

    token = join(person).token
    joining = seconds_of(lambda: join(uuid4()))
    admitting = seconds_of(
        lambda: operations.admit(
            parts=parts, window_id=window_id, account_id=person, token=token, now=utc_now()
        )
    )
    return bytes_per_place, joining, admitting


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_neither_memory_nor_time_of_a_place_grows_with_the_line(
    with_settings, valkey, new_window, capsys
):
    parts, figures = with_settings(window_seconds=1.0), {}
    for count in SIZES:
        valkey.flushdb()
        window_id = new_window(early_places=0, serving=10**9)
        figures[count] = measured(parts, valkey, window_id, count)
    with capsys.disabled():
        for count, (size, joining, admitting) in figures.items():
            print(  # noqa: T201
                f"\n{count:>9,} people: {size:6.1f} bytes a place, join {joining * 1e3:.2f} ms, "
                f"admission {admitting * 1e3:.2f} ms",
                end="",
            )
    sizes = [size for size, _, _ in figures.values()]
    assert sizes == sorted(sizes, reverse=True)
    _, joining, admitting = figures[SIZES[0]]
    for size, joining_then, admitting_then in figures.values():
        assert size < BYTES_PER_PLACE_MAX
        assert joining_then < 2 * joining + 0.001
        assert admitting_then < 2 * admitting + 0.001
