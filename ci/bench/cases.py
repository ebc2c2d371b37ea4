"""
What is measured: each case makes its requests ready beforehand and says which answer it expects.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
from ci.bench.generator import load, request_bytes
from ci.bench.town import ACCOUNTS, BenchTown

PLACED_A_ROUND = 1_500
PLENTY = 20_000
# Until the waiting room's worker has written a new window to the gateway's board.
BOARD_SECONDS = 3.0
SEATS_OF_A_WINDOW = 1_000
_people = count(1)


@dataclass(frozen=True)
class Case:
    """
    `requests` gives the requests of one round; `aim` is the ratio of limits worth reaching;
    `warm_up` is how many requests go before, unmeasured.
    """

    name: str
    service: str
    status: int
    requests: Callable[[], list[bytes]]
    aim: float | None = None
    warm_up: int = 300


class Seats:
    """Hands out every seat of the bench's runs once, each with a leg that is on sale."""

    def __init__(self, town: BenchTown, definitions: list[dict]) -> None:
        self._town = town
        self._free = self.every_seat(definitions)

    @staticmethod
    def every_seat(definitions: list[dict]) -> Iterator[tuple[dict, dict, int]]:
        for definition in definitions:
            longest = {}
            for fare in definition["fares"]:
                kept = longest.get(fare["seat_class"])
                if kept is None or _length(fare) > _length(kept):
                    longest[fare["seat_class"]] = fare
            for coach in definition["coaches"]:
                fare = longest.get(coach["seat_class"])
                for seat in coach["seats"] if fare else ():
                    yield definition, fare, seat["seat_id"]

    def wishes(self, most: int) -> list[tuple[str, dict]]:
        """Give ids and bodies of orders of one seat each."""
        found = []
        for definition, fare, seat_id in self._free:
            found.append((str(uuid.uuid4()), wish(definition, fare, [seat_id])))
            if len(found) == most:
                break
        if len(found) < most:
            raise SystemExit("The bench has sold out its runs: give it more of them.")
        return found


def _length(fare: dict) -> int:
    return fare["to_sequence"] - fare["from_sequence"]


def wish(definition: dict, fare: dict, seat_ids: list[int]) -> dict:
    return {
        "run_id": definition["run_id"],
        "from": definition["stops"][fare["from_sequence"]]["station_code"],
        "to": definition["stops"][fare["to_sequence"]]["station_code"],
        "seat_ids": seat_ids,
        "passengers": [
            {"name": "Bench", "identity_kind": "nid", "identity_number": f"{next(_people):010d}"}
            for _ in seat_ids
        ],
    }


def cases(town: BenchTown) -> list[Case]:
    definitions = town.runs_on_sale(count=20)
    if not definitions:
        raise SystemExit("The bench found no run on sale.")
    seats = Seats(town, definitions)
    order, ticket = town.town.address("order"), town.town.address("ticket")
    hot = definitions[0]
    start, end = hot["stops"][0]["station_code"], hot["stops"][-1]["station_code"]
    day = hot["stops"][0]["departs_at"][:10]
    _warm_up(town)
    taken = seats.wishes(1)[0][1]
    place(town, [(str(uuid.uuid4()), taken)])

    def reading(url: str) -> Callable[[], list[bytes]]:
        return lambda: [request_bytes("GET", url)] * PLENTY

    def refused() -> list[bytes]:
        body = {**taken, "passengers": wish(hot, hot["fares"][0], [1])["passengers"]}
        return [put(town, n, str(uuid.uuid4()), body) for n in range(PLENTY // 2)]

    def placed() -> list[bytes]:
        wishes = seats.wishes(PLACED_A_ROUND)
        return [put(town, n, order_id, body) for n, (order_id, body) in enumerate(wishes)]

    def confirmed() -> list[bytes]:
        return _confirmations(town, place(town, seats.wishes(PLACED_A_ROUND // 2)))

    def waiting() -> list[bytes]:
        path = f"/api/waitingroom/windows/{open_window(town, [str(uuid.uuid4())])}/now-serving"
        return [request_bytes("GET", f"{town.town.base_url}{path}")] * (PLENTY * 5)

    query = f"?from={start}&to={end}"
    return [
        Case("search", "ticket", 200, reading(f"{ticket}/api/ticket/runs{query}&date={day}")),
        Case("run definition", "ticket", 200, reading(f"{ticket}/api/ticket/runs/{hot['run_id']}")),
        Case(
            "availability",
            "order",
            200,
            reading(f"{order}/api/order/runs/{hot['run_id']}/availability{query}"),
            aim=0.8,
        ),
        Case("refused order", "order", 409, refused, aim=0.8),
        Case("now serving", "gateway", 200, waiting, aim=10.0),
        # Nothing goes before these: each order is placed once.
        Case("placed order", "order", 201, placed, aim=0.45, warm_up=0),
        Case("confirmed order", "order", 201, confirmed, aim=0.3, warm_up=0),
    ]


def open_window(town: BenchTown, run_ids: list[str]) -> str:
    """Staff open a waiting room for the runs; its worker writes the board."""
    window_id, opens_at = str(uuid.uuid4()), datetime.now(UTC)
    window = {
        "run_ids": run_ids,
        "opens_at": opens_at.isoformat(),
        "closes_at": (opens_at + timedelta(hours=1)).isoformat(),
        "seats_total": SEATS_OF_A_WINDOW,
    }
    base = f"{town.town.base_url}/api/waitingroom"
    staff = town.town.account(roles=["staff"])
    url = f"{base}/staff/windows/{window_id}"
    httpx.put(url, json=window, headers=staff).raise_for_status()
    time.sleep(BOARD_SECONDS)
    return window_id


def _warm_up(town: BenchTown) -> None:
    """Each process sees each token once, as before a rush: people search before they buy."""
    url = f"{town.town.address('order')}/api/order/orders?limit=1"
    requests = [request_bytes("GET", url, headers=town.account(n)) for n in range(ACCOUNTS * 8)]
    load(town.town.address("order"), requests, seconds=60)


def put(
    town: BenchTown, n: int, order_id: str, body: dict, *, headers: dict[str, str] | None = None
) -> bytes:
    url = f"{town.address('order')}/api/order/orders/{order_id}"
    named = town.account(n) | (headers or {})
    return request_bytes("PUT", url, body=json.dumps(body).encode(), headers=named)


def place(town: BenchTown, wishes: list[tuple[str, dict]]) -> list[str]:
    requests = [put(town, n, order_id, body) for n, (order_id, body) in enumerate(wishes)]
    result = load(town.town.address("order"), requests, seconds=120)
    if result.statuses != {201: len(wishes)}:
        raise SystemExit(f"Placing orders for the bench went wrong: {dict(result.statuses)}")
    return [order_id for order_id, _ in wishes]


def _confirmations(town: BenchTown, order_ids: list[str]) -> list[bytes]:
    """Pin each order to a payment, so that what remains to be measured is the confirmation."""
    order, confirmations = town.town.address("order"), []
    with httpx.Client(headers=town.town.service("payment", "order")) as client:
        for order_id in order_ids:
            payment_id = str(uuid.uuid4())
            pin = client.put(f"{order}/api/order/orders/{order_id}/pins/{payment_id}").json()
            body = {key: pin[key] for key in ("payment_id", "amount_minor", "currency")}
            url = f"{order}/api/order/orders/{order_id}/confirmation"
            headers = town.town.service("payment", "order")
            confirmations.append(
                request_bytes("PUT", url, body=json.dumps(body).encode(), headers=headers)
            )
    return confirmations
