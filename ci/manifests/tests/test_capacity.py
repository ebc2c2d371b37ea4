"""Production beside the opening that was measured, with bounds that are too small planted in it."""

import pytest
from ci.manifests.capacity import MEASURED, check_capacity, measured_cores
from ci.manifests.rendering import ROOT
from ci.manifests.tests.planting import expect

TABLE = """
| part | asked a second at the peak | CPU ms each | cores | grows by |
|---|---:|---:|---:|---:|
| waitingroom | 3,197 | 2.403 | 12.8 | replicas |
| edge: polls answered by nginx or a CDN | 38,052 | 0.012 | 0.8 | replicas, CDN |
| edge: passing on to services | 3,615 | 0.100 | 0.6 | replicas |
| waitingroom-worker | 44 | 4.564 | 0.3 | see below |
| order | 314 | 2.452 | 1.3 | replicas |
"""


def bounds(environment, service):
    return environment.named("HorizontalPodAutoscaler", service)["spec"]


def test_cores_are_those_of_services_that_grow_by_replicas():
    assert measured_cores(TABLE) == {"waitingroom": 12.8, "order": 1.3}


def test_the_published_opening_says_what_the_line_and_the_shop_take():
    published = measured_cores((ROOT / MEASURED).read_text())
    assert {"waitingroom", "order", "payment", "ticket"} <= set(published)


@pytest.mark.parametrize("service", ["waitingroom", "order"])
def test_a_bound_below_what_was_measured_is_named(tree, prod, code, service):
    bounds(prod, service)["maxReplicas"] = 1
    expect(tree, code, f"HorizontalPodAutoscaler {service}", "at its bound with 0.425 cores")


def test_a_crowd_that_would_wait_for_the_autoscaler_is_named(tree, prod, code):
    bounds(prod, "waitingroom")["minReplicas"] = 3
    expect(tree, code, "HorizontalPodAutoscaler waitingroom", "can use 6 cores, the opening takes")


@pytest.mark.parametrize("text", ["# The rush\n", None])
def test_a_run_that_says_nothing_is_named(tree, tmp_path, text):
    path = tmp_path / MEASURED
    path.parent.mkdir(parents=True)
    if text is not None:
        path.write_text(text)
    (fault,) = check_capacity(tree, tmp_path)
    assert "does not say how many cores" in str(fault)


def test_a_service_that_was_measured_and_is_gone_is_named(tree, prod, code):
    prod.folders["waitingroom"] = []
    expect(tree, code, "prod: waitingroom was measured and is not here")
