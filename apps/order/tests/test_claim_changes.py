"""
A snapshot of a run where nothing happens lives on, and what happens elsewhere is soon seen: with
Redis, without it, after it was emptied, in a forked process, and when a note was lost.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import redis

from chassis.cache import SoftRedis
from chassis.testing import signed_in
from order import claim_changes
from order.claim_changes import ClaimChanges, Position
from order.refusals import counts_of
from order.run import Leg
from order.snapshot import LiveClaim, Snapshot
from order.snapshots import Snapshots
from railgate.servers import ValkeyServer

LEG = Leg(0, 4)
SOLD = LiveClaim(1001, 0, 4, 0.0, "0123456789ab")


class Database:
    """The claims of every run as they are now, and how often they were read."""

    def __init__(self):
        self.claims, self.read_times, self.before_answer = [], 0, lambda: None

    def __call__(self, _):
        self.read_times += 1
        found = list(self.claims)
        self.before_answer()
        return found


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def own_redis(tmp_path):
    """A Redis that a test may stop or empty."""
    with ValkeyServer(tmp_path / "valkey", for_tests=True) as server:
        yield server


@pytest.fixture
def process(own_redis, database):
    """Snapshots as another process has them."""

    def make(*, local_seconds=0.05, shared_seconds=0.1, longest_seconds=10.0):
        return Snapshots(
            SoftRedis(own_redis.url),
            database,
            local_seconds=local_seconds,
            shared_seconds=shared_seconds,
            longest_seconds=longest_seconds,
        )

    return make


def shows_it(snapshots, run_id):
    return snapshots.get(run_id).state_of(1001, LEG, time.time()) != "free"


def comes(holds, *, at_most=5.0):
    """
    Whether it holds before long. What does so before a snapshot's longest life of ten seconds is
    over came by the notes.
    """
    deadline = time.monotonic() + at_most
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def heard(*processes):
    """Wait until each reads the changes."""
    for snapshots in processes:
        snapshots.get(uuid4())
        assert comes(lambda s=snapshots: s._changes.position() is not None)
    return processes


def test_a_run_where_nothing_happens_is_read_once(process, database):
    [snapshots] = heard(process())
    run_ids, before = [uuid4() for _ in range(50)], database.read_times
    for _ in range(5):
        for run_id in run_ids:
            snapshots.get(run_id)
        time.sleep(0.2)
    assert database.read_times - before == 50


def test_another_process_takes_the_snapshot_of_a_quiet_run_from_redis(process, database):
    first, second = heard(process(), process())
    run_id, before = uuid4(), database.read_times
    first.get(run_id)
    time.sleep(0.3)
    second.get(run_id)
    assert database.read_times - before == 1


def test_seats_claimed_elsewhere_are_seen_soon(process, database):
    first, second = heard(process(), process())
    run_id = uuid4()
    assert not shows_it(first, run_id)
    assert not shows_it(second, run_id)

    database.claims = [SOLD]
    first.add(run_id, [SOLD])

    assert shows_it(first, run_id)
    assert comes(lambda: shows_it(second, run_id))


def test_freed_seats_are_offered_everywhere_before_young_copies_are_over(process, database):
    """Young copies in the process and in Redis notwithstanding."""
    first, second = heard(*(process(local_seconds=3.0, shared_seconds=3.0) for _ in range(2)))
    run_id, database.claims = uuid4(), [SOLD]
    assert shows_it(first, run_id)
    assert shows_it(second, run_id)

    database.claims = []
    first.forget(run_id)

    assert not shows_it(first, run_id)
    assert comes(lambda: not shows_it(second, run_id))


def test_without_redis_snapshots_live_as_briefly_as_before(process, database, own_redis):
    [snapshots] = heard(process())
    run_id = uuid4()
    assert not shows_it(snapshots, run_id)
    own_redis.stop()

    database.claims = [SOLD]

    assert comes(lambda: shows_it(snapshots, run_id))
    database.claims = []
    assert comes(lambda: not shows_it(snapshots, run_id))


def test_a_redis_that_comes_back_is_heard_again(process, database, own_redis, tmp_path):
    first, second = process(), process()
    own_redis.stop()
    run_id = uuid4()
    assert not shows_it(first, run_id)
    database.claims = [SOLD]
    first.add(run_id, [SOLD])
    own_redis.start()
    heard(first, second)
    assert comes(lambda: run_id in second._changes._claimed)


def test_an_emptied_redis_is_noticed(process, database, own_redis):
    """What was noted and not yet read went with it."""
    first, second = heard(process(), process())
    run_id = uuid4()
    assert not shows_it(second, run_id)

    with second._changes._reading:
        database.claims = [SOLD]
        first.add(run_id, [SOLD])
        first._changes.read()
        redis.Redis.from_url(own_redis.url).flushdb()
        first._changes.read()

    assert comes(lambda: shows_it(second, run_id))
    database.claims = []
    first.forget(run_id)
    assert comes(lambda: not shows_it(second, run_id))


def test_numbers_that_went_back_begin_another_life(own_redis):
    """A replica took over that had not heard all."""
    client, changes = redis.Redis.from_url(own_redis.url), ClaimChanges(SoftRedis(own_redis.url))
    run_id = uuid4()
    for _ in range(5):
        changes.note_freed(run_id)
    before = changes.position()
    [(member, _)] = client.zrevrange("order:claim-changes", 0, 0, withscores=True)
    client.zadd("order:claim-changes", {member: 2})

    changes.read()

    assert changes.position().life != before.life
    assert changes.is_changed_since(run_id, before)
    assert changes.is_changed_since(uuid4(), before)


def test_a_forked_process_hears_too(process, database):
    """The reading thread stays behind in the parent."""
    [parent] = heard(process())
    run_id = uuid4()
    assert not shows_it(parent, run_id)
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            heard(parent)
            database.claims = [SOLD]
            os.write(writes, b"ready")
            assert comes(lambda: shows_it(parent, run_id))
            os.write(writes, b", seen")
        finally:
            os._exit(0)
    os.close(writes)
    assert os.read(reads, 100) == b"ready"
    parent.note_claimed(run_id)
    assert os.read(reads, 100) == b", seen"
    os.waitpid(child, 0)


def test_a_note_that_was_lost_costs_the_longest_life_at_most(process, database):
    """Its process died between the commit and the note."""
    [snapshots] = heard(process(longest_seconds=1.0))
    run_id = uuid4()
    assert not shows_it(snapshots, run_id)
    database.claims = [SOLD]
    assert comes(lambda: shows_it(snapshots, run_id))


def test_the_longest_life_counts_from_the_reading_of_the_claims(process, database):
    first, second = heard(process(longest_seconds=3.0), process(longest_seconds=3.0))
    run_id = uuid4()
    first.get(run_id)
    begun = time.monotonic()
    database.claims = [SOLD]
    time.sleep(2.0)
    assert not shows_it(second, run_id)
    assert comes(lambda: shows_it(second, run_id))
    assert time.monotonic() - begun < 3.0 + 2.0


def test_a_change_that_is_read_while_the_snapshot_is_built_is_not_missed(process, database):
    """The query did not see the commit, and the note came before the snapshot was kept."""
    [snapshots] = heard(process())
    run_id = uuid4()

    def meanwhile():
        database.before_answer = lambda: None
        database.claims = [SOLD]
        snapshots.note_claimed(run_id)
        snapshots._changes.read()

    database.before_answer = meanwhile
    assert not shows_it(snapshots, run_id)
    assert comes(lambda: shows_it(snapshots, run_id))


def test_a_copy_from_before_seats_were_freed_is_not_taken_from_redis(process, database):
    """A slow builder published it after the release had deleted the one before."""
    first, second = heard(*(process(shared_seconds=3.0) for _ in range(2)))
    run_id, database.claims = uuid4(), [SOLD]

    def meanwhile():
        database.before_answer = lambda: None
        database.claims = []
        second.forget(run_id)

    database.before_answer = meanwhile
    assert shows_it(first, run_id)
    assert not shows_it(second, run_id)


def test_what_could_not_be_told_is_told_later(own_redis, monkeypatch):
    monkeypatch.setattr(claim_changes, "REST_SECONDS", 60.0)
    changes, others = (ClaimChanges(SoftRedis(own_redis.url)) for _ in range(2))
    others.read()
    run_id, before = uuid4(), others.position()
    own_redis.stop()
    changes.note_freed(run_id)
    own_redis.start()
    assert comes(lambda: changes.read() or changes.position() is not None)
    others._redis._paused_until = 0.0
    others.read()
    assert others.is_changed_since(run_id, before)


def test_who_reads_late_does_not_trust_what_was_read(own_redis, monkeypatch):
    changes = ClaimChanges(SoftRedis(own_redis.url))
    changes.read()
    position, run_id = changes.position(), uuid4()
    assert not changes.is_changed_since(run_id, position)
    time.sleep(claim_changes.HEARD_SECONDS)
    assert changes.is_changed_since(run_id, position)
    assert changes.position() is None


def test_notes_of_runs_long_gone_are_dropped(own_redis, monkeypatch):
    monkeypatch.setattr(claim_changes, "RUNS_NOTED_MAX", 4)
    client, changes = redis.Redis.from_url(own_redis.url), ClaimChanges(SoftRedis(own_redis.url))
    run_ids = [uuid4() for _ in range(9)]
    for run_id in run_ids:
        changes.note_freed(run_id)
    assert client.zcard("order:claim-changes") == 5
    assert len(changes._freed) <= 4
    assert changes.is_freed_since(run_ids[-1], Position(changes.position().life, 8))
    assert not changes.is_freed_since(run_ids[-1], changes.position())


# A long life and a short hold.


def test_a_hold_that_lapses_within_the_snapshots_life_is_free_at_that_moment(run):
    now = datetime(2026, 11, 25, 8, tzinfo=UTC)
    lapses_at = (now + timedelta(seconds=3)).timestamp()
    held = LiveClaim(1001, 0, 4, lapses_at, "0123456789ab")
    snapshot = Snapshot(now.timestamp(), [held, LiveClaim(1002, 0, 4, 0.0, "ab0123456789")])

    before = counts_of(snapshot, run, "S", LEG, now)
    just_before = counts_of(snapshot, run, "S", LEG, now + timedelta(seconds=2.999))
    after = counts_of(snapshot, run, "S", LEG, now + timedelta(seconds=3))

    assert (before.held, before.sold) == (just_before.held, just_before.sold) == (1, 1)
    assert (after.held, after.sold, after.free) == (0, 1, before.free + 1)


def test_a_claim_of_this_process_is_counted_at_once(run):
    now = datetime(2026, 11, 25, 8, tzinfo=UTC)
    snapshot = Snapshot(now.timestamp(), [])
    assert counts_of(snapshot, run, "S", LEG, now).held == 0
    snapshot.add([LiveClaim(1001, 0, 4, now.timestamp() + 300, "0123456789ab")])
    assert counts_of(snapshot, run, "S", LEG, now).held == 1
    assert snapshot.knows("0123456789ab")


# Through the door.


@pytest.fixture
def offices(another_app, own_redis):
    lives = {"snapshot_local_seconds": 0.25, "snapshot_shared_seconds": 1.0}
    made = [
        another_app(redis_url=own_redis.url, snapshot_longest_seconds=30.0, **lives)
        for _ in range(2)
    ]
    heard(*(office.extensions["parts"].snapshots for office in made))
    return made


def free_held_sold(office, run_id):
    path = f"/api/order/runs/{run_id}/availability?from=AAA&to=EEE"
    found = office.test_client().get(path).json["classes"]
    return next(tuple(c[f"seats_{s}"] for s in ("free", "held", "sold"))
                for c in found if c["seat_class"] == "F")  # fmt: skip


def test_the_life_of_an_order_is_seen_at_another_office(offices, people, run_id, as_payment):
    here, there = offices
    assert free_held_sold(there, run_id) == (2, 0, 0)

    headers, order_id, payment_id = signed_in(), uuid4(), uuid4()
    path, client = f"/api/order/orders/{order_id}", here.test_client()
    wish = people.wish(run_id, seat_class="F", count=1)
    order = client.put(path, json=people.body(wish), headers=headers).json
    assert comes(lambda: free_held_sold(there, run_id) == (1, 1, 0))

    pin = client.put(f"{path}/pins/{payment_id}", headers=as_payment).json
    paid = {k: pin[k] for k in ("payment_id", "amount_minor", "currency")}
    client.put(f"{path}/confirmation", json=paid, headers=as_payment)
    assert comes(lambda: free_held_sold(there, run_id) == (1, 0, 1))

    quote = client.get(f"{path}/cancellation-quote", headers=headers).json
    agreed = {"refund_minor": quote["refund_minor"]}
    client.put(f"{path}/cancellation", json=agreed, headers=headers)
    assert comes(lambda: free_held_sold(there, run_id) == (2, 0, 0))
    assert order["state"] == "held"


def test_a_pin_that_outlasts_the_hold_is_seen_at_another_office(
    offices, people, run_id, as_payment
):
    """Or the seat would look free there when the hold's own time is over."""
    here, there = offices
    order_id = uuid4()
    path, client = f"/api/order/orders/{order_id}", here.test_client()
    body = people.body(people.wish(run_id, 1001))
    client.put(path, json=body, headers=signed_in())
    snapshots = there.extensions["parts"].snapshots

    def held_until():
        return max((claim.expires_at for claim in snapshots.get(run_id).claims), default=0.0)

    assert comes(lambda: held_until() > 0)
    before = held_until()
    client.put(f"{path}/pins/{uuid4()}", headers=as_payment)
    assert comes(lambda: held_until() > before)
