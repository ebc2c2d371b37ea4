"""The API as a whole: described, guarded, and never at a loss whatever it is sent."""

import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

import registration
from chassis.testing import (
    differences_from_models,
    fresh_database,
    misnumbered_migrations,
    openapi_of,
    routes_without_identity,
    tables_after_undoing_migrations,
)
from registration.models import db

BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"1e999",
    b"NaN",
    b"9" * 5000,
    b"[" * 60_000,
    b'{"email":' * 5_000,
    b'{"\\ud800": 1}',
    b'{"email": "\\ud800@example.org", "password": "\\u0000"}',
    b'{"email": {"a": []}, "password": 123456789012345678901234567890}',
    b'{"email": "a@example.org", "password": "\\ud83d"}',
    b'{"code": "\\u0000\\u0000"}',
    b'{"token": "\\u202e.\\u202e.\\u202e"}',
    b'{"refresh_token": true}',
    b"\xff\xfe",
]
WRITES = [
    ("PUT", "/registrations/0b8e7a52-3a1f-4b0e-9d25-7c2b0f3f6a11"),
    ("POST", "/registrations/0b8e7a52-3a1f-4b0e-9d25-7c2b0f3f6a11/codes"),
    ("PUT", "/registrations/0b8e7a52-3a1f-4b0e-9d25-7c2b0f3f6a11/confirmation"),
    ("POST", "/sessions"),
    ("POST", "/sessions/refresh"),
    ("PATCH", "/accounts/me"),
    ("PUT", "/accounts/me/passengers/0b8e7a52-3a1f-4b0e-9d25-7c2b0f3f6a11"),
    ("PUT", "/password-resets/0b8e7a52-3a1f-4b0e-9d25-7c2b0f3f6a11"),
    ("PUT", "/password-resets/0b8e7a52-3a1f-4b0e-9d25-7c2b0f3f6a11/confirmation"),
    ("POST", "/token-verifications"),
]


@pytest.fixture
def description(app):
    return openapi_of(app.test_client(), "registration")


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_nonsense_is_refused_and_never_a_fault_of_ours(app, signed_in, method, path):
    headers = {"Authorization": f"Bearer {signed_in()['access_token']}"}
    for body in BODIES:
        answer = app.test_client().open(
            f"/api/registration{path}",
            method=method,
            data=body,
            headers=headers,
            content_type="application/json",
        )
        assert answer.status_code < 500, (body[:40], answer.data)
        if answer.status_code >= 400:
            assert answer.content_type == "application/problem+json"
            assert answer.json["code"]


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", "Basic YTpi", "Bearer \x80", "Bearer a.b.c", "Bearer " + "[" * 6000],
)
def test_strange_credentials_are_refused(app, authorization):
    answer = app.test_client().get(
        "/api/registration/accounts/me", headers=[("Authorization", authorization)] * 2
    )
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "forwarded", ["", "nonsense", "::1", "::ffff:10.0.0.1", "1.2.3.4, ", "2001:db8::1", "9" * 5000]
)
def test_strange_addresses_are_counted_all_the_same(api, forwarded):
    answer = api.sign_in("nobody@example.org", headers={"X-Forwarded-For": forwarded})
    assert answer.status_code == 401


def test_every_route_says_who_may_call_it(app):
    assert routes_without_identity(app) == {
        "api-docs.openapi_json",
        "api-docs.openapi_swagger_ui",
    }


def operations_of(description):
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if method in {"get", "put", "post", "patch", "delete"}:
                yield f"{method.upper()} {path}", operation


def test_every_operation_is_described(description):
    for name, operation in operations_of(description):
        assert operation.get("summary"), name
        assert operation.get("security") is not None, name


def test_every_body_has_examples(description):
    schemas = description["components"]["schemas"]
    for name, schema in schemas.items():
        if name in {"Problem", "PaginationMetadata"}:
            continue
        for field, member in schema["properties"].items():
            has_own = "example" in member or "$ref" in member
            has_items = "$ref" in member.get("items", {})
            assert has_own or has_items, f"{name}.{field}"


def test_every_example_of_a_request_is_accepted_as_it_stands(app, description):
    from registration import schemas

    for name in ("Registration", "Credentials", "Refresh", "NewPassenger", "NewPassword", "Code"):
        properties = description["components"]["schemas"][name]["properties"]
        example = {field: member["example"] for field, member in properties.items()}
        assert getattr(schemas, f"{name}Schema")().load(example)


def test_every_refusal_is_documented_with_its_code(description):
    confirmation = description["paths"][
        "/api/registration/registrations/{registration_id}/confirmation"
    ]["put"]["responses"]
    assert "wrong_code" in json.dumps(confirmation["422"])
    assert {"email_taken", "identity_number_taken"} <= set(
        confirmation["409"]["content"]["application/problem+json"]["examples"]
    )


def structure(engine):
    """Every table, column, constraint and index, by name and definition."""
    columns = "table_name, column_name, data_type, is_nullable, column_default"
    constraints = "conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
    questions = (
        f"SELECT {columns} FROM information_schema.columns WHERE table_schema = 'public'",
        f"SELECT {constraints} FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    )
    with engine.connect() as connection:
        rows = [tuple(row) for each in questions for row in connection.execute(text(each))]
    return {row for row in rows if row[0] != "alembic_version"}


def test_migrations_and_models_agree(app):
    with app.app_context():
        assert differences_from_models(db) == []
        migrated = structure(db.engine)
    with fresh_database("registration_models") as url:
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg2://"))
        db.metadata.create_all(engine)
        modelled = structure(engine)
        engine.dispose()
    assert migrated == modelled


def test_migrations_are_numbered_without_gaps():
    assert misnumbered_migrations(Path(registration.__file__).parent) == []


def test_migrations_can_be_taken_back_and_run_again(app):
    with app.app_context():
        assert tables_after_undoing_migrations(db) == ["alembic_version"]
        assert differences_from_models(db) == []


def test_health_names_what_it_checks(app):
    ready = app.test_client().get("/readyz")
    assert (ready.status_code, ready.json["checks"]) == (200, {"database": "ok", "redis": "ok"})
