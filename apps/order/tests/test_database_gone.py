"""
PostgreSQL restarts in the middle of the sale: buyers who repeat, as clients do, get what they were
promised, and whoever cannot be served is told to come back.
"""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import text

from chassis import testing
from chassis.testing import signed_in
from order.models import db
from railgate.servers import PostgresServer

ORDERS, THREADS = 200, 8
PATIENCE_SECONDS = 40


@pytest.fixture
def own_postgres(tmp_path):
    """A database that a test may stop."""
    with PostgresServer(tmp_path / "postgres", for_tests=True) as server:
        yield server


@pytest.fixture
def office(own_postgres, another_app):
    return testing.migrated(another_app(database_url=own_postgres.create_database("order")))


class Clients:
    """Repeat each request, as it was, until it is answered with something else than 503."""

    def __init__(self, office):
        self.office, self.answered, self.outage = office, threading.Semaphore(0), []

    def put(self, path, **request):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self.office.test_client().put(f"/api/order/orders/{path}", **request)
            if answer.status_code < 500:
                self.answered.release()
                return answer
            self.outage.append(answer)
            assert time.monotonic() < deadline, answer.json
            time.sleep(0.05)


def is_a_request_to_come_back(answer):
    return (
        answer.status_code == 503
        and answer.content_type == "application/problem+json"
        and answer.json["code"] == "database_unavailable"
        and int(answer.headers["Retry-After"]) > 0
    )


@pytest.mark.timeout(180)
def test_a_restart_during_two_hundred_orders_loses_none_and_doubles_none(
    office, own_postgres, people, catalogue, as_payment
):
    """Cases 17, 21: whoever was told yes has the seats; whoever repeats has them once."""
    run_id, clients = catalogue.add_run(seats=2 * ORDERS), Clients(office)

    def buy(n):
        order_id, payment_id, headers = uuid4(), str(uuid4()), signed_in()
        wish = people.wish(run_id, 1001 + 2 * n, 1002 + 2 * n)
        placed = clients.put(str(order_id), json=people.body(wish), headers=headers)
        if n % 2:
            return order_id, placed, None
        clients.put(f"{order_id}/pins/{payment_id}", headers=as_payment)
        body = {
            "payment_id": payment_id,
            "amount_minor": placed.json["amount_minor"],
            "currency": "BDT",
        }
        return (
            order_id,
            placed,
            clients.put(f"{order_id}/confirmation", json=body, headers=as_payment),
        )

    with ThreadPoolExecutor(THREADS) as pool:
        buying = [pool.submit(buy, n) for n in range(ORDERS)]
        for _ in range(ORDERS // 4):
            clients.answered.acquire()
        own_postgres.restart()
        told = [order.result() for order in buying]

    assert clients.outage, "nobody met the restart"
    assert [a.json for a in clients.outage if not is_a_request_to_come_back(a)] == []
    assert {placed.status_code for _, placed, _ in told} <= {200, 201}
    assert {confirmed.status_code for *_, confirmed in told if confirmed} <= {200, 201}
    _check_books(office, told)


def _check_books(office, told):
    with office.app_context():
        orders = {
            row.order_id: row
            for row in db.session.execute(
                text("""
                SELECT o.order_id, o.state, o.pnr,
                    (SELECT array_agg(c.seat_id ORDER BY c.seat_id) FROM seat_claim c
                     WHERE c.order_id = o.order_id AND c.state IN ('held', 'sold')) AS seats,
                    (SELECT count(*) FROM passenger p WHERE p.order_id = o.order_id) AS riders,
                    (SELECT count(*) FROM ticket t WHERE t.order_id = o.order_id) AS tickets,
                    (SELECT count(*) FROM outbox m
                     WHERE m.payload ->> 'order_id' = o.order_id::text) AS mails
                FROM orders o
                """)
            )
        }
    assert len(orders) == len(told)
    for order_id, placed, confirmed in told:
        order = orders[order_id]
        assert order.seats == [p["seat_id"] for p in placed.json["passengers"]]
        assert order.riders == 2
        sold = (confirmed.json["pnr"], "confirmed", 2, 1) if confirmed else (None, "held", 0, 0)
        assert (order.pnr, order.state, order.tickets, order.mails) == sold
    seats = Counter(seat for order in orders.values() for seat in order.seats)
    assert set(seats.values()) == {1}


@pytest.mark.timeout(120)
def test_while_the_database_is_down_everybody_is_asked_to_come_back(
    office, own_postgres, people, run_id, as_payment
):
    client, headers = office.test_client(), signed_in()
    order_id = uuid4()
    body = people.body(people.wish(run_id, 1001))
    placed = client.put(f"/api/order/orders/{order_id}", json=body, headers=headers)
    assert placed.status_code == 201
    own_postgres.stop()

    answers = [
        client.put(f"/api/order/orders/{uuid4()}", json=body, headers=headers),
        client.get(f"/api/order/orders/{order_id}", headers=headers),
        client.get("/api/order/orders", headers=headers),
        client.put(f"/api/order/orders/{order_id}/release", headers=headers),
        client.put(f"/api/order/orders/{order_id}/pins/{uuid4()}", headers=as_payment),
        client.get(f"/api/order/runs/{run_id}/availability?from=AAA&to=EEE"),
    ]
    ready = client.get("/readyz")

    assert [a.json for a in answers if not is_a_request_to_come_back(a)] == []
    assert ready.status_code == 503
    assert ready.json["checks"]["database"].startswith("failing")
    own_postgres.start()
    assert client.get(f"/api/order/orders/{order_id}", headers=headers).json["state"] == "held"
