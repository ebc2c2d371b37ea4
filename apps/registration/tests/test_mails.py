"""Mails leave by the worker: sealed until then, scrubbed afterwards, and nobody waits for them."""

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta

from sqlalchemy import func, select, update

from chassis.application import utc_now
from registration import worker
from registration.models import Outbox, PendingRegistration, db
from registration.tidying import throw_away


def outbox(app):
    with app.app_context():
        return list(db.session.scalars(select(Outbox)))


def make_due(app):
    with app.app_context():
        db.session.execute(update(Outbox).values(due_at=utc_now() - timedelta(seconds=1)))
        db.session.commit()


def test_a_request_sends_no_mail_itself(api, mailbox):
    api.register()
    assert mailbox.mails == []


def test_what_a_delivered_mail_said_is_taken_out_of_the_table(app, api, mailbox, deliver):
    api.register()
    (waiting,) = outbox(app)
    assert set(waiting.payload) == {"mail", "to", "code_sealed", "drop_at"}
    assert deliver() == 1
    (delivered,) = outbox(app)
    assert delivered.payload == {}
    assert delivered.delivered_at is not None


def test_the_loop_of_the_worker_delivers(app, api, mailbox):
    api.register(email="rahima@example.org")
    with app.app_context():
        assert worker.send_mails() == 1
    ((recipients, _),) = mailbox.mails
    assert recipients == ["rahima@example.org"]


def test_a_mail_repeats_nothing_that_a_stranger_typed(api, mailbox, deliver):
    api.register(name="Visit evil.example now")
    deliver()
    assert "evil.example" not in mailbox.mails[0][1]


def test_a_dead_mail_server_delays_mails_and_nobody_else(app, api, mailbox, changed_settings):
    """The server takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        changed_settings(smtp_url=f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        began = time.perf_counter()
        assert api.register().status_code == 201
        assert time.perf_counter() - began < 2
    with app.app_context():
        assert worker.send_mails() == 0
    (waiting,) = outbox(app)
    assert waiting.delivered_at is None
    assert waiting.attempts == 1
    assert waiting.due_at > utc_now()
    assert waiting.last_error
    changed_settings(smtp_url=mailbox.url)
    make_due(app)
    with app.app_context():
        assert worker.send_mails() == 1
    assert len(mailbox.codes()) == 1


def test_a_refused_mail_is_tried_again_with_the_same_code(app, api, mailbox, deliver):
    mailbox.refusal = "451 come back later"
    api.register()
    assert deliver() == 0
    mailbox.refusal = None
    make_due(app)
    assert deliver() == 1
    assert len(mailbox.codes()) == 1


def test_a_code_that_is_late_beyond_use_is_dropped(app, api, mailbox, deliver):
    api.register()
    deliver(later=timedelta(minutes=6))
    assert mailbox.mails == []
    assert outbox(app)[0].payload == {}


def test_the_worker_runs_as_a_program_and_ends_on_sigterm(
    app, api, mailbox, settings, keys, tmp_path
):
    heartbeat = tmp_path / "heartbeat"
    environment = {
        **os.environ,
        **keys,
        "DATABASE_URL": str(settings.database_url),
        "REDIS_URL": settings.redis_url,
        "SMTP_URL": mailbox.url,
        "WORKER_HEARTBEAT": str(heartbeat),
    }
    api.register()
    program = subprocess.Popen([sys.executable, "-m", "registration.worker"], env=environment)
    try:
        deadline = time.monotonic() + 30
        while outbox(app)[0].delivered_at is None and time.monotonic() < deadline:
            time.sleep(0.1)
        program.send_signal(signal.SIGTERM)
        assert program.wait(20) == 0
    finally:
        program.kill()
    assert len(mailbox.codes()) == 1
    assert heartbeat.exists()


def test_what_has_expired_is_thrown_away_and_the_rest_stays(app, api):
    api.register()
    with app.app_context():
        assert throw_away(now=utc_now()) == 0
        assert throw_away(now=utc_now() + timedelta(days=2)) >= 1
        assert db.session.scalar(select(func.count()).select_from(PendingRegistration)) == 0
