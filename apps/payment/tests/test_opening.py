"""Beginning to pay: one pin, one session, one amount, however often it is asked for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from chassis.application import utc_now
from chassis.testing import signed_in


def test_a_payment_takes_its_amount_from_the_order_and_leads_to_the_providers_page(desk):
    payment_id, order = uuid4(), desk.new_order(amount_minor=123_400)
    answer = desk.put(payment_id, order)
    assert answer.status_code == 201
    body = answer.json
    assert (body["state"], body["amount_minor"], body["currency"]) == ("pending", 123_400, "BDT")
    assert body["redirect_url"] == f"http://sandbox.test/pay/{payment_id}"
    assert body["order_id"] == str(order.order_id)
    assert order.payment_id == str(payment_id)
    session = desk.at_provider(payment_id)
    assert (session.amount_minor, session.currency, session.state) == (123_400, "BDT", "open")


def test_a_repeated_request_gets_the_same_answer_and_asks_nobody(desk):
    payment_id, order = uuid4(), desk.new_order()
    first = desk.put(payment_id, order)
    again = desk.put(payment_id, order)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert desk.order.calls["pin"] == 1


def test_fifty_identical_requests_at_once_make_one_session_and_one_charge(desk):
    payment_id, order = uuid4(), desk.new_order()
    headers = desk.headers

    def click(_):
        body = {"order_id": str(order.order_id)}
        path = f"/api/payment/payments/{payment_id}"
        return desk.app.test_client().put(path, json=body, headers=headers)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(click, range(50)))
    assert sorted({answer.status_code for answer in answers}) == [200, 201]
    assert sum(answer.status_code == 201 for answer in answers) == 1
    assert len({answer.text for answer in answers}) == 1
    desk.pay(payment_id, "Approves")
    assert desk.wait_for(payment_id, "captured") == "captured"
    assert desk.at_provider(payment_id).captured_minor == 71_000
    assert desk.balances() == {"provider_clearing": 71_000, "passenger_payments": -71_000}


def test_an_id_used_for_another_order_or_return_is_refused(desk):
    payment_id, order = uuid4(), desk.new_order()
    desk.put(payment_id, order)
    for answer in (
        desk.put(payment_id, desk.new_order()),
        desk.put(payment_id, order, return_url="http://railgate.test/elsewhere"),
        desk.put(payment_id, order, headers=signed_in()),
    ):
        assert (answer.status_code, answer.json["code"]) == (409, "id_reused")


def test_somebody_elses_order_is_not_found_and_stays_payable_for_its_owner(desk):
    order = desk.order.new_order(uuid4())
    payment_id = uuid4()
    for _ in range(2):
        answer = desk.put(payment_id, order)
        assert (answer.status_code, answer.json["code"]) == (404, "order_not_found")
    assert (order.state, order.payment_id) == ("held", None)
    assert desk.row(payment_id).amount_minor is None


def test_a_pin_on_somebody_elses_order_is_given_up_even_if_order_falls_silent(desk):
    order = desk.order.new_order(uuid4())
    desk.order.troubles["unpin"] = [500]
    assert desk.put(uuid4(), order).status_code == 404
    assert order.state == "paying"
    desk.reconcile(after=20)
    assert (order.state, order.payment_id) == ("held", None)


def test_an_unknown_order_is_not_found(desk):
    answer = desk.put(uuid4(), uuid4())
    assert (answer.status_code, answer.json["code"]) == (404, "order_not_found")


@pytest.mark.parametrize("code", ["hold_expired", "already_paying", "order_not_held"])
def test_a_refused_pin_is_told_with_its_reason_every_time(desk, code):
    payment_id, order = uuid4(), desk.new_order()
    # Where another payment seems to be under way, order is asked twice.
    desk.order.troubles["pin"] = [code, code]
    answers = [desk.put(payment_id, order) for _ in range(2)]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(409, code)] * 2
    assert desk.row(payment_id).state == "declined"
    assert desk.order.calls["pin"] == (2 if code == "already_paying" else 1)


def test_two_payments_cannot_be_under_way_for_one_order(desk):
    order = desk.new_order()
    desk.open(order)
    answer = desk.put(uuid4(), order)
    assert (answer.status_code, answer.json["code"]) == (409, "already_paying")


@pytest.mark.parametrize("trouble", [500, 503, 401, 429, "slow", "crash"])
def test_an_order_service_in_trouble_is_answered_503_and_the_request_can_be_repeated(desk, trouble):
    payment_id, order = uuid4(), desk.new_order()
    desk.order.troubles["pin"] = [trouble]
    answer = desk.put(payment_id, order)
    assert (answer.status_code, answer.json["code"]) == (503, "peer_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert desk.put(payment_id, order).json["state"] == "pending"


def test_a_provider_that_is_down_is_answered_503_and_the_payment_is_taken_up_later(
    desk, silent_provider
):
    payment_id, order = uuid4(), desk.new_order()
    answer = desk.put(payment_id, order)
    assert (answer.status_code, answer.json["code"]) == (503, "peer_unavailable")
    assert "Retry-After" in answer.headers
    silent_provider.return_to_work()
    again = desk.put(payment_id, order)
    assert (again.status_code, again.json["state"]) == (200, "pending")


def test_a_payment_that_got_nowhere_is_abandoned_and_its_order_is_held_again(desk, silent_provider):
    payment_id, order = uuid4(), desk.new_order()
    desk.put(payment_id, order)
    desk.reconcile(after=60)
    assert (desk.state(payment_id), order.state) == ("created", "paying")
    desk.reconcile(after=130)
    assert (order.state, order.payment_id) == ("held", None)
    shown = desk.shown(payment_id)
    assert (shown["state"], shown["reason"]) == ("declined", "abandoned")
    assert desk.put(payment_id, order).json["state"] == "declined"


def test_a_session_that_opens_after_the_payment_was_abandoned_is_closed(desk, monkeypatch):
    payment_id, order = uuid4(), desk.new_order()
    open_session = desk.parts.provider.open_session

    def slow(*args, **kwargs):
        session = open_session(*args, **kwargs)
        desk.reconcile(after=130)
        return session

    monkeypatch.setattr(desk.parts.provider, "open_session", slow)
    assert desk.put(payment_id, order).json["state"] == "declined"
    assert desk.at_provider(payment_id).state == "voided"
    assert order.state == "held"


def test_a_session_that_the_provider_refuses_gives_the_order_back(desk):
    payment_id, order = uuid4(), desk.new_order()
    taken = {
        "amount_minor": 1, "currency": "BDT", "reference": "r", "description": "d",
        "return_url": "http://x.test/", "webhook_url": "http://x.test/",
        "expires_at": (utc_now() + timedelta(minutes=1)).isoformat(),
    }  # fmt: skip
    key = {"Authorization": "Bearer sandbox-key"}
    desk.provider.put(f"/sessions/{payment_id}", json=taken, headers=key)
    shown = desk.put(payment_id, order).json
    assert (shown["state"], shown["reason"]) == ("declined", "id_reused")
    assert (order.state, order.payment_id) == ("held", None)


@pytest.mark.parametrize(
    "return_url",
    [
        "http://evil.test/",
        "https://railgate.test/",
        "http://railgate.test.evil.test/",
        "http://railgate.test@evil.test/",
        "http://railgate.test:81/",
        "//evil.test/",
        "/orders",
        "javascript:alert(1)",
        "http://railgate.test\\@evil.test/",
        "http://railgate.test/a b",
        "http://[railgate.test/",
    ],
)
def test_a_return_to_elsewhere_is_refused(desk, return_url):
    answer = desk.put(uuid4(), desk.new_order(), return_url=return_url)
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == ["return_url"]
    assert desk.order.calls["pin"] == 0


def test_the_passenger_comes_back_to_the_page_that_was_asked_for(desk):
    payment_id, order = uuid4(), desk.new_order()
    desk.put(payment_id, order, return_url="http://railgate.test/orders/1?lang=bn")
    page = desk.provider.get(f"/pay/{payment_id}").text
    assert f"http://railgate.test/orders/1?lang=bn&amp;session_id={payment_id}" in page


def test_without_a_return_url_the_passenger_comes_back_to_the_front_page(desk):
    assert desk.row(desk.open()).return_url == "http://railgate.test/"


def test_the_page_closes_before_the_hold_ends(desk, monkeypatch):
    import dataclasses

    settings = dataclasses.replace(desk.parts.settings, session_margin_seconds=10.0)
    parts = dataclasses.replace(desk.parts, settings=settings)
    monkeypatch.setitem(desk.app.extensions, "parts", parts)
    order = desk.new_order(hold_seconds=60.0)
    payment_id = desk.open(order)
    left = (desk.row(payment_id).session_expires_at - utc_now()).total_seconds()
    assert 47 < left < 51


def test_payments_are_shown_to_their_owner_only(desk):
    payment_id = desk.open()
    stranger = signed_in()
    path = f"/api/payment/payments/{payment_id}"
    assert desk.client.get(path, headers=stranger).json["code"] == "payment_not_found"
    assert desk.client.get("/api/payment/payments", headers=stranger).json == {"payments": []}
    assert desk.client.get(path, headers=desk.headers).json["payment_id"] == str(payment_id)


def test_the_payments_of_an_order_are_listed_newest_first(desk):
    order = desk.new_order()
    first = desk.open(order)
    desk.pay(first, "Declines")
    assert desk.wait_for(first, "declined") == "declined"
    second = desk.open(order)
    desk.open()
    path = f"/api/payment/payments?order_id={order.order_id}"
    listed = desk.client.get(path, headers=desk.headers).json["payments"]
    assert [one["payment_id"] for one in listed] == [str(second), str(first)]


def test_a_passenger_who_comes_back_learns_what_no_webhook_told(desk):
    payment_id, order = uuid4(), desk.new_order()
    desk.put(payment_id, order)
    desk.pay(payment_id, "Never notifies")
    with desk.app.app_context():
        from sqlalchemy import update

        from payment.models import Payment, db

        db.session.execute(update(Payment).values(asked_at=utc_now() - timedelta(seconds=3)))
        db.session.commit()
    assert desk.put(payment_id, order).json["state"] == "captured"
