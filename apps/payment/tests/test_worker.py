"""The worker: its loops, the mails that leave by it, and that a dead mail server slows nobody."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time

from aiosmtpd.controller import Controller

from payment import worker
from payment.models import Outbox


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Letterbox:
    def __init__(self):
        self.letters = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        self.letters.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


def voided(desk):
    payment_id = desk.paid("Never notifies")
    desk.order.troubles["confirm"] = ["hold_lost", "hold_lost"]
    desk.notify(desk.event(payment_id))
    assert desk.state(payment_id) == "voided"


def use_smtp(desk, monkeypatch, url):
    settings = dataclasses.replace(desk.parts.settings, smtp_url=url)
    parts = dataclasses.replace(desk.parts, settings=settings)
    monkeypatch.setitem(desk.app.extensions, "parts", parts)


def test_a_mail_leaves_once_to_the_person_who_ordered(desk, monkeypatch):
    voided(desk)
    letterbox, port = Letterbox(), free_port()
    controller = Controller(letterbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        use_smtp(desk, monkeypatch, f"smtp://127.0.0.1:{port}")
        with desk.app.app_context():
            assert worker.send_mails() == 1
            assert worker.send_mails() == 0
    finally:
        controller.stop()
    recipients, letter = letterbox.letters[0]
    assert recipients == ["rahima@example.org"]
    assert "Dear Rahima Khatun" in letter
    assert "Suborno Express" in letter
    assert len(letterbox.letters) == 1


def test_a_dead_mail_server_delays_mails_and_nothing_else(desk, monkeypatch):
    use_smtp(desk, monkeypatch, "smtp://127.0.0.1:9")
    voided(desk)
    with desk.app.app_context():
        assert worker.send_mails() == 0
        assert worker.reconcile() == 0
        assert worker.execute_refunds() == 0
    kept = desk.all_rows(Outbox)[0]
    assert kept.delivered_at is None
    assert "refused" in kept.last_error.lower()


def test_each_work_has_a_loop_of_its_own():
    assert {loop.name for loop in worker.LOOPS} == {"reconcile", "refunds", "mails"}


def environment_of(desk, **changes):
    settings = desk.parts.settings
    values = {
        field.name.upper(): str(getattr(settings, field.name))
        for field in dataclasses.fields(settings)
    }
    return {**os.environ, **values, "LOG_LEVEL": "INFO", **changes}


def test_the_worker_program_finishes_a_payment_and_stops_when_told(desk):
    payment_id = desk.paid("Never notifies")
    with desk.app.app_context():
        from sqlalchemy import text, update

        from payment.models import Payment, db

        db.session.execute(update(Payment).values(look_at=text("now()")))
        db.session.commit()
    program = subprocess.Popen([sys.executable, "-m", "payment.worker"], env=environment_of(desk))
    try:
        assert desk.wait_for(payment_id, "captured", seconds=30) == "captured"
    finally:
        program.send_signal(signal.SIGTERM)
    assert program.wait(30) == 0


def test_a_worker_killed_between_the_providers_success_and_our_commit_loses_nothing(desk):
    """SIGKILL while order, which has sold the seats by then, is slow to say so."""
    payment_id = desk.paid("Never notifies")
    desk.order.troubles["confirm"] = ["slow"] * 3
    with desk.app.app_context():
        from sqlalchemy import text, update

        from payment.models import Payment, db

        db.session.execute(update(Payment).values(look_at=text("now()")))
        db.session.commit()
    program = subprocess.Popen(
        [sys.executable, "-m", "payment.worker"],
        env=environment_of(desk, ORDER_TIMEOUT_SECONDS="5"),
    )
    order = desk.order.orders[desk.shown(payment_id)["order_id"]]
    deadline = time.monotonic() + 30
    while order.state != "confirmed" and time.monotonic() < deadline:
        time.sleep(0.01)
    program.kill()
    program.wait(10)
    assert (order.state, desk.state(payment_id)) == ("confirmed", "authorised")
    desk.order.troubles.clear()
    desk.reconcile(after=400)
    assert desk.state(payment_id) == "captured"


def test_the_migrate_command_can_be_repeated(desk):
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "payment.commands", "migrate"],
            env=environment_of(desk), capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    wrong = subprocess.run(
        [sys.executable, "-m", "payment.commands", "dance"],
        env=environment_of(desk), capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert wrong.returncode == 2
