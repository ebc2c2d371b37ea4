"""What a passenger does with Railgate, over its public API and the provider's page."""

import time
import uuid
from itertools import count

import httpx

APPROVES = "4000000000000000"
PATIENCE_SECONDS = 30.0
# How long order may still refuse a seat that was given back, by a snapshot of another process.
SNAPSHOT_SECONDS = 1.5
_numbers = count(int(time.time()) % 1_000_000 * 1_000)


def travellers(how_many: int) -> list[dict[str, str]]:
    return [
        {
            "name": f"Traveller {n}",
            "identity_kind": "nid",
            "identity_number": f"{next(_numbers):010d}",
        }
        for n in range(how_many)
    ]


class Passenger:
    """One signed-in account. Requests that may be repeated are repeated, as a page would."""

    def __init__(self, base_url: str, headers: dict[str, str]) -> None:
        self.http = httpx.Client(base_url=base_url, headers=headers, timeout=15.0)

    def search(self, start: str, end: str, day: str) -> list[dict]:
        query = {"from": start, "to": end, "date": day}
        return self.http.get("/api/ticket/runs", params=query).raise_for_status().json()["runs"]

    def availability(self, run_id: str, start: str, end: str) -> dict[str, dict]:
        path = f"/api/order/runs/{run_id}/availability"
        found = self.http.get(path, params={"from": start, "to": end}).raise_for_status().json()
        return {c["seat_class"]: c for c in found["classes"]}

    def place(self, run_id: str, start: str, end: str, *, order_id: str = "", **wish):
        """Place an order with `seat_ids` or `seat_class`; gives the answer as it came."""
        wish.setdefault("passengers", travellers(len(wish.get("seat_ids", [0]))))
        body = {"run_id": run_id, "from": start, "to": end, **wish}
        return self.put(f"/api/order/orders/{order_id or uuid.uuid4()}", body)

    def put(self, path: str, body: dict | None = None) -> httpx.Response:
        """A PUT is repeatable, so what did not get through is sent again."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self.http.put(path, json=body)
                if answer.status_code not in {502, 503, 504} or time.monotonic() > deadline:
                    return answer
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def order(self, order_id: str) -> dict:
        return self.http.get(f"/api/order/orders/{order_id}").raise_for_status().json()

    def begin_payment(self, order_id: str, *, payment_id: str = "") -> dict:
        path = f"/api/payment/payments/{payment_id or uuid.uuid4()}"
        answer = self.put(path, {"order_id": order_id})
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    def pay(self, payment: dict, card: str = APPROVES) -> httpx.Response:
        """Send the form of the provider's page, as a browser does."""
        return httpx.post(payment["redirect_url"], data={"card": card}, timeout=15.0)

    def payment(self, payment_id: str) -> dict:
        return self.http.get(f"/api/payment/payments/{payment_id}").raise_for_status().json()

    def await_order(self, order_id: str, *states: str, seconds: float = PATIENCE_SECONDS) -> dict:
        return self._await(lambda: self.order(order_id), states, seconds)

    def await_payment(
        self, payment_id: str, *states: str, seconds: float = PATIENCE_SECONDS
    ) -> dict:
        return self._await(lambda: self.payment(payment_id), states, seconds)

    def buy(
        self, run_id: str, start: str, end: str, *, card: str = APPROVES, **wish
    ) -> tuple[dict, dict]:
        """Hold, pay, and give the order and the payment as they were begun."""
        placed = self.place(run_id, start, end, **wish)
        assert placed.status_code == 201, placed.text
        payment = self.begin_payment(placed.json()["order_id"])
        self.pay(payment, card)
        return placed.json(), payment

    @staticmethod
    def _await(read, states: tuple[str, ...], seconds: float) -> dict:
        deadline, last = time.monotonic() + seconds, {}
        while time.monotonic() < deadline:
            try:
                last = read()
                if last["state"] in states:
                    return last
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"Waited {seconds} s for {states}: {last}")
