"""What /readyz says when something fails, and that the metrics know it too."""

from chassis.application import build_app
from chassis.health import Check
from chassis.settings import ServiceSettings


def out():
    raise ConnectionError("no gas")


def bakery(*checks):
    return build_app(
        "bakery",
        ServiceSettings(database_url="", redis_url=""),
        db=None,
        blueprints=[],
        description="Bread.",
        checks=checks,
        import_name="chassis",
    ).test_client()


def test_a_failing_check_is_named_and_counted():
    client = bakery(Check("oven", out), Check("flour", lambda: True))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["checks"]["oven"]) == (503, "failing (ConnectionError)")
    counted = client.get("/metrics").text
    assert 'failing_checks_total{check="oven"} 1.0' in counted
    assert 'check="flour"' not in counted


def test_a_soft_check_that_fails_is_counted_though_the_service_is_ready():
    client = bakery(Check("oven", out, is_soft=True))
    assert client.get("/readyz").status_code == 200
    assert 'failing_checks_total{check="oven"} 1.0' in client.get("/metrics").text
