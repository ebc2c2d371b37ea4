"""
The queries of the alerts and of the release analysis, on invented series, by Prometheus's own
test program. They are taken from what Kustomize renders.
"""

import shutil
import subprocess

import pytest
import yaml

COUNT = (
    'flask_http_request_duration_seconds_count{namespace="railgate-prod",job="order",'
    'rollouts_pod_template_hash="abc",url_rule="/api/order/orders",status="%s"}'
)
BUCKET = COUNT.replace("_count{", "_bucket{").replace('status="%s"', 'status="200",le="%s"')
PROBES = COUNT.replace("/api/order/orders", "/readyz")

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="THE ALERTS WERE NOT TESTED: promtool comes with Prometheus (Debian: prometheus).",
)


@pytest.fixture
def rules(rendered, tmp_path):
    """Both the alerts and, as recording rules, the three queries of the analysis."""
    prod = rendered.environments["prod"]
    groups = prod.named("PrometheusRule", "objectives")["spec"]["groups"]
    metrics = prod.named("AnalysisTemplate", "release-health")["spec"]["metrics"]
    asked = [
        {"record": f"asked:{one['name'].replace('-', '_')}", "expr": told(one)} for one in metrics
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [*groups, {"name": "analysis", "rules": asked}]}))
    return path


def told(metric):
    query = metric["provider"]["prometheus"]["query"]
    for name, value in (("service", "order"), ("pod-hash", "abc"), ("requests-min", "50")):
        query = query.replace(f"{{{{args.{name}}}}}", value)
    assert "{{" not in query
    return query


def contradicted(rules, *, series, answers=(), alerts=(), minutes=90):
    """What promtool has to say against it; nothing where all comes as expected."""
    test = {
        "interval": "15s",
        "input_series": [{"series": name, "values": f"{values}x800"} for name, values in series],
        "promql_expr_test": [
            {
                "expr": f"sum(round({query}, 0.0001))",
                "eval_time": f"{minutes}m",
                "exp_samples": [{"labels": "{}", "value": value} for value in values],
            }
            for query, values in answers
        ],
    }
    fires = [
        {
            "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)',
            "eval_time": f"{minutes}m",
            "exp_samples": [{"labels": "{}", "value": count}],
        }
        for name, count in alerts
    ]
    test["promql_expr_test"] += fires
    path = rules.with_name("test.yaml")
    whole = {"rule_files": [rules.name], "evaluation_interval": "15s", "tests": [test]}
    path.write_text(yaml.safe_dump(whole))
    done = subprocess.run(
        ["promtool", "test", "rules", path], capture_output=True, text=True, check=False
    )
    return done.returncode and done.stdout + done.stderr


def test_promtool_finds_no_fault_in_the_rules(rules):
    check = ["promtool", "check", "rules", rules]
    assert subprocess.run(check, check=False, capture_output=True).returncode == 0


def test_errors_of_the_new_pods_are_measured_and_page(rules):
    series = [(COUNT % "200", "0+90"), (COUNT % "500", "0+10")]
    answers = [("asked:error_ratio", [0.1])]
    assert not contradicted(
        rules, series=series, answers=answers, alerts=[("BurnsBudgetWithinTwoDays", 1)]
    )


def test_a_service_without_a_single_error_has_the_ratio_zero(rules):
    series = [(COUNT % "200", "0+90"), (COUNT % "409", "0+900")]
    answers = [("asked:error_ratio", [0]), ("railgate:error_ratio:rate5m", [0])]
    assert not contradicted(
        rules, series=series, answers=answers, alerts=[("BurnsBudgetWithinTwoDays", 0)]
    )


def test_a_handful_of_requests_is_no_evidence(rules):
    answers = [("asked:error_ratio", []), ("asked:p95_seconds", [])]
    assert not contradicted(
        rules, series=[(COUNT % "500", "0+1"), (BUCKET % "+Inf", "0+1")], answers=answers
    )


def test_probes_do_not_dilute_the_errors(rules):
    series = [(COUNT % "500", "0+90"), (PROBES % "200", "0+9000")]
    assert not contradicted(rules, series=series, answers=[("asked:error_ratio", [1])])


def test_the_latency_is_that_of_95_in_100(rules):
    series = [
        (COUNT % "200", "0+100"),
        (BUCKET % "0.1", "0+94"),
        (BUCKET % "1.0", "0+100"),
        (BUCKET % "+Inf", "0+100"),
    ]
    assert not contradicted(rules, series=series, answers=[("asked:p95_seconds", [0.25])])


UP = 'up{namespace="railgate-prod",job="%s"}'
JOBS = ["order", "payment", "registration", "ticket", "waitingroom", "envoy"]


def test_pods_that_prometheus_does_not_see_are_noticed(rules):
    answers = [("asked:is_scraped", [])]
    alerts = [("NobodyIsScraped", len(JOBS))]
    assert not contradicted(rules, series=[], answers=answers, alerts=alerts)


@pytest.mark.parametrize("gone", JOBS)
def test_one_service_of_which_nothing_is_left_pages(rules, gone):
    others = [(UP % job, "1+0") for job in JOBS if job != gone]
    there = f'count(ALERTS{{alertname="NobodyIsScraped", job="{gone}", alertstate="firing"}})'
    for series in (others, [*others, (UP % gone, "0+0")]):
        alerts = [("NobodyIsScraped", 1)]
        assert not contradicted(rules, series=series, answers=[(there, [1])], alerts=alerts)
    assert not contradicted(
        rules, series=[*others, (UP % gone, "1+0")], alerts=[("NobodyIsScraped", 0)]
    )


ENVOY = (
    'envoy_http_downstream_rq_xx{namespace="railgate-prod",job="envoy",'
    'envoy_http_conn_manager_prefix="%s",envoy_response_code_class="%s"}'
)


def test_what_the_gateway_answers_where_no_service_is_pages(rules):
    series = [(ENVOY % ("http-10443", "2"), "0+90"), (ENVOY % ("http-10443", "5"), "0+10")]
    assert not contradicted(rules, series=series, alerts=[("GatewayAnswersErrors", 1)])


def test_the_gateways_own_pages_hide_no_errors_and_are_none(rules):
    own = [(ENVOY % ("admin", "2"), "0+9000"), (ENVOY % ("eg-ready-http", "5"), "0+9000")]
    series = [(ENVOY % ("http", "2"), "0+999"), (ENVOY % ("http", "5"), "0+1")]
    assert not contradicted(rules, series=own + series, alerts=[("GatewayAnswersErrors", 0)])


FAILING = 'failing_checks_total{namespace="railgate-prod",job="%s",check="%s",pod="%s"}'
READY = (
    'flask_http_request_duration_seconds_count{namespace="railgate-prod",job="order",'
    'url_rule="/readyz",status="%s",pod="%s"}'
)


def test_a_database_that_answers_no_pod_pages(rules):
    series = [(READY % ("503", "a"), "0+3"), (FAILING % ("order", "database", "a"), "0+3")]
    alerts = [("DatabaseDoesNotAnswer", 1), ("RedisDoesNotAnswer", 0)]
    assert not contradicted(rules, series=series, alerts=alerts)


def test_one_pod_of_three_without_redis_is_no_outage(rules):
    series = [(READY % ("200", pod), "0+3") for pod in "abc"]
    series += [(FAILING % ("order", "redis", "a"), "0+3")]
    assert not contradicted(rules, series=series, alerts=[("RedisDoesNotAnswer", 0)])


def test_redis_away_pages_though_every_pod_is_ready(rules):
    series = [(READY % ("200", "a"), "0+3"), (FAILING % ("order", "redis", "a"), "0+3")]
    assert not contradicted(
        rules, series=series, alerts=[("RedisDoesNotAnswer", 1), ("SlowForTenMinutes", 0)]
    )


def test_an_aborted_release_and_unseen_ones_are_noticed(rules):
    aborted = 'rollout_info{namespace="railgate-prod",name="order",phase="Degraded"}'
    alerts = [("ReleaseAborted", 1), ("NobodySeesReleases", 0)]
    assert not contradicted(rules, series=[(aborted, "1+0")], alerts=alerts)
    assert not contradicted(
        rules, series=[], alerts=[("ReleaseAborted", 0), ("NobodySeesReleases", 1)]
    )
