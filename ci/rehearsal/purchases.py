"""Buyers: each purchase is an order, a payment on the provider's page, and a ticket."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
from ci.passenger import APPROVES, travellers
from ci.rehearsal.asking import LONGEST_SECONDS, Got, Ledger, Visitor
from ci.town import Town

FROM, TO = "DA", "CTG"
LEG = {"from": FROM, "to": TO}
DECLINES = "4000000000000002"
# Every so many purchases a buyer signs in: a POST, which nobody may repeat for him.
PURCHASES_PER_SIGN_IN = 4
# What is sold to buyers; a later day is the waiting room's.
DAYS_OF_BUYERS = range(2, 9)
BOUGHT, GIVEN_BACK = "tickets bought", "tickets given back"


def open_runs(base_url: str, days: int) -> list[dict]:
    day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    with httpx.Client(base_url=base_url, timeout=LONGEST_SECONDS) as http:
        found = http.get("/api/ticket/runs", params={**LEG, "date": day}).raise_for_status().json()
    return [run for run in found["runs"] if run["sales"]["state"] == "open"]


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
            for days in DAYS_OF_BUYERS:
                for run in open_runs(base_url, days):
                    path = f"/api/order/runs/{run['run_id']}/seat-map"
                    seat_map = http.get(path, params=LEG).raise_for_status().json()
                    for coach in seat_map["coaches"]:
                        for seat in coach["seats"]:
                            yield run["run_id"], seat["seat_id"]


class Buyer(Visitor):
    """Buys one ticket after another."""

    def __init__(self, town: Town, ledger: Ledger, seats: SeatsOnSale) -> None:
        super().__init__(town, ledger)
        self._seats = seats
        self._account = town.state["accounts"]["passenger"]
        self._purchases = 0

    def visit(self) -> None:
        if self._purchases % PURCHASES_PER_SIGN_IN == 0:
            self.ask("POST", "/api/registration/sessions", 201, json=self._account)
        self._purchases += 1
        self.http.headers.update(self.town.account())
        order = self._order()
        self._pay(order, APPROVES, "captured")
        self.await_state(order, "confirmed")
        self.ledger.finish(order, BOUGHT)

    def _order(self) -> str:
        run_id, seat_id = self._seats.next()
        order_id = str(uuid.uuid4())
        order = f"/api/order/orders/{order_id}"
        self.ask("GET", f"/api/ticket/runs/{run_id}", 200)
        self.ask("GET", f"/api/order/runs/{run_id}/availability?from={FROM}&to={TO}", 200)
        wish = {"run_id": run_id, **LEG, "seat_ids": [seat_id], "passengers": travellers(1)}
        placed = self.ask("PUT", order, 201, json=wish)
        self.note("order", order_id, placed)
        return order

    def _pay(self, order: str, card: str, until: str) -> None:
        payment_id = str(uuid.uuid4())
        payment = f"/api/payment/payments/{payment_id}"
        self.ledger.begun.append(order)
        begun = self.ask("PUT", payment, 201, json={"order_id": order.rpartition("/")[2]})
        self.note("payment", payment_id, begun)
        self.ask("POST", begun.body["redirect_url"], 303, data={"card": card})
        self.await_state(payment, until)

    def note(self, service: str, key: str, got: Got) -> None:
        self.ledger.made.append((service, key, got.version))


class UnsureBuyer(Buyer):
    """Pays with a card that is declined, then with another, and gives the ticket back."""

    def visit(self) -> None:
        self.http.headers.update(self.town.account())
        order = self._order()
        self._pay(order, DECLINES, "declined")
        self._pay(order, APPROVES, "captured")
        self.await_state(order, "confirmed")
        quote = self.ask("GET", f"{order}/cancellation-quote", 200).body
        agreed = {"refund_minor": quote["refund_minor"]}
        cancelled = self.ask("PUT", f"{order}/cancellation", 200, json=agreed).body
        self.expect(cancelled["state"] == "cancelled", f"{order} is {cancelled['state']}")
        self.ledger.finish(order, GIVEN_BACK)
