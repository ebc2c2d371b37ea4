"""
The gate in front of a promotion: buys a ticket as a passenger does, through the preview of the
service under release and the active ones of all others. Ends with 0 only when every answer was
the right one.

Where a test card pays (SMOKE_PROVIDER_URL) the purchase is paid, confirmed and cancelled; else
the seats are held and given back.
"""

import logging
import os
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

APPROVES = "4000000000000000"
ACCOUNTS = 10
DAYS_AHEAD_MAX = 9
PATIENCE_SECONDS = 60.0
_log = logging.getLogger("smoke")


class Failed(SystemExit):
    """Ends the program with 1, which fails the analysis."""


class Passenger:
    def __init__(self, preview: str) -> None:
        self._preview = preview
        self._http = httpx.Client(timeout=10.0)

    def address(self, service: str) -> str:
        name = f"{service}-preview" if service == self._preview else service
        return os.environ.get(f"SMOKE_{service.upper()}_URL", f"http://{name}:8080")

    def ask(
        self,
        method: str,
        service: str,
        path: str,
        *,
        expected: tuple[int, ...] = (200,),
        **said: Any,
    ) -> Any:
        answer = self._http.request(method, f"{self.address(service)}{path}", **said)
        _log.info("%s %s %s", answer.status_code, method, path)
        if answer.status_code not in expected:
            raise Failed(f"{method} {path} of {service}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def sign_in(self) -> None:
        """One account of several at random, because an account may open few orders a day."""
        who = {
            "email": os.environ.get(
                "SMOKE_EMAIL", f"smoke-{random.randrange(ACCOUNTS)}@railgate.example"
            ),
            "password": os.environ["ACCOUNT_PASSWORD"],
        }
        session = self.ask(
            "POST", "registration", "/api/registration/sessions", expected=(201,), json=who
        )
        self._http.headers["Authorization"] = f"Bearer {session['access_token']}"

    def pay_at(self, provider: str, page_url: str) -> None:
        page = httpx.post(f"{provider}{urlsplit(page_url).path}", data={"card": APPROVES})
        if page.status_code != httpx.codes.SEE_OTHER:
            raise Failed(f"The provider's page answered {page.status_code}.")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    preview = os.environ["SMOKE_PREVIEW"]
    passenger = Passenger(preview)
    passenger.ask("GET", preview, "/readyz")
    passenger.ask("GET", preview, f"/api/{preview}/openapi.json")
    passenger.sign_in()
    order = hold_a_seat(passenger)
    provider = os.environ.get("SMOKE_PROVIDER_URL", "")
    if provider:
        pay_and_cancel(passenger, order, provider)
    else:
        released = passenger.ask("PUT", "order", f"/api/order/orders/{order['order_id']}/release")
        demand(released["state"] == "released", "The seats were not given back.")
    _log.info("The preview of %s is good.", preview)


def hold_a_seat(passenger: Passenger) -> dict[str, Any]:
    """The latest days first: their sales opened long ago, and few want them yet."""
    for run, seat_class in chances(passenger):
        wish = {
            "run_id": run["run_id"],
            "from": run["from"]["station_code"],
            "to": run["to"]["station_code"],
            "seat_class": seat_class,
            "passengers": [traveller()],
        }
        path = f"/api/order/orders/{uuid.uuid4()}"
        order = passenger.ask("PUT", "order", path, expected=(201, 409), json=wish)
        if "order_id" in order:
            again = passenger.ask("PUT", "order", path, json=wish)
            demand(again["order_id"] == order["order_id"], "A repetition made another order.")
            return order
    raise Failed("There is no seat to be had on any day.")


def chances(passenger: Passenger) -> Iterator[tuple[dict[str, Any], str]]:
    where = {
        "from": os.environ.get("SMOKE_FROM", "DA"),
        "to": os.environ.get("SMOKE_TO", "CTG"),
    }
    today = datetime.now(UTC).date()
    for days in range(DAYS_AHEAD_MAX, 0, -1):
        query = where | {"date": (today + timedelta(days=days)).isoformat()}
        found = passenger.ask("GET", "ticket", "/api/ticket/runs", params=query)["runs"]
        for run in found:
            if run["sales"]["state"] != "open":
                continue
            path = f"/api/order/runs/{run['run_id']}/availability"
            for row in passenger.ask("GET", "order", path, params=where)["classes"]:
                if row["seats_free"] > 0:
                    yield run, row["seat_class"]


def traveller() -> dict[str, str]:
    number = f"{random.randrange(10**9, 10**10)}"
    return {"name": "Smoke Test", "identity_kind": "nid", "identity_number": number}


def pay_and_cancel(passenger: Passenger, order: dict[str, Any], provider: str) -> None:
    """Tickets for money, then the money back: what is sold to nobody does not stay sold."""
    path = f"/api/order/orders/{order['order_id']}"
    payment_path = f"/api/payment/payments/{uuid.uuid4()}"
    wish = {"order_id": order["order_id"]}
    payment = passenger.ask("PUT", "payment", payment_path, expected=(201,), json=wish)
    passenger.pay_at(provider, payment["redirect_url"])
    confirmed = wait_until(
        lambda: passenger.ask("GET", "order", path), lambda answer: answer["state"] == "confirmed"
    )
    demand(bool(confirmed["pnr"] and confirmed["tickets"]), "It is sold, and has no ticket.")
    wait_until(
        lambda: passenger.ask("GET", "payment", payment_path),
        lambda answer: answer["state"] == "captured",
    )
    quote = passenger.ask("GET", "order", f"{path}/cancellation-quote")
    cancelled = passenger.ask("PUT", "order", f"{path}/cancellation", json=agreement(quote))
    demand(cancelled["state"] == "cancelled", "The order could not be cancelled.")


def agreement(quote: dict[str, Any]) -> dict[str, Any]:
    return {"refund_minor": quote["refund_minor"]}


def wait_until(ask: Callable[[], Any], is_done: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_done(answer := ask()):
        if time.monotonic() > deadline:
            raise Failed(f"It stayed {answer.get('state')}.")
        time.sleep(1.0)
    return answer


def demand(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise Failed(otherwise)


if __name__ == "__main__":
    main()
