"""Webhooks come late, twice, out of order, forged and after a 500 of ours: they converge."""

import dataclasses
import threading
import time
from uuid import uuid4

import pytest

from payment import statements


def paid_in_silence(desk, **changes):
    """Paid, and the provider tells nobody: only this test's own events arrive."""
    return desk.paid("Never notifies", **changes)


def test_an_authorisation_confirms_the_order_and_captures_the_money(desk):
    order = desk.new_order()
    payment_id = desk.open(order)
    desk.pay(payment_id, "Approves")
    assert desk.wait_for(payment_id, "captured") == "captured"
    assert order.state == "confirmed"
    session = desk.at_provider(payment_id)
    assert (session.state, session.captured_minor) == ("captured", 71_000)
    assert desk.balances() == {"provider_clearing": 71_000, "passenger_payments": -71_000}
    assert desk.mails() == []


@pytest.mark.parametrize("card", ["Notifies twice", "Notifies out of order", "Loses notices"])
def test_notices_that_come_twice_reordered_or_late_end_in_one_capture(desk, card):
    payment_id = desk.paid(card)
    assert desk.wait_for(payment_id, "captured") == "captured"
    time.sleep(1.0)
    assert desk.state(payment_id) == "captured"
    assert desk.order.orders[desk.shown(payment_id)["order_id"]].state == "confirmed"
    assert desk.balances() == {"provider_clearing": 71_000, "passenger_payments": -71_000}


def test_the_same_event_twice_is_kept_once_and_answered_the_same(desk):
    payment_id = paid_in_silence(desk)
    event = desk.event(payment_id)
    answers = [desk.notify(event) for _ in range(3)]
    assert [(one.status_code, one.json) for one in answers] == [(200, {"is_received": True})] * 3
    assert len(desk.events()) == 1
    assert desk.state(payment_id) == "captured"
    assert desk.order.calls["confirm"] == 1


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("2026-11-25T08:00:00+23:59", "2026-11-24T08:01:00+00:00"),
        ("2026-11-25T08:00:00-23:59", "2026-11-26T07:59:00+00:00"),
    ],
)
def test_an_event_from_any_zone_is_kept_in_utc(desk, said, kept):
    """PostgreSQL takes no offset beyond 16 hours."""
    event = {**desk.event(uuid4()), "occurred_at": said}
    assert desk.notify(event).status_code == 200
    assert [row.occurred_at.isoformat() for row in desk.events()] == [kept]


@pytest.mark.parametrize(
    "order_of_types",
    [
        ["payment.captured", "payment.authorised"],
        ["payment.declined", "payment.authorised", "payment.captured"],
        ["payment.authorised", "payment.declined", "payment.expired"],
        ["refund.succeeded", "payment.voided", "something.new"],
    ],
)
def test_in_whatever_order_events_come_the_providers_state_decides(desk, order_of_types):
    payment_id = paid_in_silence(desk)
    for event_type in order_of_types:
        assert desk.notify(desk.event(payment_id, event_type)).status_code == 200
    assert desk.state(payment_id) == "captured"
    assert desk.balances() == {"provider_clearing": 71_000, "passenger_payments": -71_000}


def test_an_event_that_claims_a_payment_nobody_made_changes_nothing(desk):
    payment_id = desk.open()
    for event_type in ("payment.authorised", "payment.captured", "payment.declined"):
        assert desk.notify(desk.event(payment_id, event_type)).status_code == 200
    assert desk.state(payment_id) == "pending"
    assert desk.order.calls["confirm"] == 0


def test_an_event_before_its_payment_was_opened_is_kept_and_harmless(desk):
    payment_id, order = uuid4(), desk.new_order()
    assert desk.notify(desk.event(payment_id)).status_code == 200
    assert desk.put(payment_id, order).json["state"] == "pending"
    assert len(desk.events()) == 1


def event_body(event_id, occurred_at):
    members = f'"type": "x", "session_id": "y", "occurred_at": "{occurred_at}"'
    return f'{{"event_id": "{event_id}", {members}}}'.encode()


def forgeries(desk, event):
    genuine = f"t={int(time.time())},v1="
    return [
        {"secret": "another-secret"},
        {"at": time.time() - 301},
        {"at": time.time() + 301},
        {"header": "none"},
        {"header": genuine + "0" * 64},
        {"header": genuine + "ü"},
        {"header": f"t={'9' * 5000},v1=00"},
        {"header": "t=²,v1=00"},
        {"header": "t=-1,v1=00"},
        {"header": "v1=00"},
        {"header": f"t={int(time.time())}"},
    ]


@pytest.mark.parametrize("number", range(11))
def test_a_forged_or_stale_notice_is_refused_and_not_kept(desk, number):
    payment_id = paid_in_silence(desk)
    event = desk.event(payment_id)
    forgery = forgeries(desk, event)[number]
    if "header" in forgery:
        forgery["header"] = forgery["header"].encode("utf-8").decode("latin-1")
    answer = desk.notify(event, **forgery)
    assert (answer.status_code, answer.json["code"]) == (400, "bad_signature")
    assert desk.events() == []
    assert desk.state(payment_id) == "pending"


def test_a_body_changed_on_the_way_is_refused(desk):
    from payment.signatures import signature_of

    payment_id = paid_in_silence(desk)
    stamp = str(int(time.time()))
    header = f"t={stamp},v1={signature_of(stamp, b'{}', 'webhook-secret')}"
    answer = desk.notify(desk.event(payment_id), header=header)
    assert answer.json["code"] == "bad_signature"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 5000, 400),
        (b"\xff", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"x"', 422),
        (b"{}", 422),
        (b'{"event_id": 1, "type": [], "session_id": {}, "occurred_at": 5}', 422),
        (event_body("a\\u0000b", "2026-01-01T00:00:00Z"), 422),
        (event_body("a", "0001-01-01T00:00:00+14:00"), 422),
        (event_body("a", "9999-12-31T23:59:59-14:00"), 422),
    ],
)
def test_a_signed_body_of_another_form_is_refused_without_a_500(desk, body, status):
    assert desk.notify(body).status_code == status


def test_a_notice_without_a_signature_is_refused(desk):
    answer = desk.client.post("/api/payment/provider-events", json=desk.event(uuid4()))
    assert (answer.status_code, answer.json["code"]) == (400, "bad_signature")


def test_an_event_of_a_session_that_is_not_ours_is_kept_and_answered(desk):
    assert desk.notify(desk.event("not-a-uuid")).status_code == 200
    assert desk.notify(desk.event(uuid4())).status_code == 200
    assert len(desk.events()) == 2


def test_after_a_500_of_ours_the_repeated_notice_is_taken(desk, monkeypatch):
    """An event is not kept unless the reconciler is told of it."""
    payment_id = paid_in_silence(desk)
    event = desk.event(payment_id)
    keeping = statements.KEEP_EVENT
    failing = dataclasses.replace(
        keeping,
        name="keep_event_and_fail",
        sql=keeping.sql.replace("SET look_at = :soon", "SET look_at = :soon, checks = checks / 0"),
    )
    with monkeypatch.context() as broken:
        broken.setattr(statements, "KEEP_EVENT", failing)
        assert desk.notify(event).status_code == 500
        assert desk.events() == []
    assert desk.notify(event).status_code == 200
    assert desk.state(payment_id) == "captured"


def test_an_event_that_cannot_be_acted_on_now_is_answered_200_and_finished_later(desk):
    payment_id = paid_in_silence(desk)
    desk.order.troubles["confirm"] = [500]
    assert desk.notify(desk.event(payment_id)).status_code == 200
    assert desk.state(payment_id) == "authorised"
    desk.reconcile(after=20)
    assert desk.state(payment_id) == "captured"


def test_a_mistake_of_ours_while_advancing_does_not_refuse_the_event(desk, monkeypatch):
    payment_id = paid_in_silence(desk)
    with monkeypatch.context() as broken:
        broken.setattr(desk.parts.order, "confirm", lambda *_, **__: 1 / 0)
        assert desk.notify(desk.event(payment_id)).status_code == 200
    assert len(desk.events()) == 1
    desk.reconcile(after=20)
    assert desk.state(payment_id) == "captured"


def test_no_webhook_at_all_is_needed(desk):
    payment_id = paid_in_silence(desk)
    desk.reconcile(after=20)
    assert desk.state(payment_id) == "captured"
    assert desk.events() == []


def test_the_passengers_return_and_the_webhook_at_the_same_instant_capture_once(desk):
    for _ in range(5):
        payment_id, order = uuid4(), desk.new_order()
        desk.put(payment_id, order)
        desk.pay(payment_id, "Never notifies")
        with desk.app.app_context():
            from sqlalchemy import update

            from payment.models import Payment, db

            db.session.execute(update(Payment).values(asked_at=None))
            db.session.commit()
        gate, headers, path = (
            threading.Barrier(4),
            desk.headers,
            f"/api/payment/payments/{payment_id}",
        )
        body = {"order_id": str(order.order_id)}

        def come_back(gate=gate, path=path, body=body, headers=headers):
            gate.wait()
            desk.app.test_client().put(path, json=body, headers=headers)

        def hear(gate=gate, payment_id=payment_id):
            gate.wait()
            desk.notify(desk.event(payment_id))

        def look(gate=gate):
            gate.wait()
            desk.reconcile(after=20)

        threads = [threading.Thread(target=act) for act in (come_back, hear, hear, look)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert desk.state(payment_id) == "captured"
        assert desk.at_provider(payment_id).captured_minor == 71_000
        assert order.state == "confirmed"
    assert desk.balances() == {"provider_clearing": 355_000, "passenger_payments": -355_000}
