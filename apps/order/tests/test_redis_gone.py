"""
Redis makes refusals cheap and may vanish at any moment: emptied, stopped or silent, nothing is
sold twice and sales go on. And while it is there, it grants nothing.
"""

import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import redis
from sqlalchemy import text

from chassis.cache import SoftRedis
from chassis.testing import signed_in
from order.gate import Gate
from order.models import db
from order.run import Leg
from order.snapshot import LiveClaim
from order.snapshots import Snapshots
from railgate.servers import ValkeyServer

LEG = Leg(0, 4)


@pytest.fixture
def own_redis(tmp_path):
    """A Redis that a test may stop."""
    with ValkeyServer(tmp_path / "valkey", for_tests=True) as server:
        yield server


@pytest.fixture
def silent_redis():
    """An address where somebody listens and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.fixture
def shared(settings, app):
    return SoftRedis(settings.redis_url)


def place(app, people, wish, *, order_id=None, headers=None):
    return app.test_client().put(
        f"/api/order/orders/{order_id or uuid4()}",
        json=people.body(wish),
        headers=headers or signed_in(),
    )


def pay(app, order, as_payment):
    client, payment_id = app.test_client(), str(uuid4())
    path = f"/api/order/orders/{order['order_id']}"
    pinned = client.put(f"{path}/pins/{payment_id}", headers=as_payment)
    assert pinned.status_code == 201
    body = {
        "payment_id": payment_id,
        "amount_minor": order["amount_minor"],
        "currency": order["currency"],
    }
    return client.put(f"{path}/confirmation", json=body, headers=as_payment)


def sold_seats():
    rows = db.session.execute(text("SELECT seat_id FROM seat_claim WHERE state = 'held'"))
    db.session.commit()
    return list(rows.scalars())


# Redis empties, stops, falls silent.


def test_flushall_between_hold_and_confirmation_costs_nothing(
    app, another_app, people, run_id, as_payment, own_redis
):
    """Cases 9, 11: no truth lives in Redis, and nothing waits for its notifications."""
    office = another_app(redis_url=own_redis.url, snapshot_shared_seconds=1.0, gate_seconds=1.5)
    order = place(office, people, people.wish(run_id, 1001, 1002)).json

    redis.Redis.from_url(own_redis.url).flushall()

    rival = place(office, people, people.wish(run_id, 1002))
    assert (rival.status_code, rival.json["code"]) == (409, "seat_taken")
    confirmed = pay(office, order, as_payment)
    assert (confirmed.status_code, confirmed.json["state"]) == (201, "confirmed")
    redis.Redis.from_url(own_redis.url).flushall()
    rival = place(office, people, people.wish(run_id, 1001))
    assert (rival.status_code, rival.json["code"]) == (409, "seat_taken")


def test_sales_go_on_while_redis_stops_and_no_seat_is_sold_twice(
    app, another_app, people, catalogue, own_redis
):
    run_id = catalogue.add_run(seats=60)
    office = another_app(redis_url=own_redis.url, snapshot_shared_seconds=1.0, gate_seconds=1.5)
    wishes = [people.wish(run_id, 1001 + n // 4) for n in range(240)]
    placed, stopped = threading.Semaphore(0), threading.Event()

    def buy(wish):
        answer = place(office, people, wish)
        placed.release()
        return answer.status_code, answer.json.get("code", ""), stopped.is_set()

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(buy, wish) for wish in wishes]
        for _ in range(12):
            placed.acquire()
        own_redis.stop()
        stopped.set()
        outcome = Counter(answer.result() for answer in answers)

    by_code = Counter()
    for (status, code, _), count in outcome.items():
        by_code[status, code] += count
    assert set(by_code) <= {(201, ""), (409, "seat_taken")}
    assert sorted(sold_seats()) == list(range(1001, 1061))
    assert by_code[201, ""] == 60
    assert any(was_stopped and status == 201 for status, _, was_stopped in outcome)


def test_without_redis_refusals_are_still_right(
    app, another_app, people, catalogue, own_redis, as_payment
):
    run_id = catalogue.add_run(seats=2)
    office = another_app(redis_url=own_redis.url)
    own_redis.stop()
    order = place(office, people, people.wish(run_id, 1001)).json

    taken = place(office, people, people.wish(run_id, 1001))
    held = place(office, people, people.wish(run_id, seat_class="S", count=2))
    pay(office, order, as_payment)
    sold_out = place(office, people, people.wish(run_id, seat_class="S", count=2))
    last = place(office, people, people.wish(run_id, seat_class="S", count=1))

    codes = [answer.json.get("code") for answer in (taken, held, sold_out)]
    assert codes == ["seat_taken", "seats_held", "sold_out"]
    assert last.status_code == 201


def test_a_silent_redis_costs_a_moment_and_is_then_passed_over(
    app, another_app, people, run_id, silent_redis
):
    """Case 24: what is slow beside the sale does not make the sale slow."""
    office = another_app(redis_url=silent_redis)
    seconds = []
    for seat_id in range(1001, 1007):
        begun = time.monotonic()
        answer = place(office, people, people.wish(run_id, seat_id))
        seconds.append(time.monotonic() - begun)
        assert answer.status_code == 201

    assert max(seconds) < 1.5
    assert sorted(seconds)[2] < 0.25


# Snapshots that are shared.


class Builder:
    """Counts how often the one query would run."""

    def __init__(self, seconds=0.0):
        self.seconds, self.built, self.claims = seconds, 0, []
        self._lock = threading.Lock()

    def __call__(self, _):
        with self._lock:
            self.built += 1
        found = list(self.claims)
        time.sleep(self.seconds)
        return found


def snapshots(soft_redis, builder, *, local_seconds=0.05, shared_seconds=0.3):
    return Snapshots(
        soft_redis, builder, local_seconds=local_seconds, shared_seconds=shared_seconds
    )


def at_once(calls):
    barrier = threading.Barrier(len(calls))

    def attempt(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(attempt, calls))


def test_two_processes_share_one_snapshot(shared):
    builder, run_id = Builder(), uuid4()
    builder.claims = [LiveClaim(1001, 0, 4, 0.0, "0123456789ab")]
    first, second = snapshots(shared, builder), snapshots(shared, builder)

    one, other = first.get(run_id), second.get(run_id)

    assert builder.built == 1
    assert (one.claims, one.as_of) == (other.claims, other.as_of)
    assert other.state_of(1001, LEG, time.time()) == "sold"


def test_twenty_threads_of_two_processes_build_once(shared):
    builder, run_id = Builder(seconds=0.1), uuid4()
    first, second = snapshots(shared, builder), snapshots(shared, builder)

    found = at_once([lambda s=s: s.get(run_id) for s in (first, second) for _ in range(10)])

    assert builder.built == 1
    assert len({snapshot.as_of for snapshot in found}) == 1


def test_without_redis_each_process_builds_one():
    builder, run_id = Builder(seconds=0.1), uuid4()
    first, second = (snapshots(SoftRedis(""), builder) for _ in range(2))

    at_once([lambda s=s: s.get(run_id) for s in (first, second) for _ in range(10)])

    assert builder.built == 2


def test_a_builder_that_died_is_not_waited_for_long(shared, settings):
    run_id, builder = uuid4(), Builder()
    key = f"order:snapshot-building:{run_id}"
    redis.Redis.from_url(settings.redis_url).set(key, 1, px=60_000)

    begun = time.monotonic()
    snapshots(shared, builder).get(run_id)

    assert builder.built == 1
    assert time.monotonic() - begun < 1.0


def test_a_snapshot_is_never_older_than_it_may_be(shared):
    builder, run_id = Builder(), uuid4()
    one, other = snapshots(shared, builder), snapshots(shared, builder)
    deadline = time.monotonic() + 1.2
    while time.monotonic() < deadline:
        for process in (one, other):
            assert time.time() - process.get(run_id).as_of < 0.05 + 0.3 + 0.1
        time.sleep(0.005)

    assert 3 <= builder.built <= 6


def test_after_a_quiet_hour_nobody_sees_the_snapshot_of_an_hour_ago(shared):
    """Those who come while one builds anew wait for it, unless theirs is only just over."""
    builder, run_id = Builder(), uuid4()
    process = snapshots(shared, builder)
    builder.claims = [LiveClaim(1001, 0, 4, 0.0, "0123456789ab")]
    process.get(run_id)
    time.sleep(0.05 + 0.3 + 0.1)
    builder.claims, builder.seconds = [], 0.1

    found = at_once([lambda: process.get(run_id)] * 10)

    assert builder.built == 2
    assert [snapshot.claims for snapshot in found] == [[]] * 10


def test_seats_given_back_are_seen_by_the_other_process_at_once(shared):
    builder, run_id = Builder(), uuid4()
    one = snapshots(shared, builder, local_seconds=0.0, shared_seconds=30.0)
    other = snapshots(shared, builder, local_seconds=0.0, shared_seconds=30.0)
    builder.claims = [LiveClaim(1001, 0, 4, 0.0, "0123456789ab")]
    assert other.get(run_id).state_of(1001, LEG, time.time()) == "sold"

    builder.claims = []
    one.forget(run_id)

    assert other.get(run_id).state_of(1001, LEG, time.time()) == "free"


# The gate.


def test_the_gate_lets_one_of_many_through(shared):
    gate, run_id = Gate(shared, seconds=5), uuid4()
    calls = [lambda order_id=uuid4(): gate.enter(run_id, LEG, [1001, 1002], order_id)] * 1
    calls += [lambda: gate.enter(run_id, LEG, [1002, 1001], uuid4()) for _ in range(19)]

    assert sum(at_once(calls)) == 1


def test_the_gate_is_open_for_its_own_order_and_for_all_after_its_time(shared):
    """Case 4: the key is the seat's, never the buyer's."""
    gate, run_id, order_id = Gate(shared, seconds=0.2), uuid4(), uuid4()

    assert gate.enter(run_id, LEG, [1001], order_id)
    assert gate.enter(run_id, LEG, [1001], order_id)
    assert not gate.enter(run_id, LEG, [1001], uuid4())
    time.sleep(0.25)
    assert gate.enter(run_id, LEG, [1001], uuid4())


def test_a_gate_is_entered_for_all_its_seats_or_none(shared):
    gate, run_id = Gate(shared, seconds=5), uuid4()
    gate.enter(run_id, LEG, [1002], uuid4())

    assert not gate.enter(run_id, LEG, [1001, 1002], uuid4())
    assert gate.enter(run_id, LEG, [1001], uuid4())


def test_leaving_opens_only_what_is_ones_own(shared):
    gate, run_id, order_id = Gate(shared, seconds=5), uuid4(), uuid4()
    gate.enter(run_id, LEG, [1001], order_id)

    gate.leave(run_id, LEG, [1001], uuid4())
    assert not gate.enter(run_id, LEG, [1001], uuid4())
    gate.leave(run_id, LEG, [1001], order_id)
    assert gate.enter(run_id, LEG, [1001], uuid4())


def test_a_lying_gate_blocks_a_seat_no_longer_than_its_time(
    app, another_app, people, run_id, settings
):
    office = another_app(gate_seconds=0.5)
    office.extensions["parts"].contention.note_collision(run_id)
    seats = redis.Redis.from_url(settings.redis_url)
    seats.set(f"order:gate:{{{run_id}}}:1001:0-4", "nobody", px=500)

    refused = place(office, people, people.wish(run_id, 1001))
    time.sleep(0.55)
    sold = place(office, people, people.wish(run_id, 1001))

    assert (refused.json["code"], sold.status_code) == ("seat_taken", 201)


def test_the_gate_is_asked_only_where_buyers_collide(app, another_app, people, run_id, settings):
    """A lying gate goes unnoticed until somebody was refused by the database."""
    office = another_app(gate_seconds=5.0)
    seats = redis.Redis.from_url(settings.redis_url)
    for seat in (1001, 1002):
        seats.set(f"order:gate:{{{run_id}}}:{seat}:0-4", "nobody", px=5_000)

    quiet = place(office, people, people.wish(run_id, 1001))
    office.extensions["parts"].contention.note_collision(run_id)
    hot = place(office, people, people.wish(run_id, 1002))

    assert (quiet.status_code, hot.json["code"]) == (201, "seat_taken")


def test_a_gate_that_lets_everybody_through_sells_nothing_twice(
    app, another_app, people, run_id, settings
):
    """S1: no lock in Redis decides who has a seat."""
    offices = [another_app(gate_seconds=0.001, snapshot_shared_seconds=5.0) for _ in range(2)]
    place(offices[0], people, people.wish(run_id, 1001))
    seats = redis.Redis.from_url(settings.redis_url)
    stale = f"[{time.time()},[],null]"
    seats.set(f"order:live-claims:{run_id}", stale, px=5_000)

    answers = [place(offices[1], people, people.wish(run_id, 1001)) for _ in range(5)]

    assert {answer.json["code"] for answer in answers} == {"seat_taken"}
    assert sold_seats() == [1001]


def test_repeating_an_order_keeps_no_other_seat_from_others(app, another_app, people, run_id):
    office, order_id, headers = another_app(gate_seconds=30.0), uuid4(), signed_in()
    wish = people.wish(run_id, seat_class="S", count=2)
    first = place(office, people, wish, order_id=order_id, headers=headers)
    again = place(office, people, wish, order_id=order_id, headers=headers)
    own = {passenger["seat_id"] for passenger in first.json["passengers"]}

    others = [
        place(office, people, people.wish(run_id, seat_id)).status_code
        for seat_id in range(1001, 1009)
        if seat_id not in own
    ]

    assert (first.status_code, again.status_code) == (201, 200)
    assert others == [201] * 6
