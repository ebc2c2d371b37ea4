"""
Each test plants one fault into a copy of what Kustomize rendered, and the check must name it. The
first test is the control: the tree as it is has none, so what is named was planted.
"""

import dataclasses

import pytest
from ci.manifests.code import Setting
from ci.manifests.tests.planting import container_of, expect, named, pod_of, rollout, schema_faults


def test_the_tree_as_it_is_has_no_fault(tree, code):
    assert named(tree, code) == []


def test_the_tree_as_it_is_fits_the_schemas(tree):
    assert schema_faults(tree) == []


# Schemas


def test_a_misspelt_field_of_a_core_kind_is_named(tree, prod):
    prod.named("HorizontalPodAutoscaler", "order")["spec"]["minReplica"] = 3
    assert any("minReplica" in fault and "prod/order" in fault for fault in schema_faults(tree))


def test_a_misspelt_field_of_a_custom_kind_is_named(tree, prod):
    rollout(prod)["spec"]["strategy"]["blueGreen"]["activeServices"] = "order"
    assert any("activeServices" in fault for fault in schema_faults(tree))


def test_a_misspelt_field_deep_in_a_rollouts_pod_is_named(tree, prod):
    container_of(rollout(prod))["readinesProbe"] = {"httpGet": {"path": "/", "port": 8080}}
    assert any("readinesProbe" in fault for fault in schema_faults(tree))


def test_a_kind_without_a_schema_is_named(tree, prod):
    prod.folders["order"].append(
        {"apiVersion": "example.org/v1", "kind": "Surprise", "metadata": {"name": "x"}}
    )
    assert any("no schema of example.org/v1" in fault for fault in schema_faults(tree))


# What names something else


def test_a_preview_service_that_does_not_exist_is_named(tree, prod, code):
    rollout(prod)["spec"]["strategy"]["blueGreen"]["previewService"] = "order-green"
    expect(tree, code, "prod/order: Rollout order", "no Service order-green")


def test_a_service_on_another_port_than_its_pods_is_named(tree, prod, code):
    prod.named("Service", "order")["spec"]["ports"][0]["port"] = 80
    expect(tree, code, "Service order", "port 80 leads to 8080")


def test_a_service_that_selects_nothing_is_named(tree, prod, code):
    prod.named("Service", "order-preview")["spec"]["selector"]["app.kubernetes.io/name"] = "orders"
    expect(tree, code, "Service order-preview", "selects no pods")


def test_a_selector_that_misses_its_own_pods_is_named(tree, prod, code):
    worker = prod.named("Deployment", "payment-worker")
    worker["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] = "workers"
    expect(tree, code, "payment-worker", "does not match its own pods")


def test_an_autoscaler_of_a_deployment_that_is_a_rollout_is_named(tree, prod, code):
    scaler = prod.named("HorizontalPodAutoscaler", "ticket")
    scaler["spec"]["scaleTargetRef"] |= {"apiVersion": "apps/v1", "kind": "Deployment"}
    expect(tree, code, "HorizontalPodAutoscaler ticket", "no apps/v1 Deployment ticket")


def test_an_analysis_that_does_not_exist_is_named(tree, prod, code):
    pre = rollout(prod)["spec"]["strategy"]["blueGreen"]["prePromotionAnalysis"]
    pre["templates"] = [{"templateName": "order-smoek"}]
    expect(tree, code, "no AnalysisTemplate order-smoek")


def test_an_analysis_that_is_not_told_the_pod_hash_is_named(tree, prod, code):
    post = rollout(prod)["spec"]["strategy"]["blueGreen"]["postPromotionAnalysis"]
    post["args"] = [arg for arg in post["args"] if arg["name"] != "pod-hash"]
    expect(tree, code, "not told its argument pod-hash")


def test_settings_under_a_name_without_hash_are_named(tree, prod, code):
    settings = next(
        body
        for body in prod.of_kind("ConfigMap")
        if body["metadata"]["name"].startswith("order-settings")
    )
    settings["metadata"]["name"] = "order-settings"
    for body in prod.folders["order"]:
        if body["kind"] in {"Rollout", "Deployment", "Job"}:
            container_of(body)["envFrom"][0]["configMapRef"]["name"] = "order-settings"
    expect(tree, code, "prod/order: Rollout order", "order-settings carries no hash")


def test_settings_of_an_older_hash_are_named(tree, prod, code):
    container_of(rollout(prod))["envFrom"][0]["configMapRef"]["name"] = "order-settings-aaaaaaaaaa"
    expect(tree, code, "no ConfigMap order-settings-aaaaaaaaaa")


def test_a_secret_that_nobody_makes_is_named(tree, prod, code):
    prod.folders["foundation"] = [
        body for body in prod.folders["foundation"] if body["metadata"]["name"] != "peer-secrets"
    ]
    expect(tree, code, "Rollout payment", "no Secret peer-secrets")


def test_an_environment_without_a_service_is_named(tree, prod, code):
    del prod.folders["payment"]
    expect(tree, code, "prod: there is no folder payment")


def test_a_route_to_the_wrong_port_is_named(tree, prod, code):
    rule = prod.named("HTTPRoute", "order")["spec"]["rules"][0]
    rule["backendRefs"][0]["port"] = 8000
    expect(tree, code, "HTTPRoute order", "no Service order:8000")


def test_a_monitor_of_active_and_preview_at_once_is_named(tree, prod, code):
    del prod.named("ServiceMonitor", "order")["spec"]["selector"]["matchLabels"][
        "railgate.example/scraped"
    ]
    expect(tree, code, "ServiceMonitor order", "selects 3 Services")


def test_a_secret_of_another_environment_is_named(tree, prod, code):
    secret = prod.named("ExternalSecret", "payment-secrets")
    secret["spec"]["data"][0]["remoteRef"]["key"] = "railgate/staging/payment"
    expect(tree, code, "payment-secrets", "railgate/staging/payment of another environment")


# Policy


def test_a_pod_that_runs_as_root_is_named(tree, prod, code):
    pod_of(rollout(prod))["securityContext"]["runAsUser"] = 0
    expect(tree, code, "Rollout order", "not root")


def test_a_container_that_may_write_its_image_is_named(tree, prod, code):
    container_of(rollout(prod))["securityContext"]["readOnlyRootFilesystem"] = False
    expect(tree, code, "Rollout order", "can write to its image's files")


def test_a_smoke_job_with_capabilities_is_named(tree, prod, code):
    job = prod.named("AnalysisTemplate", "order-smoke")["spec"]["metrics"][0]["provider"]["job"]
    del job["spec"]["template"]["spec"]["containers"][0]["securityContext"]["capabilities"]
    expect(tree, code, "AnalysisTemplate order-smoke", "does not drop all capabilities")


@pytest.mark.parametrize("tag", [":latest", ":1.4.2", ""])
def test_an_image_by_tag_is_named(tree, prod, code, tag):
    image = container_of(rollout(prod))["image"].partition("@")[0] + tag
    container_of(rollout(prod))["image"] = image
    expect(tree, code, "Rollout order", f"{image} is not named by digest")


def test_a_container_without_memory_limit_is_named(tree, prod, code):
    del container_of(prod.named("Deployment", "order-worker"))["resources"]["limits"]
    expect(tree, code, "order-worker", "limit memory")


def test_a_pod_without_readiness_is_named(tree, prod, code):
    del container_of(rollout(prod))["readinessProbe"]
    expect(tree, code, "Rollout order", "no readinessProbe")


def test_a_liveness_probe_that_asks_the_database_is_named(tree, prod, code):
    container = container_of(rollout(prod))
    container["livenessProbe"]["httpGet"] = container["readinessProbe"]["httpGet"]
    expect(tree, code, "Rollout order", "readiness and liveness ask the same")


@pytest.mark.parametrize(
    ("probe", "named"), [("readinessProbe", "taken out after 20"), ("livenessProbe", "restarted")]
)
def test_a_service_that_a_failover_would_empty_is_named(tree, prod, code, probe, named):
    container_of(rollout(prod))[probe]["failureThreshold"] = 4
    expect(tree, code, "Rollout order", f"is {named}", "s, the database fails over in 120 s")


def test_a_secret_in_git_is_named(tree, prod, code):
    prod.folders["order"].append(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {}}
    )
    expect(tree, code, "Secret keys", "no place in Git")


def test_a_password_among_the_settings_is_named(tree, prod, code):
    settings = next(
        body
        for body in prod.of_kind("ConfigMap")
        if body["metadata"]["name"].startswith("payment-settings")
    )
    settings["data"]["PROVIDER_URL"] = "https://railgate:hunter2@provider.example"
    expect(tree, code, "payment-settings", "looks like a key or a password")


def test_a_key_in_an_environment_variable_is_named(tree, prod, code):
    container_of(rollout(prod))["env"].append({"name": "HASH_KEY", "value": "c2VjcmV0"})
    expect(tree, code, "Rollout order", "HASH_KEY has its value here")


def test_replicas_of_what_is_scaled_are_named(tree, prod, code):
    rollout(prod)["spec"]["replicas"] = 6
    expect(tree, code, "Rollout order", "the autoscaler owns the number")


def test_a_namespace_that_admits_any_pod_is_named(tree, prod, code):
    labels = prod.of_kind("Namespace")[0]["metadata"]["labels"]
    labels["pod-security.kubernetes.io/enforce"] = "baseline"
    expect(tree, code, "Namespace", "does not enforce Pod Security restricted")


# The code beside it


def test_a_setting_that_the_code_demands_and_nobody_gives_is_named(tree, code):
    order = code.services["order"]
    grown = dataclasses.replace(order, settings=(*order.settings, Setting("SEAT_KEY", None)))
    services = code.services | {"order": grown}
    expect(
        tree,
        dataclasses.replace(code, services=services),
        "prod/order: Rollout order",
        "SEAT_KEY is demanded and not given",
    )


def test_a_misspelt_setting_is_named(tree, prod, code):
    container_of(rollout(prod))["env"].append({"name": "HOLD_SECOND", "value": "300"})
    expect(tree, code, "Rollout order", "HOLD_SECOND is given and no setting of order")


def test_an_address_left_at_this_machine_is_named(tree, prod, code):
    settings = next(
        body
        for body in prod.of_kind("ConfigMap")
        if body["metadata"]["name"].startswith("order-settings")
    )
    del settings["data"]["TICKET_URL"]
    expect(tree, code, "Rollout order", "TICKET_URL would be http://127.0.0.1:8082")


def test_a_grace_shorter_than_gunicorns_is_named(tree, prod, code):
    pod_of(rollout(prod))["terminationGracePeriodSeconds"] = 30
    expect(tree, code, "Rollout order", "is killed after 30 s and needs 40 s")


def test_a_pod_that_stops_at_once_is_named(tree, prod, code):
    del container_of(rollout(prod))["lifecycle"]
    expect(tree, code, "Rollout order", "no preStop")


def test_a_migration_before_its_secrets_is_named(tree, prod, code):
    job = prod.named("Job", "order-migration")
    job["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] = "-3"
    expect(tree, code, "Job order-migration", "starts with or before its Secret order-secrets")


def test_a_worker_that_nobody_starts_is_named(tree, prod, code):
    prod.folders["payment"] = [
        body for body in prod.folders["payment"] if body["kind"] != "Deployment"
    ]
    expect(tree, code, "prod/payment", "has a worker part and no manifest starts it")


def test_a_command_that_is_not_in_the_code_is_named(tree, prod, code):
    container_of(prod.named("Deployment", "order-worker"))["command"][2] = "order.workers"
    expect(tree, code, "order-worker", "starts order.workers, which no code is")


def test_a_probe_that_nobody_answers_is_named(tree, prod, code):
    container_of(rollout(prod))["livenessProbe"]["httpGet"]["path"] = "/health"
    expect(tree, code, "Rollout order", "livenessProbe asks /health")


def test_a_route_that_opens_the_metrics_is_named(tree, prod, code):
    prod.named("HTTPRoute", "order")["spec"]["rules"][0]["matches"][0]["path"]["value"] = "/"
    expect(tree, code, "HTTPRoute order", "opens / instead of /api/order")
