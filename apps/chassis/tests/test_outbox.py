"""Messages are delivered at least once, and by one worker at a time however slow the receiver."""

import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from chassis.application import utc_now
from chassis.database import new_database, register_database, transaction
from chassis.outbox import OutboxColumns, deliver_due, enqueue
from chassis.settings import Secret, ServiceSettings
from chassis.testing import empty_tables, fresh_database

db = new_database()


class Outbox(OutboxColumns, db.Model):
    """What would leave a service."""


@pytest.fixture(scope="module")
def application():
    app = Flask("outbox")
    with fresh_database("outbox") as url:
        register_database(app, db, ServiceSettings(database_url=Secret(url)))
        with app.app_context():
            db.create_all()
            yield app
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture
def app(application):
    empty_tables(application, db)
    return application


def owe(count):
    with transaction(db):
        for number in range(count):
            enqueue(db, Outbox, "mail", {"number": number}, now=utc_now())


def stored():
    with db.engine.connect() as connection:
        return connection.execute(select(Outbox.__table__).order_by(Outbox.due_at)).all()


def deliver(handler, **about):
    return deliver_due(db, Outbox, "mail", handler, now=utc_now(), **about)


def test_a_slow_receiver_is_told_each_message_by_one_worker(app):
    owe(6)
    told, ended = Counter(), threading.Event()

    def tell_slowly(message):
        told[message.payload["number"]] += 1
        time.sleep(0.25)

    def work():
        with app.app_context():
            while not ended.is_set():
                deliver(tell_slowly, lease_seconds=0.8)
                time.sleep(0.01)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    deadline = time.monotonic() + 20
    while any(row.delivered_at is None for row in stored()) and time.monotonic() < deadline:
        time.sleep(0.05)
    ended.set()
    for worker in workers:
        worker.join()
    assert told == dict.fromkeys(range(6), 1)
    assert [row.attempts for row in stored()] == [1] * 6


def test_what_does_not_fit_into_the_lease_is_due_again_at_once(app):
    owe(3)
    assert deliver(lambda _: time.sleep(0.1), lease_seconds=0.15) == 1
    waiting = [row for row in stored() if row.delivered_at is None]
    assert [row.attempts for row in waiting] == [0, 0]
    assert all(row.due_at <= utc_now() for row in waiting)
    assert deliver(lambda _: None) == 2


def test_what_another_worker_has_leased_meanwhile_stays_with_it(app):
    owe(2)

    def overslept(_):
        time.sleep(0.15)
        with transaction(db) as session:
            session.execute(Outbox.__table__.update().values(due_at=later, attempts=7))

    later = utc_now() + timedelta(minutes=1)
    assert deliver(overslept, lease_seconds=0.2) == 1
    (waiting,) = [row for row in stored() if row.delivered_at is None]
    assert (waiting.due_at, waiting.attempts) == (later, 7)


def test_a_failure_is_tried_again_after_a_while_and_is_written_down(app):
    owe(1)

    def refuse(_):
        raise OSError("the server hung up")

    assert deliver(refuse) == 0
    (row,) = stored()
    assert (row.attempts, row.last_error) == (1, "the server hung up")
    assert row.due_at > utc_now() + timedelta(seconds=1)
    assert deliver(lambda _: None) == 0


def test_one_fact_is_owed_once(app):
    owe(1)
    (known,) = stored()
    with transaction(db):
        enqueue(db, Outbox, "mail", {"number": 9}, now=utc_now(), message_id=known.message_id)
    assert [row.payload for row in stored()] == [{"number": 0}]
