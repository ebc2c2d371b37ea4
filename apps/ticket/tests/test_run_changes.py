"""
A reader of /run-changes misses nothing, though many write at once.

Cursors come from a sequence, which numbers rows when they are written and not when they are
committed: without the writers' lock a reader can pass a number whose row is not there yet. The
first test shows that this happens; if it does not, the others prove nothing.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from chassis.application import utc_now
from chassis.testing import signed_in
from ticket import queries
from ticket.definition import run_id_of
from ticket.models import Run, RunChange, db
from ticket.publishing import lock_catalogue

API = "/api/ticket"
DAY_TRAIN = "702"
FARE = {"seat_class": "S_CHAIR", "from_code": "DHK", "to_code": "CTG", "vat_minor": 0}


def change_of(run_id) -> dict:
    return {"run_id": run_id, "version": 9, "state": "scheduled", "changed_at": utc_now()}


def seen_after(cursor: int) -> tuple[list[int], int]:
    with queries.reading() as connection:
        page = queries.run_changes(connection, after=cursor, limit=500)
    return [row["cursor"] for row in page["changes"]], page["next_after"]


@pytest.fixture
def run_id(loaded, tomorrow):
    return run_id_of(DAY_TRAIN, tomorrow)


def test_without_the_lock_a_change_is_missed(run_id):
    _, read_up_to = seen_after(0)
    with db.engine.connect() as slow, db.engine.connect() as quick:
        missed = slow.execute(
            insert(RunChange).values(change_of(run_id)).returning(RunChange.cursor)
        ).scalar_one()
        quick.execute(insert(RunChange).values(change_of(run_id)))
        quick.commit()
        _, read_up_to = seen_after(read_up_to)
        slow.commit()
    assert missed < read_up_to
    assert missed not in seen_after(read_up_to)[0]


def test_second_writer_waits_until_the_first_has_committed(run_id):
    with db.engine.connect() as slow, db.engine.connect() as quick:
        lock_catalogue(slow)
        slow.execute(insert(RunChange).values(change_of(run_id)))
        quick.execute(text("SET lock_timeout = '100ms'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            lock_catalogue(quick)


def test_reader_misses_nothing_while_staff_write_at_once(loaded, today):
    """Eight writers change fares and cancel runs; a reader follows all the while."""
    staff = signed_in(roles=("staff",))
    written, seen, read_up_to = threading.Event(), [], 0

    def follow() -> None:
        nonlocal read_up_to
        with loaded.app_context():
            while not written.is_set() or seen_after(read_up_to)[0]:
                cursors, read_up_to = seen_after(read_up_to)
                seen.extend(cursors)

    def write(number: int) -> int:
        client = loaded.test_client()
        if number % 4 == 0:
            run_id = run_id_of("753", today + timedelta(days=number // 4))
            url, body = f"{API}/staff/runs/{run_id}/cancellation", {"reason": "Flood"}
        else:
            url = f"{API}/staff/trains/{DAY_TRAIN}/fares"
            fares = [{**FARE, "price_minor": 10_000 + number}]
            body = {"fares": fares, "from_date": str(today + timedelta(days=number % 7))}
        return client.put(url, json=body, headers=staff).status_code

    reader = threading.Thread(target=follow)
    reader.start()
    with ThreadPoolExecutor(8) as writers:
        statuses = set(writers.map(write, range(32)))
    written.set()
    reader.join()
    everything = list(db.session.scalars(select(RunChange.cursor).order_by(RunChange.cursor)))
    assert statuses <= {200, 201}
    assert len(everything) > 33
    assert seen == everything


def test_two_changes_of_a_run_at_once_make_two_versions(loaded, tomorrow):
    staff = signed_in(roles=("staff",))

    def write(number: int) -> int:
        body = {"fares": [{**FARE, "price_minor": 10_000 + number}], "from_date": str(tomorrow)}
        url = f"{API}/staff/trains/{DAY_TRAIN}/fares"
        return loaded.test_client().put(url, json=body, headers=staff).status_code

    with ThreadPoolExecutor(6) as writers:
        assert list(writers.map(write, range(6))) == [200] * 6
    assert db.session.get_one(Run, run_id_of(DAY_TRAIN, tomorrow)).version == 7


def test_reader_pages_to_the_end_and_stays_there(loaded):
    client, after, cursors = loaded.test_client(), 0, []
    for _ in range(4):
        page = client.get(f"{API}/run-changes?after={after}&limit=10").json
        cursors += [row["cursor"] for row in page["changes"]]
        after = page["next_after"]
    assert len(cursors) == 33
    assert cursors == sorted(set(cursors))
    at_the_end = client.get(f"{API}/run-changes?after={after}").json
    assert at_the_end == {"changes": [], "next_after": after}


@pytest.mark.parametrize("query", ["after=-1", "after=9223372036854775808", "limit=0", "after=x"])
def test_cursor_that_cannot_be_is_refused(loaded, query):
    assert loaded.test_client().get(f"{API}/run-changes?{query}").status_code == 422
