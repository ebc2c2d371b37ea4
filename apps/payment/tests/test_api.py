"""The published API: who may call what, what is documented, and that nothing ends in a 500."""

import json
import re
from pathlib import Path
from uuid import uuid4

import pytest

import payment
from chassis.testing import (
    differences_from_models,
    misnumbered_migrations,
    openapi_of,
    routes_without_identity,
    tables_after_undoing_migrations,
)
from payment.models import db


def test_every_route_says_who_may_call_it(app):
    documentation = {"api-docs.openapi_json", "api-docs.openapi_swagger_ui"}
    assert routes_without_identity(app) == documentation


def test_the_routes_have_the_guards_of_the_design(app):
    rules = {
        (rule.rule, method): app.view_functions[rule.endpoint].identity_rule
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if re.search("/(payments|refunds|provider|staff)", rule.rule)
    }
    assert rules == {
        ("/api/payment/payments/<uuid:payment_id>", "PUT"): "account",
        ("/api/payment/payments/<uuid:payment_id>", "GET"): "account",
        ("/api/payment/payments", "GET"): "account",
        ("/api/payment/provider-events", "POST"): "public",
        ("/api/payment/refunds/<uuid:refund_id>", "PUT"): "service",
        ("/api/payment/refunds/<uuid:refund_id>", "GET"): "service",
        ("/api/payment/staff/irregularities", "GET"): "staff",
    }


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "x"}])
def test_without_a_token_nobody_pays_or_looks(desk, headers):
    path = f"/api/payment/payments/{uuid4()}"
    body = {"order_id": str(uuid4())}
    for answer in (
        desk.client.put(path, json=body, headers=headers),
        desk.client.get(path, headers=headers),
        desk.client.get("/api/payment/payments", headers=headers),
    ):
        assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


def test_the_description_has_every_path_with_examples(app):
    description = openapi_of(app.test_client(), "payment")
    assert set(description["paths"]) == {
        "/api/payment/payments/{payment_id}",
        "/api/payment/payments",
        "/api/payment/provider-events",
        "/api/payment/refunds/{refund_id}",
        "/api/payment/staff/irregularities",
    }
    for name in ("Payment", "PaymentWish", "Refund", "RefundWish", "ProviderEvent", "Irregularity"):
        properties = description["components"]["schemas"][name]["properties"]
        assert any("example" in one for one in properties.values()), name
    post = description["paths"]["/api/payment/provider-events"]["post"]
    assert post["security"] == []
    assert "requestBody" in post


def test_the_migrations_make_the_models_tables(app):
    with app.app_context():
        assert differences_from_models(db) == []


def test_migrations_are_numbered_without_gaps():
    assert misnumbered_migrations(Path(payment.__file__).parent) == []


def test_the_migrations_can_be_undone_and_done_again(app):
    with app.app_context():
        assert tables_after_undoing_migrations(db) == ["alembic_version"]
        assert differences_from_models(db) == []


ODD = [
    None, True, 0, -1, 1.5, 10**40, "", " ", "x", "\x00", "\ud800", "é" * 2000, [], {}, [[]],
    str(uuid4()), "http://railgate.test/\x00", "http://[", "2026-01-01", "NaN",
]  # fmt: skip


@pytest.mark.parametrize("field", ["order_id", "return_url", "surprise"])
def test_no_odd_value_in_a_payment_ends_in_a_500(desk, field):
    for odd in ODD:
        body = {"order_id": str(uuid4()), field: odd}
        answer = desk.client.put(
            f"/api/payment/payments/{uuid4()}", data=json.dumps(body),
            content_type="application/json", headers=desk.headers,
        )  # fmt: skip
        assert answer.status_code in {400, 404, 422}, (field, odd, answer.text)


@pytest.mark.parametrize("field", ["payment_id", "amount_minor", "currency", "reason", "surprise"])
def test_no_odd_value_in_a_refund_ends_in_a_500(desk, field):
    for odd in ODD:
        body = {"payment_id": str(uuid4()), "amount_minor": 1, "currency": "BDT", "reason": "r"}
        answer = desk.client.put(
            f"/api/payment/refunds/{uuid4()}", data=json.dumps({**body, field: odd}),
            content_type="application/json", headers=desk.as_order,
        )  # fmt: skip
        assert answer.status_code in {400, 404, 422}, (field, odd, answer.text)


@pytest.mark.parametrize("field", ["event_id", "type", "session_id", "occurred_at", "amount_minor"])
def test_no_odd_value_in_an_event_ends_in_a_500(desk, field):
    for odd in ODD:
        event = desk.event(uuid4())
        answer = desk.notify(json.dumps({**event, field: odd}).encode())
        assert answer.status_code in {200, 400, 422}, (field, odd, answer.text)


@pytest.mark.parametrize("query", ["order_id=x", "order_id=", "order_id=%00"])
def test_a_list_asked_for_oddly_is_refused(desk, query):
    answer = desk.client.get(f"/api/payment/payments?{query}", headers=desk.headers)
    assert answer.status_code == 422


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 10_000])
def test_a_body_that_is_no_object_is_refused(desk, body):
    answer = desk.client.put(
        f"/api/payment/payments/{uuid4()}", data=body,
        content_type="application/json", headers=desk.headers,
    )  # fmt: skip
    assert answer.status_code in {400, 422}
    assert answer.content_type == "application/problem+json"
