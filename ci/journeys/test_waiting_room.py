"""Through the waiting room: a place, a number, a pass, an order; and never around it."""

import hmac
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import redis
from ci.passenger import Passenger, travellers
from ci.town import Town

PATIENCE_SECONDS = 30.0


class Person:
    """One account that waits and buys."""

    def __init__(self, town: Town, window: "Window") -> None:
        self.account_id, self._window = uuid.uuid4(), window
        self.passenger = Passenger(town.base_url, town.account(sub=str(self.account_id)))
        self.place: dict = {}

    def join(self) -> dict:
        answer = self.passenger.put(f"{self._window.path}/places/me")
        assert answer.status_code in {200, 201}, answer.text
        self.place = answer.json()
        return self.place

    def ask_in(self) -> httpx.Response:
        wish = {"place": self.place["place"]}
        return self.passenger.put(f"{self._window.path}/admission", wish)

    def await_pass(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.ask_in()).status_code not in {200, 201}:
            assert answer.json()["code"] == "not_yet_served", answer.text
            assert time.monotonic() < deadline
            time.sleep(0.3)
        self.passenger.http.headers["Admission-Pass"] = answer.json()["admission_pass"]

    def order(self) -> httpx.Response:
        run = self._window.run
        wish = {"seat_class": run["classes"][0]["seat_class"], "passengers": travellers(1)}
        return self.passenger.place(run["run_id"], "DA", "CTG", **wish)


class Window:
    """A window that staff make for one run; `end` closes it for the journeys that follow."""

    def __init__(self, town: Town, run: dict) -> None:
        self._town, self.run, self._opens_at = town, run, datetime.now(UTC) + timedelta(seconds=5)
        self.window_id = str(uuid.uuid4())
        self.path = f"/api/waitingroom/windows/{self.window_id}"
        self.write(closes_at=self._opens_at + timedelta(hours=1))

    def write(self, *, closes_at: datetime) -> None:
        body = {
            "run_ids": [self.run["run_id"]],
            "opens_at": self._opens_at.isoformat(),
            "closes_at": closes_at.isoformat(),
            "seats_total": 100,
        }
        address = f"{self._town.base_url}/api/waitingroom/staff/windows/{self.window_id}"
        headers = self._town.account(roles=["staff"])
        httpx.put(address, json=body, headers=headers).raise_for_status()
        time.sleep(2.5)

    def end(self) -> None:
        time.sleep(max(0.0, (self._opens_at - datetime.now(UTC)).total_seconds() + 0.1))
        self.write(closes_at=datetime.now(UTC))

    def now_serving(self) -> dict:
        return httpx.get(f"{self._town.base_url}{self.path}/now-serving").json()

    def await_opening(self) -> dict:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (told := self.now_serving())["seed"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        return told


@pytest.fixture
def window(town: Town, runs: list[dict]) -> Iterator[Window]:
    made = Window(town, runs[-1])
    yield made
    made.end()


def polls_counted(town: Town) -> float:
    """How often the waiting room itself was asked what is served."""
    text = httpx.get(f"{town.address('waitingroom')}/metrics").text
    counts = [line for line in text.splitlines() if "_seconds_count{" in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in counts if "now-serving" in line)


def test_a_hot_run_is_bought_through_the_line_only(town: Town, window: Window, passenger):
    early, late, stranger = (Person(town, window) for _ in range(3))
    assert early.join()["number"] is None
    refused = early.order()
    assert (refused.status_code, refused.json()["code"]) == (403, "not_admitted")
    told = window.await_opening()
    digest = hmac.digest(bytes.fromhex(told["seed"]), early.account_id.bytes, "sha256")
    share = int.from_bytes(digest[:8], "big") * told["early_places"] >> 64
    assert early.join()["number"] == 1 + share
    assert late.join()["number"] > told["early_places"]
    early.await_pass()
    assert early.order().status_code == 201
    stranger.passenger.http.headers["Admission-Pass"] = early.passenger.http.headers[
        "Admission-Pass"
    ]
    assert stranger.order().json()["code"] == "not_admitted"


def test_waiting_is_answered_at_the_edge(town: Town, window: Window):
    window.await_opening()
    before = polls_counted(town)
    assert {window.now_serving()["state"] for _ in range(50)} == {"open"}
    assert polls_counted(town) == before


def test_places_outlive_the_loss_of_redis_and_of_the_worker(town: Town, window: Window, kill):
    window.await_opening()
    first = [Person(town, window) for _ in range(5)]
    numbers = [person.join()["number"] for person in first]
    redis.Redis.from_url(town.state["redis_urls"]["waitingroom"]).flushall()
    kill(town.pid("waitingroom-worker"))
    behind = Person(town, window)
    assert behind.join()["number"] > max(numbers)
    for person in (*first, behind):
        person.await_pass()
        assert person.order().status_code == 201


def test_an_opening_has_its_waiting_room_without_anybody_s_hand(town: Town):
    """As long as it is ahead; called off, its runs are sold as before."""
    day = (datetime.now(UTC) + timedelta(days=8)).date().isoformat()
    query = {"from": "DA", "to": "CTG", "date": day}
    run = httpx.get(f"{town.base_url}/api/ticket/runs", params=query).json()["runs"][0]
    before, opens_at = run["sales"]["opens_at"], datetime.now(UTC) + timedelta(hours=1)
    staff = town.account(roles=["staff"])

    def open_at(moment: str) -> None:
        path = f"{town.base_url}/api/ticket/staff/sales-windows/{uuid.uuid4()}"
        terms = {"run_id": run["run_id"], "opens_at": moment}
        httpx.put(path, json=terms, headers=staff).raise_for_status()

    def its_windows() -> list[dict]:
        windows = httpx.get(f"{town.base_url}/api/waitingroom/windows").json()["windows"]
        return [window for window in windows if run["run_id"] in window["run_ids"]]

    def await_state(state: str) -> dict:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while [window["state"] for window in its_windows()] != [state]:
            assert time.monotonic() < deadline, its_windows()
            time.sleep(0.5)
        return its_windows()[0]

    open_at(opens_at.isoformat())
    made = await_state("before")
    assert (made["is_automatic"], made["is_hot"]) == (True, True)
    assert abs(datetime.fromisoformat(made["opens_at"]) - opens_at) < timedelta(seconds=1)
    open_at(before)
    assert await_state("closed")["is_hot"] is False


def test_other_runs_need_no_pass(town: Town, window: Window, runs: list[dict], passenger):
    other = runs[0]
    seat_class = other["classes"][0]["seat_class"]
    placed = passenger().place(
        other["run_id"], "DA", "CTG", seat_class=seat_class, passengers=travellers(1)
    )
    assert placed.status_code == 201
