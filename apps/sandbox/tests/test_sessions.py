"""The provider's API: everything may be repeated, amounts are checked, nothing happens twice."""

import pytest

APPROVES = "4000 0000 0000 0000"
DECLINES = "4000 0000 0000 0002"
WALLET = "4000 0000 0000 0085"


def test_a_session_opens_once_and_answers_repetition_with_the_same(provider):
    body = provider.body()
    first = provider.put("/sessions/session-0001", body)
    again = provider.put("/sessions/session-0001", body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["state"] == "open"
    assert first.json()["page_url"] == "http://sandbox.test/pay/session-0001"


def test_a_session_id_asked_for_with_another_body_is_refused(provider):
    body = provider.body()
    provider.put("/sessions/session-0001", body)
    other = provider.put("/sessions/session-0001", {**body, "amount_minor": 1})
    assert (other.status_code, other.json()["code"]) == (409, "id_reused")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_without_the_key_nothing_is_answered(provider, headers):
    answer = provider.client.put("/sessions/session-0001", json=provider.body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_key")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount_minor", 0),
        ("amount_minor", -5),
        ("amount_minor", "100"),
        ("amount_minor", True),
        ("amount_minor", 10**30),
        ("currency", "bdt"),
        ("reference", ""),
        ("description", "a\x00b"),
        ("return_url", "javascript:alert(1)"),
        ("return_url", "http://user@shop.test/"),
        ("webhook_url", "file:///etc/passwd"),
        ("webhook_url", "http://"),
        ("webhook_url", "http://[::1"),
        ("webhook_url", "http://shop.test:99999/"),
        ("expires_at", "tomorrow"),
        ("expires_at", "2026-01-01T00:00:00"),
        ("expires_at", None),
        ("surprise", 1),
    ],
)
def test_a_bad_field_is_named(provider, field, value):
    answer = provider.put("/sessions/session-0001", provider.body(**{field: value}))
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(provider, content):
    answer = provider.client.put("/sessions/session-0001", content=content, headers=provider.key)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_an_odd_session_id_is_refused(provider):
    assert provider.put("/sessions/short", provider.body()).status_code == 422


def test_an_unknown_session_is_not_found(provider):
    answer = provider.client.get("/sessions/session-0001", headers=provider.key)
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


def test_authorised_money_is_captured_once(provider):
    session_id = provider.open()
    provider.pay(session_id, APPROVES)
    assert provider.get(session_id)["state"] == "authorised"
    answers = [provider.capture(session_id) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert provider.get(session_id)["captured_minor"] == 71_000
    assert sorted(provider.shop.wait_for(2)) == ["payment.authorised", "payment.captured"]


def test_no_more_is_captured_than_was_authorised(provider):
    session_id = provider.open()
    provider.pay(session_id, APPROVES)
    assert provider.capture(session_id, 71_001).json()["code"] == "amount_differs"
    provider.capture(session_id)
    assert provider.capture(session_id, 70_000).json()["code"] == "amount_differs"


def test_an_unpaid_session_cannot_be_captured(provider):
    assert provider.capture(provider.open()).json()["code"] == "not_capturable"


def test_voided_money_cannot_be_captured_and_captured_money_cannot_be_voided(provider):
    voided, captured = provider.open(), provider.open()
    for session_id in (voided, captured):
        provider.pay(session_id, APPROVES)
    assert [provider.void(voided).status_code for _ in range(2)] == [200, 200]
    assert provider.capture(voided).json()["code"] == "not_capturable"
    provider.capture(captured)
    assert provider.void(captured).json()["code"] == "not_voidable"


def test_a_session_that_was_closed_by_the_shop_cannot_be_paid(provider):
    session_id = provider.open()
    provider.void(session_id)
    provider.pay(session_id, APPROVES)
    assert provider.get(session_id)["state"] == "voided"


def test_refunds_are_given_once_each_and_never_beyond_what_was_captured(provider):
    session_id = provider.open()
    provider.pay(session_id, WALLET)
    first = [provider.refund(session_id, "refund-0001", 70_000) for _ in range(2)]
    assert [answer.status_code for answer in first] == [201, 200]
    assert provider.refund(session_id, "refund-0001", 1).json()["code"] == "id_reused"
    assert provider.refund(session_id, "refund-0002", 1_001).json()["code"] == "amount_differs"
    assert provider.refund(session_id, "refund-0002", 1_000).status_code == 201
    given = [refund["amount_minor"] for refund in provider.get(session_id)["refunds"]]
    assert given == [70_000, 1_000]
    heard = provider.shop.wait_for(3)
    assert sorted(heard) == ["payment.captured", "refund.succeeded", "refund.succeeded"]


def test_nothing_is_refunded_that_was_not_captured(provider):
    session_id = provider.open()
    provider.pay(session_id, APPROVES)
    assert provider.refund(session_id, "refund-0001", 1).json()["code"] == "not_refundable"


def test_a_session_expires_by_itself_and_says_so(provider):
    session_id = provider.open(seconds=0.05)
    assert provider.shop.wait_for(1) == ["payment.expired"]
    provider.pay(session_id, APPROVES)
    assert provider.get(session_id)["state"] == "expired"
    assert provider.void(session_id).json()["code"] == "not_voidable"
