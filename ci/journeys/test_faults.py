"""
What breaks in the middle of a purchase: Redis, PostgreSQL, workers, services, mail. After each of
them the books are audited (conftest.py), and the purchase has an end.
"""

import os
import signal
import threading
import time
import uuid

import pytest
import redis
from ci.passenger import Passenger

SERVICES = ("order", "payment")


@pytest.fixture
def open_purchase(passenger, seats):
    """A passenger with a held seat on the provider's page."""
    buyer, (run_id, seat_id) = passenger(), seats.next()
    order = buyer.place(run_id, "DA", "CTG", seat_ids=[seat_id]).json()
    return buyer, order, buyer.begin_payment(order["order_id"])


def finish(buyer, order, payment, *, seconds=90):
    """Whatever happened in between, the money and the seats agree in the end."""
    ended = buyer.await_payment(
        payment["payment_id"], "captured", "voided", "refunded", "declined", seconds=seconds
    )
    bought = buyer.order(order["order_id"])
    assert (bought["state"] == "confirmed") == (ended["state"] == "captured")
    return ended["state"]


def test_redis_emptied_between_hold_and_payment(town, open_purchase, passenger):
    buyer, order, payment = open_purchase
    for url in set(town.state["redis_urls"].values()):
        redis.Redis.from_url(url).flushall()

    seat_id = order["passengers"][0]["seat_id"]
    rival = passenger().place(order["run_id"], "DA", "CTG", seat_ids=[seat_id])
    buyer.pay(payment)

    assert rival.json()["code"] == "seat_taken"
    assert finish(buyer, order, payment) == "captured"


def test_redis_hangs_and_sales_go_on(town, open_purchase, passenger, seats, paused):
    buyer, order, payment = open_purchase
    with paused(town.server_pid("valkey", "redis")):
        run_id, seat_id = seats.next()
        second = passenger()
        bought, second_payment = second.buy(run_id, "DA", "CTG", seat_ids=[seat_id])
        refused = passenger().place(run_id, "DA", "CTG", seat_ids=[seat_id])
        buyer.pay(payment)
        assert refused.json()["code"] == "seat_taken"
        assert finish(second, bought, second_payment) == "captured"
        assert finish(buyer, order, payment) == "captured"


def test_redis_killed_between_hold_and_payment(town, open_purchase, kill):
    buyer, order, payment = open_purchase
    kill(town.server_pid("valkey", "redis"))

    buyer.pay(payment)

    assert finish(buyer, order, payment) == "captured"


def test_postgresql_restarted_while_orders_are_placed_and_paid(town, passenger, seats, await_ready):
    """Twelve passengers buy, and the database goes away under them."""
    purchases, failures = [], []

    def buy(buyer, run_id, seat_id):
        try:
            order = buyer.place(run_id, "DA", "CTG", seat_ids=[seat_id]).json()
            payment = buyer.begin_payment(order["order_id"])
            buyer.pay(payment)
            purchases.append((buyer, order, payment))
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=buy, args=(passenger(), *seats.next())) for _ in range(12)]
    for n, thread in enumerate(threads):
        thread.start()
        time.sleep(0.1)
        if n == 5:
            os.kill(town.server_pid("postgres"), signal.SIGINT)
    for thread in threads:
        thread.join(120)
    await_ready("order", "payment")

    assert failures == []
    assert len(purchases) == 12
    for purchase in purchases:
        assert finish(*purchase) == "captured"


@pytest.mark.parametrize("victim", ["payment", "payment-worker", "order", "order-worker"])
def test_killed_between_the_providers_success_and_our_commit(
    town, open_purchase, kill, await_ready, victim
):
    """Case 17: the passenger's money is there, the process is not; the reconciler ends it."""
    buyer, order, payment = open_purchase
    payer = threading.Thread(target=buyer.pay, args=(payment,))
    payer.start()
    kill(town.pid(victim))
    payer.join(60)
    await_ready(*SERVICES)

    assert finish(buyer, order, payment) == "captured"


def test_all_of_them_killed_while_many_pay(town, passenger, seats, kill, await_ready):
    """Eight payments under way, and every worker and service of the two dies twice."""
    buyers = [passenger() for _ in range(8)]
    purchases = []
    for buyer in buyers:
        run_id, seat_id = seats.next()
        order = buyer.place(run_id, "DA", "CTG", seat_ids=[seat_id]).json()
        purchases.append((buyer, order, buyer.begin_payment(order["order_id"])))
    payers = [threading.Thread(target=b.pay, args=(p,)) for b, _, p in purchases]
    for payer in payers:
        payer.start()
    for _ in range(2):
        for name in ("payment", "order-worker", "order", "payment-worker"):
            kill(town.pid(name))
        time.sleep(1.5)
        await_ready(*SERVICES)
    for payer in payers:
        payer.join(60)

    for purchase in purchases:
        assert finish(*purchase) == "captured"


def test_order_does_not_answer_when_the_money_comes(town, open_purchase, paused):
    """A 500 or silence of ours at the webhook is finished later, once."""
    buyer, order, payment = open_purchase
    with paused(town.pid("order")):
        buyer.pay(payment)
        time.sleep(4)

    assert finish(buyer, order, payment) == "captured"


def test_the_mail_server_hangs_and_nobody_is_slower(town, seats, paused, await_mail):
    """Case 24: the mails come when it is back; the purchase does not wait for it."""
    email = f"m{uuid.uuid4().hex[:8]}@example.org"
    buyer = Passenger(town.base_url, town.account(email=email))
    run_id, seat_id = seats.next()
    with paused(town.pid("mail")):
        order, payment = buyer.buy(run_id, "DA", "CTG", seat_ids=[seat_id])
        bought = buyer.await_order(order["order_id"], "confirmed")
        assert finish(buyer, order, payment) == "captured"

    assert await_mail(email, bought["pnr"], seconds=90)


def test_the_provider_hangs_and_other_purchases_of_seats_go_on(town, passenger, seats, paused):
    """A slow provider holds up paying, not holding."""
    buyer, (run_id, seat_id) = passenger(), seats.next()
    order = buyer.place(run_id, "DA", "CTG", seat_ids=[seat_id]).json()
    with paused(town.pid("sandbox")):
        payment_id = str(uuid.uuid4())
        began_at = time.monotonic()
        waiting = buyer.http.put(
            f"/api/payment/payments/{payment_id}",
            json={"order_id": order["order_id"]},
            timeout=60,
        )
        waited = time.monotonic() - began_at
        run_id, seat_id = seats.next()
        others = passenger().place(run_id, "DA", "CTG", seat_ids=[seat_id])

    assert others.status_code == 201
    assert waiting.status_code == 503
    assert waited < 30
    payment = buyer.begin_payment(order["order_id"], payment_id=payment_id)
    buyer.pay(payment)
    assert finish(buyer, order, payment) == "captured"
