"""What is written together is there or not, whoever reads; notices are told of when they are."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.store import Store

ADD = "INSERT INTO notice (session_id, url, body) VALUES (?, '', '')"
OPEN = (
    "INSERT INTO session (session_id, amount_minor, currency, reference, description, return_url,"
    " webhook_url, expires_at) VALUES ('one', 1, 'BDT', '', '', '', '', 0)"
)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "sandbox")
    with store.writing() as db:
        db.execute(OPEN)
    return store


def count(store):
    with store.reading() as db:
        return db.execute("SELECT count(*) FROM notice").fetchone()[0]


def add(store, *session_ids, has_notices=True):
    """Foreign keys are looked at when the transaction ends, so that it is the commit that fails."""
    with store.writing() as db:
        db.execute("PRAGMA defer_foreign_keys = ON")
        db.has_notices = has_notices
        for session_id in session_ids:
            db.execute(ADD, (session_id,))


def test_a_block_that_fails_leaves_nothing_and_tells_nobody(store):
    told = []
    store.on_notices = lambda: told.append(count(store))
    with pytest.raises(sqlite3.IntegrityError):
        add(store, "one", None)
    assert (told, count(store)) == ([], 0)
    add(store, "one", has_notices=False)
    assert told == []
    add(store, "one")
    assert told == [2]


def test_a_commit_that_is_refused_does_not_stop_the_next(store):
    with pytest.raises(sqlite3.IntegrityError):
        add(store, "nobody")
    add(store, "one")
    assert count(store) == 1


def test_threads_take_turns(store):
    def count_and_add(_):
        with store.writing() as db:
            there = db.execute("SELECT count(*) FROM notice").fetchone()[0]
            db.execute(ADD, ("one",))
        return there

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(count_and_add, range(80))) == list(range(80))
