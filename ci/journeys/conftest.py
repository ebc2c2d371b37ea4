"""One whole Railgate for the journeys, and an audit of its books after each of them."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import psutil
import psycopg2
import pytest
from ci.passenger import SNAPSHOT_SECONDS, Passenger
from ci.town import Town, started_town

# Who pays and who watches is impatient here; the limits of one address are not what is tested.
SETTINGS = {
    "PAYMENT__RECONCILE_AFTER_SECONDS": "2",
    "REGISTRATION__CODES_PER_ADDRESS_HOUR": "100000",
    "REGISTRATION__SIGN_INS_PER_ADDRESS": "100000",
    "WEB_WORKERS": "2",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "ci/journeys" in str(item.path):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def town() -> Iterator[Town]:
    with started_town(settings=SETTINGS, for_tests=True) as started:
        yield started


@pytest.fixture(autouse=True)
def clean_books(town: Town) -> Iterator[None]:
    """After every journey: nobody paid for nothing, no seat was sold twice, nothing is stuck."""
    yield
    is_clean, report = town.audit()
    assert is_clean, report


@pytest.fixture
def passenger(town: Town):
    """Make a signed-in passenger; each call another one."""
    return lambda: Passenger(town.base_url, town.account())


@pytest.fixture(scope="session")
def runs(town: Town) -> list[dict]:
    """Runs from Dhaka to Chattogram on sale, two days and more ahead."""
    found = []
    for days in range(2, 7):
        day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
        query = {"from": "DA", "to": "CTG", "date": day}
        answer = httpx.get(f"{town.base_url}/api/ticket/runs", params=query)
        found += [run for run in answer.json()["runs"] if run["sales"]["state"] == "open"]
    assert found
    return found


class Seats:
    """Hands out seats of the runs, each once, so that journeys do not meet by accident."""

    def __init__(self, town: Town, runs: list[dict]) -> None:
        self._seats = self._every(town, runs)

    @staticmethod
    def _every(town: Town, runs: list[dict]):
        for run in runs:
            query = {"from": "DA", "to": "CTG"}
            path = f"{town.base_url}/api/order/runs/{run['run_id']}/seat-map"
            for coach in httpx.get(path, params=query).json()["coaches"]:
                for seat in coach["seats"]:
                    yield run["run_id"], seat["seat_id"]

    def next(self) -> tuple[str, int]:
        return next(self._seats)


@pytest.fixture(scope="session")
def seats(town: Town, runs: list[dict]) -> Seats:
    return Seats(town, runs)


@pytest.fixture
def in_database(town: Town):
    """Run one statement in a service's database and give its rows."""

    def run(service: str, statement: str, *values):
        url = town.state["databases"][service]
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def lapse(in_database):
    """Let the time of an order be over, as if minutes had gone by."""

    def lapse(order_id: str) -> None:
        for table in ("orders", "seat_claim"):
            in_database(
                "order",
                f"UPDATE {table} SET expires_at = now() - interval '1 second' WHERE order_id = %s",
                order_id,
            )
        time.sleep(SNAPSHOT_SECONDS)

    return lapse


@pytest.fixture
def paused():
    """Stop processes in their tracks for a `with` block, as a machine that hangs."""
    from contextlib import contextmanager

    @contextmanager
    def pause(*pids: int):
        every = [p.pid for pid in pids for p in _family(pid)]
        for pid in every:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in every:
                os.kill(pid, signal.SIGCONT)

    return pause


@pytest.fixture
def kill():
    """Kill a process and all below it without a chance to tidy up."""

    def kill(pid: int) -> None:
        for process in _family(pid):
            process.kill()

    return kill


@pytest.fixture
def await_ready(town: Town):
    """Wait until a service answers again after it was killed."""

    def wait(*services: str) -> None:
        deadline = time.monotonic() + 60
        for service in services:
            while True:
                try:
                    if httpx.get(f"{town.address(service)}/readyz", timeout=3).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                assert time.monotonic() < deadline, f"{service} did not come back"
                time.sleep(0.2)

    return wait


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def mails_to(town: Town, address: str) -> list[dict]:
    answer = httpx.get(f"{town.address('mail')}/api/mails", params={"to": address})
    return answer.json()["mails"]


@pytest.fixture
def await_mail(town: Town):
    """Wait for a mail to an address whose subject or text says something."""

    def wait(address: str, *said: str, seconds: float = 30) -> dict:
        deadline, seen = time.monotonic() + seconds, []
        while time.monotonic() < deadline:
            seen = mails_to(town, address)
            for mail in seen:
                if all(word.lower() in (mail["subject"] + mail["text"]).lower() for word in said):
                    return mail
            time.sleep(0.2)
        raise AssertionError(f"No mail to {address} said {said}: {[m['subject'] for m in seen]}")

    return wait
