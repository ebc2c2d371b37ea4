"""Every route says who may call it, and every answer is described."""

import pytest

from chassis.testing import openapi_of, routes_without_identity

WRITERS = {"put", "post", "delete", "patch"}


@pytest.fixture
def operations(client) -> dict[str, dict]:
    paths = openapi_of(client, "ticket")["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, item in paths.items()
        for method, operation in item.items()
        if method in WRITERS | {"get"}
    }


def test_every_route_names_who_may_call_it(loaded):
    """The API's own description is anybody's, and its views are the library's."""
    documentation = {"api-docs.openapi_json", "api-docs.openapi_swagger_ui"}
    assert routes_without_identity(loaded) == documentation


def test_whatever_changes_something_is_for_staff(loaded):
    rules = {
        rule.rule: loaded.view_functions[rule.endpoint].identity_rule
        for rule in loaded.url_map.iter_rules()
        if WRITERS & {method.lower() for method in rule.methods}
    }
    assert len(rules) == 6
    assert set(rules.values()) == {"staff"}
    assert all(rule.startswith("/api/ticket/staff/") for rule in rules)


def test_every_operation_shows_an_example_and_what_it_refuses(operations):
    assert len(operations) == 17
    for name, operation in operations.items():
        answer = operation["responses"]["200"]["content"]["application/json"]
        assert "example" in answer, name
        assert "503" in operation["responses"], name
        assert operation["summary"], name
        if name.startswith("PUT"):
            assert {"400", "401", "403", "409", "413", "422"} <= set(operation["responses"]), name
            body = operation["requestBody"]["content"]["application/json"]
            assert "example" in body or "examples" in body, name


def test_examples_are_what_the_schemas_say(client, operations):
    """Every member of an example is a member of its schema."""
    schemas = openapi_of(client, "ticket")["components"]["schemas"]

    def unknown(value, schema) -> list[str]:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
        if isinstance(value, list):
            return [name for item in value for name in unknown(item, schema.get("items", {}))]
        if isinstance(value, dict) and "properties" in schema:
            known = schema["properties"]
            return [name for name in value if name not in known] + [
                name
                for member, inner in value.items()
                for name in unknown(inner, known.get(member, {}))
            ]
        return []

    for name, operation in operations.items():
        answer = operation["responses"]["200"]["content"]["application/json"]
        assert unknown(answer["example"], answer["schema"]) == [], name


def test_documentation_is_served_with_local_assets(client):
    page = client.get("/api/ticket/docs")
    assert page.status_code == 200
    assert b"/api/ticket/docs/assets/swagger-ui-bundle.js" in page.data
    assert client.get("/api/ticket/docs/assets/swagger-ui-bundle.js").status_code == 200
