"""
Order's API against its own description, with requests that schemathesis makes up: no 5xx, and no
answer, content type or body that the description does not know.
"""

import contextlib
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chassis.application import utc_now
from chassis.testing import signed_in
from order.operations import place_order

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
]
# What was made wrong in a request is right again when it is aimed.
REPAIRED = [negative_data_rejection]
SOME = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def described(app):
    """The operations by their names, as schemathesis reads them from our document."""
    schema = schemathesis.openapi.from_wsgi("/api/order/openapi.json", app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 12
    return operations


def every_case(operation, use):
    @SOME
    @given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def expected(case):
        use(case)

    @SOME
    @given(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def broken(case):
        use(case)

    expected()
    with contextlib.suppress(Unsatisfiable):  # Nothing about some can be made wrong.
        broken()


@pytest.fixture
def known(parts, people, run_id):
    """Ids that exist, and whose they are."""
    buyer, order_id = people.buyer(), uuid4()
    wish = people.wish(run_id, 1001)
    place_order(parts=parts, order_id=order_id, buyer=buyer, wish=wish, now=utc_now())
    return {"run_id": str(run_id), "order_id": str(order_id), "account_id": buyer.account_id}


def aim(case, known):
    """Let what is made up meet a run and an order that exist."""
    for name in ("run_id", "order_id"):
        if name in case.path_parameters:
            case.path_parameters[name] = known[name]
    if isinstance(case.body, dict) and "run_id" in case.body:
        case.body["run_id"] = known["run_id"]


def headers_for(case, account, as_payment):
    return as_payment if "settlement" in case.operation.tags else account


def passed_over(case):
    """Words of a query that a route does not know are no fault: they are not looked at."""
    known = {parameter.name for parameter in case.operation.query}
    return [] if set(case.query or ()) <= known else REPAIRED


def test_every_answer_to_a_stranger_is_described(described, as_payment):
    def use(case):
        headers = headers_for(case, signed_in(), as_payment)
        case.call_and_validate(headers=headers, checks=CHECKS, excluded_checks=passed_over(case))

    for operation in described:
        every_case(operation, use)


def test_every_answer_about_what_exists_is_described(described, known, as_payment):
    account = signed_in(account_id=known["account_id"])

    def use(case):
        aim(case, known)
        headers = headers_for(case, account, as_payment)
        case.call_and_validate(headers=headers, checks=CHECKS, excluded_checks=REPAIRED)

    for operation in described:
        every_case(operation, use)
