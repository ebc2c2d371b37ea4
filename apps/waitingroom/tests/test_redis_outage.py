"""A real Valkey of one's own that is stopped in the middle of the rush and comes back empty."""

import dataclasses
import time
from datetime import timedelta
from uuid import uuid4

import pytest

from chassis import testing
from chassis.application import utc_now
from chassis.cache import SoftRedis
from railgate.servers import ValkeyServer
from waitingroom import operations
from waitingroom.app import create_app
from waitingroom.numbers import NumbersPaused
from waitingroom.parts import build_parts


@pytest.fixture
def own_valkey(tmp_path):
    tmp_path.chmod(0o755)
    server = ValkeyServer(tmp_path / "valkey", for_tests=True)
    server.__enter__()
    yield server
    server.stop()


@pytest.fixture
def processes(own_valkey, app, settings):
    """The pieces of two processes, each with connections of its own to that Valkey."""
    return [build_parts(settings, SoftRedis(own_valkey.url)) for _ in range(2)]


def until_numbers_flow(ask):
    deadline = time.monotonic() + 10
    while True:
        try:
            return ask()
        except NumbersPaused:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_places_survive_and_nobody_jumps_ahead_while_valkey_stops_and_starts(
    own_valkey, processes, new_window, take
):
    window_id = new_window(early_places=0, serving=10**6)
    before = [take(processes[turn % 2], window_id) for turn in range(10)]
    own_valkey.stop()
    without = [
        until_numbers_flow(lambda turn=turn: take(processes[turn % 2], window_id))
        for turn in range(10)
    ]
    own_valkey.start()
    time.sleep(1.1)
    after = [
        until_numbers_flow(lambda turn=turn: take(processes[turn % 2], window_id))
        for turn in range(10)
    ]
    numbers = [one.place.late_number for one in (*before, *without, *after)]
    assert numbers == sorted(set(numbers))
    for one in (*before, *without):
        kept = take(processes[0], window_id, one.place.account_id, shown=one.token)
        assert kept.place == one.place


def test_who_has_a_place_is_let_in_without_valkey(own_valkey, processes, new_window, take):
    window_id = new_window(early_places=5, serving=5)
    account_id = uuid4()
    early_window = new_window(opens_in=timedelta(minutes=5))
    own_valkey.stop()
    assert take(processes[0], early_window, account_id).place.arrival == "early"
    place = processes[0].places.sign(
        dataclasses.replace(take(processes[0], early_window, account_id).place, window_id=window_id)
    )
    for _ in range(2):
        admitted = operations.admit(
            parts=processes[0],
            window_id=window_id,
            account_id=account_id,
            token=place,
            now=utc_now(),
        )
        assert admitted.admission_pass
        assert admitted.is_new


def test_every_answer_without_valkey_is_an_answer(own_valkey, settings, app, new_window):
    """Over HTTP: limits count in the process, joining pauses for a lease and goes on."""
    own = testing.migrated(create_app(dataclasses.replace(settings, redis_url=own_valkey.url)))
    client, window_id = own.test_client(), new_window()
    path = f"/api/waitingroom/windows/{window_id}"
    assert client.put(f"{path}/places/me", headers=testing.signed_in()).status_code == 201
    own_valkey.stop()
    deadline, answers = time.monotonic() + 5, []
    while 201 not in answers and time.monotonic() < deadline:
        answers.append(client.put(f"{path}/places/me", headers=testing.signed_in()).status_code)
        time.sleep(0.1)
    assert set(answers) <= {503, 201}
    assert answers[-1] == 201
    assert client.get(f"{path}/now-serving").status_code == 200
    assert client.get("/readyz").status_code == 200
