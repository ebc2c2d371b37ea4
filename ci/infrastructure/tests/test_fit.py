"""
Faults between terraform and what counts on it, planted on either side. The control comes first.
"""

import dataclasses

import pytest
from ci.infrastructure.fit import add_ons_of, check_fit, read_services
from ci.infrastructure.sizes import floor_cpu, most_connections
from ci.manifests.rendering import ROOT


@pytest.fixture
def expect(plans, tree, code):
    def expected(*words):
        faults = sorted({str(fault) for fault in check_fit(plans, tree, code)})
        assert any(all(word in fault for word in words) for fault in faults), faults

    return expected


def test_terraform_gitops_and_the_code_agree(plans, tree, code):
    assert [str(fault) for fault in check_fit(plans, tree, code)] == []


def test_a_new_service_is_asked_for_its_database_and_repository(expect, tree):
    tree.environments["dev"].folders["parcels"] = []
    expect("parcels", "is not in terraform/services.yaml")


def test_a_service_that_begins_to_read_a_database_is_named(expect, monkeypatch):
    services = read_services()
    stands = type(services["order"])(database=False, cache=True, secret=True)
    monkeypatch.setattr("ci.infrastructure.fit.read_services", lambda: services | {"order": stands})
    expect("order", "reads DATABASE_URL: True")


def test_an_image_without_a_repository_is_named(expect, plans):
    account = plans["account"]
    account.resources = [r for r in account.resources if r.values["name"] != "railgate/order"]
    expect("repository", "railgate/order")


def test_a_secret_that_nobody_makes_is_named(expect, prod):
    prod.resources = [r for r in prod.resources if r.values["name"] != "railgate/prod/payment"]
    expect("prod: railgate/prod/payment is read and nobody makes it")


def test_another_network_in_the_policies_is_named(expect, tree):
    policy = tree.environments["prod"].named("NetworkPolicy", "to-redis")
    policy["spec"]["egress"][0]["to"][0]["ipBlock"]["cidr"] = "10.30.64.0/20"
    expect("prod: to-redis opens 10.30.64.0/20, terraform has 10.30.80.0/20")


def test_another_port_in_the_policies_is_named(expect, tree):
    policy = tree.environments["prod"].named("NetworkPolicy", "to-mail")
    policy["spec"]["egress"][0]["ports"][0]["port"] = 587
    expect("to-mail opens another port")


def test_a_store_of_secrets_in_another_region_is_named(expect, tree):
    store = tree.environments["dev"].of_kind("SecretStore")[0]
    store["spec"]["provider"]["aws"]["region"] = "eu-west-1"
    expect("asks in eu-west-1")


@pytest.mark.parametrize(
    "place", ["eu-west-1:111122223333", "ap-south-1:999988887777"], ids=["region", "account"]
)
def test_a_certificate_from_elsewhere_is_named(place, expect, tree):
    proxy = tree.environments["prod"].of_kind("EnvoyProxy")[0]
    notes = proxy["spec"]["provider"]["kubernetes"]["envoyService"]["annotations"]
    notes["service.beta.kubernetes.io/aws-load-balancer-ssl-cert"] = (
        f"arn:aws:acm:{place}:certificate/00000000-0000-0000-0000-000000000000"
    )
    expect("prod/foundation", f"its certificate is in {place.replace(':', ' of ')}")


@pytest.mark.parametrize(
    ("account", "region"), [("999988887777", "ap-south-1"), ("111122223333", "eu-west-1")]
)
def test_an_image_from_elsewhere_is_named(account, region, expect, tree):
    pod = next(tree.environments["prod"].pods())
    pod.containers[0]["image"] = f"{account}.dkr.ecr.{region}.amazonaws.com/railgate/order@sha256:0"
    expect("prod", f"is in {region} of {account}")


def test_a_load_balancer_that_bears_anothers_name_is_named(expect, tree):
    proxy = tree.environments["prod"].of_kind("EnvoyProxy")[0]
    notes = proxy["spec"]["provider"]["kubernetes"]["envoyService"]["annotations"]
    del notes["service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags"]
    expect("prod/foundation", "its load balancer bears None")


def test_a_node_of_karpenters_that_bears_anothers_name_is_named(expect, prod):
    prod.outputs["platform"]["environment"] = "live"
    expect("envs/prod", "a node of Karpenter's bears {'railgate:environment': 'prod'}")


def test_a_host_that_no_certificate_is_for_is_named(expect, tree):
    route = tree.environments["dev"].of_kind("HTTPRoute")[0]
    route["spec"]["hostnames"] = ["elsewhere.example"]
    expect("no certificate is for elsewhere.example")


def test_a_public_address_that_no_certificate_is_for_is_named(expect, tree):
    for body in tree.environments["prod"].of_kind("ConfigMap"):
        if "PUBLIC_URL" in body["data"]:
            body["data"]["PUBLIC_URL"] = "https://elsewhere.example"
    expect("prod: no certificate is for elsewhere.example")


def test_an_add_on_under_another_name_has_no_role(expect, tree):
    secrets = next(one for one in add_ons_of(tree) if one["name"] == "external-secrets")
    secrets["source"]["helm"]["valuesObject"]["serviceAccount"] = {"name": "eso"}
    expect("external-secrets of railgate-prod is ('external-secrets', 'eso')", "no role")


def test_an_add_on_that_was_renamed_takes_no_check_along(expect, tree):
    next(one for one in add_ons_of(tree) if one["name"] == "karpenter")["name"] = "autoscaler"
    expect("there is no add-on karpenter, which speaks to AWS")


def test_an_add_on_on_both_sides_is_named(expect, prod):
    prod.of_kind("aws_eks_addon")[0].values["addon_name"] = "metrics-server"
    expect("is an add-on of gitops as well")


def test_a_group_without_a_role_is_named(expect, tree):
    tree.argocd = [body for body in tree.argocd if body["kind"] != "RoleBinding"]
    expect("railgate:drift may do nothing")


def test_a_cluster_that_argo_cd_does_not_know_is_named(expect, prod):
    prod.outputs["platform"]["cluster"]["name"] = "railgate-live"
    expect("railgate-live is known or made, not both")


def test_an_environment_without_a_plan_is_named(expect, plans):
    del plans["envs/staging"]
    expect("staging: has no plan of its own")


def test_too_few_nodes_for_the_floor_of_the_autoscalers_are_named(expect, tree):
    scaler = tree.environments["prod"].named("HorizontalPodAutoscaler", "order")
    scaler["spec"]["minReplicas"] = 60
    expect("envs/prod", "CPU at least")


def test_too_few_nodes_for_the_quota_are_named(expect, tree):
    quota = tree.environments["prod"].of_kind("ResourceQuota")[0]
    quota["spec"]["hard"]["requests.cpu"] = "400"
    expect("envs/prod", "CPU at most")


def test_nodes_that_karpenter_could_not_start_are_named(expect, prod):
    prod.outputs["platform"]["cluster"]["node_profile"] = "railgate-prod-other"
    for subnet in prod.of_kind("aws_subnet"):
        subnet.values["tags"] = dict(subnet.values["tags"]) | {"karpenter.sh/discovery": "other"}
    expect("railgate-prod-node is no profile")
    expect("Karpenter looks for")


@pytest.mark.parametrize("recurrence", ["40 7 * * *", "0 10 * * *"])
def test_nodes_that_come_after_the_crowd_are_named(recurrence, expect, prod):
    clock = prod.of_kind("aws_autoscaling_schedule")
    next(one for one in clock if "rush-0720" in one.address).values["recurrence"] = recurrence
    expect("envs/prod", "at 30 7 * * * sales open, and no more nodes stand ready")


def test_nodes_that_go_while_tickets_are_sold_are_named(expect, prod):
    clock = prod.of_kind("aws_autoscaling_schedule")
    next(one for one in clock if "calm-1545" in one.address).values["recurrence"] = "0 15 * * *"
    expect("envs/prod", "at 30 13 * * * sales open")


def test_too_few_connections_for_blue_and_green_are_named(expect, tree):
    scaler = tree.environments["prod"].named("HorizontalPodAutoscaler", "order")
    scaler["spec"]["maxReplicas"] = 200
    expect("envs/prod", "connections", "may be asked for")


def test_pods_judged_by_another_kubernetes_are_named(expect, prod):
    prod.of_kind("aws_eks_cluster")[0].values["version"] = "1.36"
    expect("pods are judged by the rules of v1.35")


def test_sizes_are_read_from_what_is_rendered(tree):
    prod = tree.environments["prod"]
    assert floor_cpu(prod) > floor_cpu(tree.environments["dev"])


def test_a_statement_by_itself_has_a_connection_beside_the_sessions(tree, code):
    """Two colours of at most 12 pods, 2 processes, 4 threads, and 2 workers with their loops."""
    prod = tree.environments["prod"]
    of_all = most_connections(prod, code)
    for service, pools, loops in (("order", 2, 5), ("ticket", 1, 1)):
        others = {name: one for name, one in code.services.items() if name != service}
        without = most_connections(prod, dataclasses.replace(code, services=others))
        assert of_all - without == 2 * 12 * 2 * pools * 4 + 2 * 2 * loops


def test_a_smaller_pool_bounds_what_its_threads_hold(tree, code):
    prod = tree.environments["prod"]
    before = most_connections(prod, code)
    for body in prod.of_kind("ConfigMap"):
        if body["metadata"]["name"].startswith("ticket-settings"):
            body["data"]["DATABASE_POOL_SIZE"] = "1"
    assert before - most_connections(prod, code) == 2 * 12 * 2 * (4 - 1 - code.overflow)


def test_the_database_is_the_one_that_the_tests_run_against(prod):
    compose = (ROOT / "compose.yaml").read_text()
    (version,) = {r.values["engine_version"] for r in prod.of_kind("aws_db_instance")}
    assert f"postgres:{version}-" in compose


def test_argo_cd_is_told_of_a_cluster_by_one_object_without_a_secret(prod):
    said = prod.outputs["platform"]["argocd_cluster"]
    assert '"argocd.argoproj.io/secret-type": "cluster"' in said
    assert '"name": "railgate-prod"' in said
    assert "bearerToken" not in said
    assert "password" not in said
