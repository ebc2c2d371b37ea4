"""Whatever is sent, no answer is a failure of ours and every answer is described."""

from collections.abc import Iterator

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chassis.testing import signed_in
from ticket.definition import run_id_of

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = 17
EXAMPLES = 12


def operations(app: Flask) -> Iterator:
    schema = schemathesis.openapi.from_wsgi("/api/ticket/openapi.json", app)
    return (found.ok() for found in schema.get_all_operations())


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_sent_is_answered_as_described(loaded, tomorrow, mode):
    staff = signed_in(roles=("staff",))
    there = {
        "train_number": "702",
        "station_code": "CTG",
        "run_id": str(run_id_of("742", tomorrow)),
        "version": 1,
        "from": "DHK",
        "to": "CTG",
        "date": str(tomorrow),
        "q": "dha",
    }

    def probe(operation) -> None:
        cannot_be_wrong = mode is GenerationMode.NEGATIVE and not (
            operation.body or operation.query
        )
        if cannot_be_wrong:
            return

        @given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def check(case, is_there):
            """Half of the requests are about things that exist."""
            if is_there:
                known = {name: there[name] for name in case.path_parameters if name in there}
                case.path_parameters.update(known)
                if mode is GenerationMode.POSITIVE and case.query:
                    case.query.update({name: there[name] for name in case.query if name in there})
            headers = staff if "/staff/" in operation.path else {}
            case.call_and_validate(headers=headers, checks=CHECKS)

        check()

    probed = [probe(operation) for operation in operations(loaded)]
    assert len(probed) == OPERATIONS
