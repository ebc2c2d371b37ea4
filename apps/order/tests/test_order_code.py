"""What the code of order must look like, whoever writes it: routes, tables, refusals, documents."""

import ast
import importlib
import pkgutil
import re
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

import order
from chassis.problems import Problem
from chassis.testing import (
    differences_from_models,
    misnumbered_migrations,
    openapi_of,
    routes_without_identity,
    tables_after_undoing_migrations,
)
from order import schemas
from order.models import SEAT_OVERLAP, db

SOURCE = Path(order.__file__).parent
DOMAIN = ("run", "snapshot", "seats", "order_life", "cancellation", "pnr", "wish")
REFUSED = {"$ref": "#/components/responses/DEFAULT_ERROR"}
VERBS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture
def operations(client):
    paths = openapi_of(client, "order")["paths"]
    return {
        f"{verb.upper()} {path}": operation
        for path, item in paths.items()
        for verb, operation in item.items()
        if verb in VERBS
    }


def test_every_route_says_who_may_call_it(app):
    """The API's own description is anybody's, and its views are the library's."""
    documentation = {"api-docs.openapi_json", "api-docs.openapi_swagger_ui"}
    assert routes_without_identity(app) == documentation


def test_only_payment_may_pin_confirm_and_take_back(app):
    rules = {
        rule.rule.rsplit("/", 1)[-1]: app.view_functions[rule.endpoint].identity_rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("settlement.")
    }
    assert rules == dict.fromkeys(
        ["<uuid:payment_id>", "confirmation", "payment-failure"], "service"
    )


# Tables.


def test_the_migrated_database_is_what_the_models_say(app):
    assert differences_from_models(db) == []


def test_the_database_itself_refuses_an_overlap(app):
    """Cases 1, 2: no path of the code goes around it, since it is not in the code."""
    with db.engine.connect() as connection:
        found = connection.execute(
            text("""
            SELECT contype, pg_get_constraintdef(oid) AS rule FROM pg_constraint
            WHERE conname = :name AND conrelid = 'seat_claim'::regclass AND convalidated
            """),
            {"name": SEAT_OVERLAP},
        ).one()
    assert found.contype == "x"
    assert "run_id WITH =, seat_id WITH =, segments WITH &&" in found.rule
    assert "'held'" in found.rule
    assert "'sold'" in found.rule


def test_migrations_are_numbered_without_gaps():
    assert misnumbered_migrations(SOURCE) == []


def test_migrations_can_be_taken_back_and_run_again(app):
    assert tables_after_undoing_migrations(db) == ["alembic_version"]
    assert differences_from_models(db) == []


# Refusals.


def refusals():
    for module in pkgutil.walk_packages([str(SOURCE)], "order."):
        if ".migrations" not in module.name and module.name != "order.commands":
            for member in vars(importlib.import_module(module.name)).values():
                if isinstance(member, type) and issubclass(member, Problem):
                    yield member


def test_every_refusal_has_a_code_of_its_own():
    found = {refusal for refusal in refusals() if refusal.__module__.startswith("order.")}
    codes = [refusal.code for refusal in found]

    assert len(found) > 20
    assert sorted(codes) == sorted(set(codes))
    for refusal in found:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", refusal.code), refusal
        assert 400 <= refusal.status < 500, refusal
        assert refusal.title.endswith("."), refusal
        assert "code" in vars(refusal), refusal


# Layers.


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("name", DOMAIN)
def test_the_rules_of_the_trade_know_no_library(name):
    allowed = {f"order.{other}" for other in DOMAIN}
    foreign = [
        imported
        for imported in imports_of(SOURCE / f"{name}.py")
        if imported not in allowed and imported.split(".")[0] not in sys.stdlib_module_names
    ]
    assert foreign == []


@pytest.mark.parametrize("name", [*DOMAIN, "operations", "settlement", "cancelling", "drafting"])
def test_only_routes_and_the_worker_read_the_clock(name):
    source = (SOURCE / f"{name}.py").read_text()
    assert not re.search(r"utc_now\(|datetime\.now\(|time\.time\(|func\.now\(", source)


def test_order_imports_no_other_service():
    others = {"registration", "ticket", "payment", "sandbox", "waitingroom", "railgate", "web"}
    for path in SOURCE.rglob("*.py"):
        assert not {name.split(".")[0] for name in imports_of(path)} & others, path


# The API's description.


def test_every_operation_has_a_summary_and_describes_its_answers(operations):
    assert len(operations) >= 12
    for name, operation in operations.items():
        assert operation["summary"], name
        successes = {code: r for code, r in operation["responses"].items() if code[0] == "2"}
        assert successes, name
        for code, answer in successes.items():
            if code != "204":
                assert "schema" in answer["content"]["application/json"], (name, code)
        assert operation["responses"]["default"] == REFUSED, name


def test_refusals_are_described_as_problems(client):
    refused = openapi_of(client, "order")["components"]["responses"]["DEFAULT_ERROR"]
    assert list(refused["content"]) == ["application/problem+json"]


def test_whatever_answers_201_first_and_200_again_says_so(operations):
    for name in operations:
        if name.startswith("PUT") and name.endswith(("/{order_id}", "/{payment_id}")):
            assert {"200", "201"} <= set(operations[name]["responses"]), name
    confirmation = next(name for name in operations if name.endswith("/confirmation"))
    assert {"200", "201"} <= set(operations[confirmation]["responses"])


def test_every_request_body_has_an_example_that_its_schema_takes(operations):
    """The schemas of the code, not of the document: they refuse what they do not know."""
    loaders = {
        "/orders/{order_id}": schemas.ORDER_WISH,
        "/cancellation": schemas.CancellationWish(),
        "/confirmation": schemas.CONFIRMATION_WISH,
        "/payment-failure": schemas.FailureWish(),
    }
    bodies = {name: o["requestBody"] for name, o in operations.items() if "requestBody" in o}

    assert len(bodies) == 4
    for name, body in bodies.items():
        content = body["content"]["application/json"]
        shown = [e["value"] for e in content.get("examples", {}).values()]
        examples = shown or [content["example"]]
        loader = next(schema for end, schema in loaders.items() if name.endswith(end))
        assert [loader.validate(example) for example in examples] == [{}] * len(examples)


def test_documentation_is_served_with_local_assets(client):
    page = client.get("/api/order/docs")
    assert page.status_code == 200
    assert b"/api/order/docs/assets/swagger-ui-bundle.js" in page.data
    assert client.get("/api/order/docs/assets/swagger-ui-bundle.js").status_code == 200
