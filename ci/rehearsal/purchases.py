"""
Buyers who forgive nothing: they repeat no request, so that an answer which a patient page would
have asked for again is counted as lost. Every request is written down.
"""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
from ci.passenger import APPROVES, PATIENCE_SECONDS, travellers
from ci.rehearsal.next_release import HEADER
from ci.town import Town

FROM, TO = "DA", "CTG"
# Every so many purchases a buyer signs in: a POST, which nobody may repeat for him.
PURCHASES_PER_SIGN_IN = 4
LONGEST_SECONDS = 30.0


@dataclass(frozen=True)
class Asked:
    """One request and what came of it; `failure` is empty when it went well."""

    at: float
    seconds: float
    method: str
    path: str
    version: str
    failure: str = ""


@dataclass
class Ledger:
    """What all buyers did together; each list only grows, so no lock is needed to append."""

    asked: list[Asked] = field(default_factory=list)
    bought: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)

    def between(self, start: float, end: float) -> list[Asked]:
        return [one for one in self.asked if start <= one.at < end]


class SeatsOnSale:
    """Each seat once, from many runs."""

    def __init__(self, base_url: str) -> None:
        self._lock = threading.Lock()
        self._seats = self._every(base_url)

    def next(self) -> tuple[str, int]:
        with self._lock:
            return next(self._seats)

    @staticmethod
    def _every(base_url: str) -> Iterator[tuple[str, int]]:
        with httpx.Client(base_url=base_url, timeout=LONGEST_SECONDS) as http:
            for days in range(2, 9):
                day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
                leg = {"from": FROM, "to": TO}
                found = http.get("/api/ticket/runs", params={**leg, "date": day})
                for run in found.raise_for_status().json()["runs"]:
                    if run["sales"]["state"] != "open":
                        continue
                    path = f"/api/order/runs/{run['run_id']}/seat-map"
                    seat_map = http.get(path, params=leg).raise_for_status().json()
                    for coach in seat_map["coaches"]:
                        for seat in coach["seats"]:
                            yield run["run_id"], seat["seat_id"]


class Buyer(threading.Thread):
    """Buys one ticket after another until told to stop, and finishes the last one."""

    def __init__(
        self, town: Town, seats: SeatsOnSale, ledger: Ledger, is_over: threading.Event
    ) -> None:
        super().__init__()
        self._town, self._seats, self._ledger, self._is_over = town, seats, ledger, is_over
        self._account = town.state["accounts"]["passenger"]

    def run(self) -> None:
        with httpx.Client(base_url=self._town.base_url, timeout=LONGEST_SECONDS) as http:
            purchases = 0
            while not self._is_over.is_set():
                if purchases % PURCHASES_PER_SIGN_IN == 0:
                    self._ask(http, "POST", "/api/registration/sessions", 201, json=self._account)
                http.headers.update(self._town.account())
                self._buy(http)
                purchases += 1

    def _buy(self, http: httpx.Client) -> None:
        run_id, seat_id = self._seats.next()
        order_id, payment_id = str(uuid.uuid4()), str(uuid.uuid4())
        order, payment = f"/api/order/orders/{order_id}", f"/api/payment/payments/{payment_id}"
        wish = {"run_id": run_id, "from": FROM, "to": TO, "seat_ids": [seat_id]}
        availability = f"/api/order/runs/{run_id}/availability?from={FROM}&to={TO}"
        self._ask(http, "GET", f"/api/ticket/runs/{run_id}", 200)
        self._ask(http, "GET", availability, 200)
        self._ask(http, "PUT", order, 201, json={**wish, "passengers": travellers(1)})
        begun = self._ask(http, "PUT", payment, 201, json={"order_id": order_id})
        if begun is None:
            self._ledger.unfinished.append(order_id)
            return
        self._ask(http, "POST", begun["redirect_url"], 303, data={"card": APPROVES})
        is_bought = self._await(http, order, "confirmed") and self._await(http, payment, "captured")
        (self._ledger.bought if is_bought else self._ledger.unfinished).append(order_id)

    def _await(self, http: httpx.Client, path: str, state: str) -> bool:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            seen = self._ask(http, "GET", path, 200)
            if seen is not None and seen["state"] == state:
                return True
            time.sleep(0.15)
        return False

    def _ask(self, http: httpx.Client, method: str, path: str, expected: int, **said):
        """Ask once; give the JSON, or None where the answer is not the expected one."""
        at, failure, version, body = time.monotonic(), "", "", None
        try:
            answer = http.request(method, path, **said)
            version = answer.headers.get(HEADER, "old")
            if answer.status_code != expected:
                failure = f"{answer.status_code} instead of {expected}: {answer.text[:160]}"
            elif answer.headers.get("Content-Type", "").startswith("application/json"):
                body = answer.json()
        except httpx.HTTPError as error:
            failure = f"{type(error).__name__}: {error}"
        self._ledger.asked.append(Asked(at, time.monotonic() - at, method, path, version, failure))
        return body


@contextlib.contextmanager
def buying(town: Town, buyers: int) -> Iterator[Ledger]:
    """Let so many buyers buy during the block; at its end each finishes his last purchase."""
    seats, ledger, is_over = SeatsOnSale(town.base_url), Ledger(), threading.Event()
    threads = [Buyer(town, seats, ledger, is_over) for _ in range(buyers)]
    for thread in threads:
        thread.start()
    try:
        yield ledger
    finally:
        is_over.set()
        for thread in threads:
            thread.join(4 * PATIENCE_SECONDS)
