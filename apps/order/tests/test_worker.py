"""What order's worker brings out: tickets by mail, refunds owed; late rather than never."""

import email
import email.policy
import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID, uuid4

import jwt
import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import text

from chassis.application import utc_now
from chassis.testing import signed_in
from order import cancelling, worker
from order.models import db
from order.operations import place_order, read_order
from order.settlement import confirm_order, pin_order


class Sink:
    """A mail server that keeps what it gets; `refusal` is what it says instead of yes."""

    def __init__(self):
        self.mails, self.refusal, self.keeps_waiting = [], "", threading.Event()
        self.keeps_waiting.set()
        self.has_mail = threading.Event()

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd calls it so
        if self.refusal:
            return self.refusal
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((envelope.rcpt_tos, mail))
        self.has_mail.set()
        self.keeps_waiting.wait(20)
        return "250 kept"


@pytest.fixture
def sink():
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=free_port())
    controller.start()
    sink.url = f"smtp://127.0.0.1:{controller.port}"
    yield sink
    sink.keeps_waiting.set()
    controller.stop()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Payment:
    """Takes note of refunds by their ids, as payment does; `down` makes it answer 503."""

    def __init__(self):
        self.requests, self.refunds, self.down = [], {}, False

    def take(self, path, headers, body):
        self.requests.append((path, headers, body))
        if self.down:
            return 503
        is_new = path not in self.refunds
        self.refunds.setdefault(path, body)
        return 201 if is_new else 200


@pytest.fixture
def payment():
    payment = Payment()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(payment.take(self.path, dict(self.headers), body))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    payment.url = f"http://127.0.0.1:{server.server_port}"
    yield payment
    server.shutdown()
    server.server_close()


@pytest.fixture
def buy(parts, people, run_id):
    """A confirmed order and who bought it."""

    def buy(*seat_ids):
        buyer, order_id, payment_id, now = people.buyer(), uuid4(), uuid4(), utc_now()
        wish = people.wish(run_id, *seat_ids)
        order = place_order(parts=parts, order_id=order_id, buyer=buyer, wish=wish, now=now).record
        pin_order(parts=parts, order_id=order_id, payment_id=payment_id, now=now)
        confirm_order(
            order_id=order_id,
            payment_id=payment_id,
            amount_minor=order["amount_minor"],
            currency="BDT",
            now=now,
        )
        return read_order(order_id=order_id, buyer=buyer), buyer, wish

    return buy


@pytest.fixture
def cancel(parts):
    def cancel(order, buyer):
        now = utc_now()
        quote, _ = cancelling.quote_of_order(order_id=order["order_id"], buyer=buyer, now=now)
        cancelling.cancel_order(
            parts=parts,
            order_id=order["order_id"],
            buyer=buyer,
            refund_minor=quote.refund_minor,
            now=now,
        )
        return quote.refund_minor

    return cancel


def outbox():
    rows = db.session.execute(text("SELECT * FROM outbox")).mappings().all()
    db.session.commit()
    return [dict(row) for row in rows]


def make_everything_due():
    db.session.execute(text("UPDATE outbox SET due_at = now() - interval '1 second'"))
    db.session.commit()


# Tickets by mail.


def test_a_ticket_mail_has_pnr_seats_and_names_and_no_identity_number(another_app, sink, buy):
    order, _, wish = buy(1001, 1002)
    with another_app(smtp_url=sink.url).app_context():
        assert worker.deliver_mails() == 1
        assert worker.deliver_mails() == 0

    (recipients, mail), content = sink.mails[0], sink.mails[0][1].get_content()
    assert recipients == ["rahima@example.org"]
    assert order["pnr"] in mail["Subject"]
    assert order["pnr"] in content
    for number, passenger in zip("12", wish.passengers, strict=True):
        assert f"{passenger.name}: coach KA, seat {number}, S, BDT 400.00" in content
        assert passenger.identity_number not in content
        assert passenger.identity_number[-4:] not in content
    assert "Station AAA" in content
    assert "Paid: BDT 840.00" in content


def test_a_name_with_a_line_break_cannot_be_ordered_for(client, people, run_id):
    """So that no passenger writes headers or lines of ours into a mail."""
    body = people.body(people.wish(run_id, 1001))
    body["passengers"][0] = {**body["passengers"][0], "name": "Eve\nBcc: all@example.org"}

    refused = client.put(f"/api/order/orders/{uuid4()}", json=body, headers=signed_in())

    assert refused.status_code == 422


def test_an_order_cancelled_before_its_mail_left_gets_no_tickets(another_app, sink, buy, cancel):
    order, buyer, _ = buy(1001)
    cancel(order, buyer)

    with another_app(smtp_url=sink.url).app_context():
        worker.deliver_mails()

    assert sink.mails == []


def test_a_dead_mail_server_is_tried_again_later_and_later(another_app, buy, sink):
    buy(1001)
    waits = []
    with another_app(smtp_url=f"smtp://127.0.0.1:{free_port()}").app_context():
        for attempt in range(1, 4):
            asked_at = utc_now()
            assert worker.deliver_mails() == 0
            assert worker.deliver_mails() == 0
            (message,) = outbox()
            assert (message["attempts"], message["delivered_at"]) == (attempt, None)
            assert message["last_error"]
            waits.append((message["due_at"] - asked_at).total_seconds())
            make_everything_due()
    assert [round(wait) for wait in waits] == [2, 4, 8]

    with another_app(smtp_url=sink.url).app_context():
        assert worker.deliver_mails() == 1
    assert len(sink.mails) == 1


def test_a_mail_that_is_refused_for_now_is_sent_later(another_app, buy, sink):
    buy(1001)
    sink.refusal = "451 come back later"
    with another_app(smtp_url=sink.url).app_context():
        assert worker.deliver_mails() == 0
        sink.refusal = ""
        make_everything_due()
        assert worker.deliver_mails() == 1
    assert len(sink.mails) == 1


def test_a_mail_server_that_never_answers_slows_no_request(
    client, another_app, people, run_id, buy, catalogue
):
    """Cases 24, 25: the worker waits, beside the requests; the mail was written with the sale."""
    buy(1008)
    silent = socket.create_server(("127.0.0.1", 0))
    office = another_app(smtp_url=f"smtp://127.0.0.1:{silent.getsockname()[1]}")

    def deliver():
        with office.app_context():
            worker.deliver_mails()

    waiting = threading.Thread(target=deliver)
    waiting.start()
    try:
        begun = time.monotonic()
        placed = [
            client.put(
                f"/api/order/orders/{uuid4()}",
                json=people.body(people.wish(run_id, seat_id)),
                headers=signed_in(),
            )
            for seat_id in range(1001, 1007)
        ]
        seconds = time.monotonic() - begun
        assert waiting.is_alive()
    finally:
        silent.close()
        waiting.join(15)
    assert {answer.status_code for answer in placed} == {201}
    assert seconds < 2.0


# Refunds owed.


def test_a_refund_owed_is_told_to_payment_with_our_token_and_the_same_id(
    another_app, payment, buy, cancel, settings
):
    order, buyer, _ = buy(1001)
    refund_minor = cancel(order, buyer)
    office = another_app(payment_url=payment.url)
    with office.app_context():
        assert worker.deliver_refunds() == 1
        assert worker.deliver_refunds() == 0

    ((path, headers, body),) = payment.requests
    refund_id = next(m["message_id"] for m in outbox() if m["topic"] == "refund")
    assert path == f"/api/payment/refunds/{refund_id}"
    assert body == {
        "payment_id": str(order["payment_id"]),
        "amount_minor": refund_minor,
        "currency": "BDT",
        "reason": "cancelled_by_passenger",
    }
    claims = jwt.decode(
        headers["Authorization"].removeprefix("Bearer "),
        settings.peer_secret_order_payment,
        algorithms=["HS256"],
        audience="payment",
        issuer="order",
    )
    assert claims["exp"] - claims["iat"] == 60


def test_a_payment_service_that_is_down_hears_of_the_refund_later_and_notes_it_once(
    another_app, payment, buy, cancel
):
    order, buyer, _ = buy(1001)
    cancel(order, buyer)
    payment.down = True
    with another_app(payment_url=payment.url).app_context():
        assert worker.deliver_refunds() == 0
        payment.down = False
        make_everything_due()
        assert worker.deliver_refunds() == 1
        db.session.execute(text("UPDATE outbox SET delivered_at = NULL"))
        make_everything_due()
        assert worker.deliver_refunds() == 1

    assert len(payment.requests) == 3
    assert len(payment.refunds) == 1


# A worker that is killed.


@pytest.fixture
def worker_program(settings, sink):
    """Start order's worker as it runs in earnest."""
    started = []

    def start():
        environment = {
            **os.environ,
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "TICKET_URL": settings.ticket_url,
            "IDENTITY_KEY": settings.identity_key,
            "HASH_KEY": settings.hash_key,
            "PEER_SECRET_PAYMENT_ORDER": settings.peer_secret_payment_order,
            "PEER_SECRET_ORDER_PAYMENT": settings.peer_secret_order_payment,
            "SMTP_URL": sink.url,
        }
        program = subprocess.Popen([sys.executable, "-m", "order.worker"], env=environment)
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.wait(10)


def test_a_worker_killed_between_mail_and_mark_sends_the_mail_again_and_loses_none(
    worker_program, another_app, sink, buy
):
    """Case 17: a mail may come twice, under one Message-ID; it never fails to come."""
    buy(1001)
    sink.keeps_waiting.clear()
    program = worker_program()
    assert sink.has_mail.wait(20)

    program.kill()
    program.wait(10)
    sink.keeps_waiting.set()

    (message,) = outbox()
    assert (message["delivered_at"], message["attempts"]) == (None, 1)
    assert message["due_at"] > utc_now()
    make_everything_due()
    with another_app(smtp_url=sink.url).app_context():
        assert worker.deliver_mails() == 1
    ids = [mail["Message-ID"] for _, mail in sink.mails]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert UUID(ids[0].strip("<>").split("@")[0]) == message["message_id"]


def test_the_worker_mails_sweeps_and_ends_when_it_is_told_to(
    worker_program, sink, buy, parts, people, run_id
):
    buy(1001)
    lapsed = place_order(
        parts=parts,
        order_id=uuid4(),
        buyer=people.buyer(),
        wish=people.wish(run_id, 1002),
        now=utc_now(),
    ).record["order_id"]
    for table in ("orders", "seat_claim"):
        db.session.execute(
            text(f"UPDATE {table} SET expires_at = now() WHERE order_id = :id"), {"id": lapsed}
        )
    db.session.commit()

    program = worker_program()
    assert sink.has_mail.wait(20)
    deadline = time.monotonic() + 20
    while _state_of(lapsed) != "expired" and time.monotonic() < deadline:
        time.sleep(0.1)

    assert _state_of(lapsed) == "expired"
    program.terminate()
    assert program.wait(20) == 0


def _state_of(order_id):
    state = db.session.execute(
        text("SELECT state FROM orders WHERE order_id = :id"), {"id": order_id}
    ).scalar_one()
    db.session.commit()
    return state
