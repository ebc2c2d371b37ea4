"""
The published APIs against their own descriptions, over the one base URL, with requests that
schemathesis makes up: no 5xx, and no answer, type or body that the description does not know. Order
and ticket do the same in their own tests, where staff's changes harm nobody.
"""

import contextlib

import pytest
import schemathesis
from ci.town import Town
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SOME = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
OPERATIONS_MIN = {"registration": 12, "payment": 5, "waitingroom": 5}


def headers_for(town: Town, service: str, operation) -> dict[str, str]:
    demanded = operation.definition.raw.get("security", [])
    if any("service" in scheme for scheme in demanded):
        return town.service("order", service)
    return town.account()


def every_case(operation, use) -> None:
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @SOME
        @given(operation.as_strategy(generation_mode=mode))
        def made_up(case):
            use(case)

        with contextlib.suppress(Unsatisfiable):  # Nothing about some can be made wrong.
            made_up()


@pytest.mark.parametrize("service", sorted(OPERATIONS_MIN))
def test_every_answer_is_described(town, service):
    schema = schemathesis.openapi.from_url(f"{town.base_url}/api/{service}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    asked = [operation for operation in operations if "/staff/" not in operation.path]
    assert len(asked) >= OPERATIONS_MIN[service]
    for operation in asked:
        headers = headers_for(town, service, operation)
        every_case(
            operation, lambda case, h=headers: case.call_and_validate(headers=h, checks=CHECKS)
        )
