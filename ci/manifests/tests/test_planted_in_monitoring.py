"""Faults planted in what is watched: dashboards, alerts and the names they ask for."""

import json

import pytest
from ci.manifests.promql import Query, not_parsed, promtool
from ci.manifests.tests.planting import expect

needs_promtool = pytest.mark.skipif(
    promtool() is None, reason="NO QUERY WAS PARSED: promtool comes with Prometheus."
)


def change(environment, name, edit):
    """Edit one dashboard, as a person would in its file."""
    shown = environment.named("ConfigMap", "dashboards")["data"]
    board = json.loads(shown[f"{name}.json"])
    edit(board)
    shown[f"{name}.json"] = json.dumps(board)


def first_panel(board):
    return next(panel for panel in board["panels"] if panel["type"] != "row")


def rule(environment, alert):
    groups = environment.named("PrometheusRule", "objectives")["spec"]["groups"]
    return next(one for group in groups for one in group["rules"] if one.get("alert") == alert)


def presence(environment, job):
    groups = environment.named("PrometheusRule", "objectives")["spec"]["groups"]
    rules = next(group["rules"] for group in groups if group["name"] == "railgate-presence")
    return next(one for one in rules if one["labels"]["job"] == job)


def test_a_dashboard_that_asks_for_what_nobody_counts_is_named(tree, prod, code):
    change(prod, "rush", lambda board: first_panel(board)["targets"][0].update(expr="line_length"))
    expect(tree, code, "prod/foundation: ConfigMap dashboards rush.json", "asks for line_length")


def test_a_dashboard_that_asks_for_a_route_of_yesterday_is_named(tree, prod, code):
    query = 'sum(flask_http_request_duration_seconds_count{url_rule="/api/order/purchases"})'
    change(prod, "shop", lambda board: first_panel(board)["targets"][0].update(expr=query))
    expect(tree, code, "shop.json", "/api/order/purchases, which no service answers")


def test_a_metric_of_aws_that_does_not_exist_is_named(tree, prod, code):
    def misspell(board):
        targets = [target for panel in board["panels"] for target in panel.get("targets", [])]
        next(one for one in targets if "metricName" in one)["metricName"] = "CpuUtilisation"

    change(prod, "stores", misspell)
    expect(tree, code, "stores.json", "asks for CpuUtilisation, not known of AWS")


def test_two_dashboards_with_one_uid_are_named(tree, prod, code):
    change(prod, "rush", lambda board: board.update(uid="railgate-shop"))
    expect(tree, code, "rush.json", "shares its uid 'railgate-shop'")
    expect(tree, code, "shop.json", "shares its uid 'railgate-shop'")


def test_panels_that_lie_upon_each_other_are_named(tree, prod, code):
    def shove(board):
        one, other = [panel for panel in board["panels"] if panel["type"] != "row"][:2]
        other["gridPos"] = dict(one["gridPos"])

    change(prod, "releases", shove)
    expect(tree, code, "releases.json", "lies upon")


def test_a_panel_without_a_unit_is_named(tree, prod, code):
    change(prod, "shop", lambda board: first_panel(board)["fieldConfig"]["defaults"].pop("unit"))
    expect(tree, code, "shop.json: Requests a second", "has no unit")


def test_a_dashboard_that_is_no_json_is_named(tree, prod, code):
    prod.named("ConfigMap", "dashboards")["data"]["shop.json"] = "{"
    expect(tree, code, "shop.json", "is no JSON")


def test_dashboards_that_grafana_would_not_find_are_named(tree, prod, code):
    del prod.named("ConfigMap", "dashboards")["metadata"]["labels"]["grafana_dashboard"]
    expect(tree, code, "prod: has no dashboard")


@needs_promtool
def test_a_query_that_is_none_is_named(tree, prod, code):
    change(prod, "shop", lambda board: first_panel(board)["targets"][0].update(expr="sum(up"))
    expect(tree, code, "shop.json: Requests a second", "unclosed left parenthesis")


@needs_promtool
def test_the_right_one_of_many_queries_is_named():
    queries = [Query(f"panel {n}", "up" if n != 7 else "up{") for n in range(12)]
    assert [fault.where for fault in not_parsed(queries)] == ["panel 7"]


def test_an_alert_that_does_not_say_what_to_do_is_named(tree, prod, code):
    del rule(prod, "SlowForTenMinutes")["annotations"]["runbook_url"]
    expect(tree, code, "SlowForTenMinutes", "has no runbook_url")


@pytest.mark.parametrize("service", ["order", "payment", "registration", "ticket", "waitingroom"])
def test_a_service_whose_absence_wakes_nobody_is_named(tree, prod, code, service):
    presence(prod, service)["labels"]["severity"] = "ticket"
    expect(tree, code, f"Rollout {service}", "nobody is woken when none of its pods is left")


def test_an_absence_of_what_is_not_up_is_named(tree, prod, code):
    rule = presence(prod, "payment")
    rule["expr"] = rule["expr"].replace(" == 1", "")
    expect(tree, code, "Rollout payment", "nobody is woken when none of its pods is left")


def test_a_gateway_whose_absence_wakes_nobody_is_named(tree, prod, code):
    presence(prod, "envoy")["expr"] = "vector(0) > 1"
    expect(tree, code, "prod: nobody is woken when the gateway is gone")


def test_a_gateway_that_prometheus_does_not_scrape_is_named(tree, prod, code):
    selector = prod.named("PodMonitor", "gateway")["spec"]["selector"]
    selector["matchLabels"]["gateway.envoyproxy.io/owning-gateway-name"] = "eg"
    expect(tree, code, "prod: nobody is woken when the gateway is gone")


def test_the_second_of_two_alerts_with_one_name_is_looked_at(tree, prod, code):
    del presence(prod, "order")["annotations"]["summary"]
    expect(tree, code, "NobodyIsScraped", "has no summary")


def test_an_alert_of_an_unknown_severity_is_named(tree, prod, code):
    rule(prod, "ReleaseAborted")["labels"]["severity"] = "urgent"
    expect(tree, code, "ReleaseAborted", "its severity is none of page, ticket")


def test_an_alert_on_a_metric_of_an_add_on_that_is_gone_is_named(tree, code):
    add_ons = elements(tree)
    add_ons.remove(next(one for one in add_ons if one["name"] == "argo-rollouts"))
    expect(tree, code, "ReleaseAborted", "asks for rollout_info, which nobody counts")


def test_a_controller_that_prometheus_is_not_told_of_is_named(tree, code):
    monitoring_values(tree)["prometheus"]["additionalServiceMonitors"] = []
    expect(tree, code, "monitoring", "not told to scrape argo-rollouts")


@pytest.mark.parametrize(
    ("name", "spec", "field"),
    [
        ("Prometheus", "prometheusSpec", "storageSpec"),
        ("Alertmanager", "alertmanagerSpec", "storage"),
    ],
)
def test_monitoring_that_forgets_all_with_its_pod_is_named(tree, code, name, spec, field):
    del monitoring_values(tree)[name.lower()][spec][field]
    expect(tree, code, "argocd: monitoring", f"{name} keeps nothing")


def test_a_volume_of_a_class_that_nobody_makes_is_named(tree, code):
    monitoring_values(tree)["extraManifests"][0]["provisioner"] = "kubernetes.io/aws-ebs"
    expect(tree, code, "argocd: monitoring", "Prometheus keeps nothing")


def monitoring_values(tree):
    monitoring = next(one for one in elements(tree) if one["name"] == "monitoring")
    return monitoring["source"]["helm"]["valuesObject"]


def elements(tree):
    found = (one for one in tree.argocd if one["kind"] == "ApplicationSet")
    platform = next(one for one in found if one["metadata"]["name"] == "platform")
    return platform["spec"]["generators"][0]["matrix"]["generators"][1]["list"]["elements"]


def test_what_a_query_asks_for_is_told_from_its_labels_and_functions():
    query = Query(
        "",
        'sum by (job, le) (rate(a_bucket{job="b", url_rule=~"/x|/y"}[5m])) / on (job) '
        "group_left (role) max_over_time(c:d:rate5m[1h] offset 1d) or vector(0) > bool 3e4",
    )
    assert query.series == {"a_bucket", "c:d:rate5m"}
    assert query.url_rules == {"/x", "/y"}
