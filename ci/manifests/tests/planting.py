"""How a test plants a fault, and how it knows that the check has named it."""

import pytest
from ci.manifests.admission import check_admission
from ci.manifests.alerting import check_alerting
from ci.manifests.capacity import check_capacity
from ci.manifests.delivery import check_delivery
from ci.manifests.edges import check_edges
from ci.manifests.fit import check_fit
from ci.manifests.monitoring import check_monitoring
from ci.manifests.policy import check_policy
from ci.manifests.references import check_references
from ci.manifests.schemas import check_schemas, folders


def named(tree, code):
    """Every fault but those of the schemas, as text."""
    found = [
        *check_references(tree, code),
        *check_policy(tree),
        *check_fit(tree, code),
        *check_edges(tree, code),
        *check_delivery(tree, code),
        *check_monitoring(tree, code),
        *check_alerting(tree),
        *check_admission(tree),
        *check_capacity(tree),
    ]
    return sorted({str(fault) for fault in found})


def expect(tree, code, *words):
    faults = named(tree, code)
    hits = [fault for fault in faults if all(word in fault for word in words)]
    assert hits, f"nobody named {words}; named were: {faults}"


def schema_faults(tree):
    if not folders():
        pytest.skip("THERE ARE NO SCHEMAS HERE: set SCHEMAS to a folder of them.")
    return [str(fault) for fault in check_schemas(tree)[1]]


def rollout(environment, name="order"):
    return environment.named("Rollout", name)


def pod_of(body):
    return body["spec"]["template"]["spec"]


def container_of(body):
    return pod_of(body)["containers"][0]
