"""Faults planted in the ways between pods and in how a release is delivered; each is named."""

import dataclasses

import pytest
from ci.manifests.code import Setting
from ci.manifests.tests.planting import expect, rollout


# Edges
def test_a_call_that_no_policy_lets_out_is_named(tree, prod, code):
    policy = prod.named("NetworkPolicy", "from-order")
    policy["spec"]["egress"][0]["to"] = policy["spec"]["egress"][0]["to"][:1]
    expect(tree, code, "order (web) -> ticket", "the caller may not go out")


def test_a_call_that_no_policy_lets_in_is_named(tree, prod, code):
    policy = prod.named("NetworkPolicy", "to-order")
    policy["spec"]["ingress"][0]["from"] = policy["spec"]["ingress"][0]["from"][1:]
    expect(tree, code, "payment (worker) -> order", "the callee lets it not in")


def test_a_way_that_nobody_takes_is_named(tree, prod, code):
    policy = prod.named("NetworkPolicy", "from-order")
    web = {"app.kubernetes.io/component": "web"}
    policy["spec"]["egress"][0]["to"].append({"podSelector": {"matchLabels": web}})
    policy = prod.named("NetworkPolicy", "from-ticket")
    policy["spec"]["egress"][0]["to"].append({"podSelector": {"matchLabels": web}})
    expect(tree, code, "ticket (web) -> payment", "nobody calls so")


@pytest.mark.parametrize("rule", [{"ports": [{"port": 8080}]}, {"to": [{"podSelector": {}}]}])
def test_a_rule_that_leaves_out_whom_or_where_opens_all(tree, prod, code, rule):
    prod.named("NetworkPolicy", "from-ticket")["spec"]["egress"].append(rule)
    prod.named("NetworkPolicy", "to-payment")["spec"]["ingress"].append({})
    expect(tree, code, "ticket (web) -> payment: open (out), nobody calls so")
    expect(tree, code, "registration (web) -> payment: open (in), nobody calls so")


def test_a_new_client_in_the_code_needs_a_new_way(tree, code):
    ticket = code.services["ticket"]
    settings = (*ticket.settings, Setting("ORDER_URL", "http://127.0.0.1:8083"))
    services = code.services | {"ticket": dataclasses.replace(ticket, settings=settings)}
    grown = dataclasses.replace(code, services=services)
    expect(tree, grown, "ticket (web) -> order", "the caller may not go out")


def test_a_namespace_without_default_deny_is_named(tree, prod, code):
    prod.folders["foundation"] = [
        body for body in prod.folders["foundation"] if body["metadata"]["name"] != "default-deny"
    ]
    expect(tree, code, "prod: no policy denies everything")


def test_a_worker_that_cannot_mail_is_named(tree, prod, code):
    template = prod.named("Deployment", "order-worker")["spec"]["template"]
    del template["metadata"]["labels"]["railgate.example/mail"]
    expect(tree, code, "order-worker", "has no way to its mail")


def test_a_metric_that_prometheus_cannot_fetch_is_named(tree, prod, code):
    policy = prod.named("NetworkPolicy", "from-prometheus")
    selector = policy["spec"]["ingress"][0]["from"][0]["namespaceSelector"]
    selector["matchLabels"]["kubernetes.io/metadata.name"] = "prometheus"
    expect(tree, code, "Rollout order", "does not let the Prometheus in")


@pytest.mark.parametrize(
    ("policy", "side", "peers", "named"),
    [
        ("smoke-to-sandbox", "egress", [], "order (smoke) -> sandbox: the caller may not go out"),
        ("sandbox", "ingress", [0, 2], "order (smoke) -> sandbox: the callee lets it not in"),
        ("to-sandbox", "egress", [], "payment (worker) -> sandbox: the caller may not go out"),
        ("sandbox", "ingress", [1, 2], "payment (web) -> sandbox: the callee lets it not in"),
        ("sandbox", "egress", [], "sandbox (provider) -> payment: the caller may not go out"),
        ("from-sandbox", "ingress", [], "sandbox (provider) -> payment: the callee lets it not in"),
        ("sandbox", "ingress", [0, 1], "Deployment sandbox: does not let the gateway in"),
    ],
)
def test_a_way_of_the_sandbox_that_is_shut_is_named(tree, code, policy, side, peers, named):
    spec = tree.environments["staging"].named("NetworkPolicy", policy)["spec"]
    peer = {"ingress": "from", "egress": "to"}[side]
    kept = [spec[side][0][peer][n] for n in peers]
    spec[side] = [spec[side][0] | {peer: kept}] if kept else []
    expect(tree, code, "staging", named)


def test_a_way_to_the_sandbox_that_nobody_takes_is_named(tree, code):
    policy = tree.environments["staging"].named("NetworkPolicy", "sandbox")
    order = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "order"}}}
    policy["spec"]["ingress"][0]["from"].append(order)
    expect(tree, code, "order (web) -> sandbox: open (in), nobody calls so")


# Delivery


def test_a_clock_that_overrules_the_analysis_is_named(tree, prod, code):
    rollout(prod)["spec"]["strategy"]["blueGreen"]["autoPromotionSeconds"] = 60
    expect(tree, code, "Rollout order", "autoPromotionSeconds")


def test_a_promotion_without_smoke_test_is_named(tree, prod, code):
    del rollout(prod)["spec"]["strategy"]["blueGreen"]["prePromotionAnalysis"]
    expect(tree, code, "Rollout order", "promoted without prePromotionAnalysis")


def test_a_blue_that_goes_before_the_verdict_is_named(tree, prod, code):
    rollout(prod)["spec"]["strategy"]["blueGreen"]["scaleDownDelaySeconds"] = 60
    expect(tree, code, "Rollout order", "blue goes after 60 s", "need 330 s")


@pytest.mark.parametrize(
    ("annotation", "named"),
    [("sync-options", "there is no way back"), ("compare-options", "would be drift")],
)
def test_settings_that_an_older_version_would_miss_are_named(tree, prod, code, annotation, named):
    found = (body["metadata"] for body in prod.of_kind("ConfigMap"))
    settings = next(one for one in found if one["name"].startswith("order-settings"))
    del settings["annotations"][f"argocd.argoproj.io/{annotation}"]
    expect(tree, code, "Rollout order", f"ConfigMap {settings['name']}", named)


def test_an_analysis_that_trips_over_no_data_is_named(tree, prod, code):
    metric = prod.named("AnalysisTemplate", "release-health")["spec"]["metrics"][1]
    metric["successCondition"] = "result[0] <= 0.01"
    expect(tree, code, "error-ratio", "what no data means")


def test_an_analysis_of_a_metric_that_nobody_has_is_named(tree, prod, code):
    metric = prod.named("AnalysisTemplate", "release-health")["spec"]["metrics"][1]
    query = metric["provider"]["prometheus"]
    query["query"] = query["query"].replace("flask_http_request_duration_seconds", "http_requests")
    expect(tree, code, "asks for http_requests")


def test_an_analysis_without_end_is_named(tree, prod, code):
    del prod.named("AnalysisTemplate", "release-health")["spec"]["metrics"][2]["count"]
    expect(tree, code, "p95-seconds is not bounded")


def test_an_autoscaler_at_another_target_is_named(tree, prod, code):
    scaler = prod.named("HorizontalPodAutoscaler", "order")
    scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] = 95
    expect(tree, code, "HorizontalPodAutoscaler order", "instead of 85")


def test_a_service_under_server_side_apply_is_named(tree, prod, code):
    del prod.named("Service", "order")["metadata"]["annotations"]
    expect(tree, code, "Service order", "takes the hash out of its selector")


def project(tree, name="railgate-prod"):
    found = (one for one in tree.argocd if one["kind"] == "AppProject")
    return next(one for one in found if one["metadata"]["name"] == name)


def services_set(tree):
    found = (one for one in tree.argocd if one["kind"] == "ApplicationSet")
    return next(one for one in found if one["metadata"]["name"] == "services")


def test_sales_hours_in_another_zone_are_named(tree, code):
    project(tree)["spec"]["syncWindows"][1]["timeZone"] = "UTC"
    expect(tree, code, "production may change in the sales hours (30 13 * * *")


def test_a_secret_that_rotates_in_the_sales_hours_is_named(tree, prod, code):
    del prod.named("ExternalSecret", "order-secrets")["spec"]["syncWindows"]
    expect(tree, code, "ExternalSecret order-secrets", "may rotate in the sales hours")


def test_a_kind_that_its_project_forbids_is_named(tree, code):
    spec = project(tree)["spec"]
    spec["namespaceResourceWhitelist"] = [
        one for one in spec["namespaceResourceWhitelist"] if one["kind"] != "HTTPRoute"
    ]
    expect(tree, code, "railgate-prod", "does not allow gateway.networking.k8s.io HTTPRoute")


def test_an_unpinned_add_on_is_named(tree, code):
    found = (one for one in tree.argocd if one["kind"] == "ApplicationSet")
    platform = next(one for one in found if one["metadata"]["name"] == "platform")
    add_ons = platform["spec"]["generators"][0]["matrix"]["generators"][1]["list"]["elements"]
    add_ons[0]["source"]["targetRevision"] = "2.x"
    expect(tree, code, "platform", "'2.x' is no version")


def test_a_difference_that_freezes_images_is_named(tree, code):
    ignored = services_set(tree)["spec"]["template"]["spec"]["ignoreDifferences"]
    ignored[1]["jsonPointers"].append("/spec/template/spec/containers/0/resources")
    expect(tree, code, "freezes their images")


def test_a_parameter_that_may_be_missing_is_named(tree, code):
    services_set(tree)["spec"]["goTemplateOptions"] = []
    expect(tree, code, "services", "misspelt parameter")


def test_an_argo_cd_that_nobody_can_sign_in_to_is_named(tree, code):
    found = (one for one in tree.argocd if one["kind"] == "ConfigMap")
    del next(one for one in found if one["metadata"]["name"] == "argocd-cm")["data"]["oidc.config"]
    expect(tree, code, "argocd-cm", "nobody can sign in")


@pytest.mark.parametrize("name", ["platform", "railgate-staging", "railgate-prod"])
def test_a_release_manager_who_sees_nothing_is_named(tree, code, name):
    for role in project(tree, name)["spec"]["roles"]:
        role["policies"] = [one for one in role["policies"] if ", get, " not in one]
    expect(tree, code, name, "release-manager may act on Applications and see none")
