"""
What no plan may contain, asked of every resource of every root: data that is public or in the
clear, rights without limits, logs without an end, production without a second one.
"""

from collections.abc import Iterator
from itertools import chain

from ci.infrastructure.backups import check_backups
from ci.infrastructure.rights import check_rights
from ci.infrastructure.terraform import ENVIRONMENT_TAG, Plan, Resource
from ci.manifests.faults import Fault

EVERYBODY = {"0.0.0.0/0", "::/0"}
# The only way in for everybody is the load balancer, which is no resource of ours.
WAYS_IN = {
    "aws_vpc_security_group_ingress_rule",
    "aws_security_group_rule",
    "aws_security_group",
    "aws_default_security_group",
}
CONTROL_PLANE_LOGS = {"api", "audit", "authenticator", "controllerManager", "scheduler"}
# A value that Terraform makes or is given stands in its state, readable by whoever reads the state.
KEEPS_VALUES = {
    "aws_secretsmanager_secret_version",
    "aws_ssm_parameter",
    "aws_iam_access_key",
    "random_password",
    "tls_private_key",
}
BORN_WITH_A_NODE = {"instance", "network-interface", "volume"}
PROD_BACKUP_DAYS_MIN = 30


def check_policy(plans: dict[str, Plan]) -> Iterator[Fault]:
    for plan in plans.values():
        for check in CHECKS:
            yield from check(plan)
    if prod := plans.get("envs/prod"):
        yield from _production(prod)


def _database(plan: Plan) -> Iterator[Fault]:
    for one in plan.of_kind("aws_db_instance"):
        values = one.values
        if values["publicly_accessible"]:
            yield Fault("public", one.where, "the database has a public address")
        if not values["storage_encrypted"]:
            yield Fault("clear", one.where, "the database is not encrypted")
        if not values["manage_master_user_password"] or values.get("password"):
            yield Fault("secret-in-state", one.where, "the master's password is not RDS's own")
        if not values["backup_retention_period"]:
            yield Fault("backup", one.where, "the database cannot be set back")
    for one in plan.of_kind("aws_db_parameter_group"):
        parameters = {found["name"]: found["value"] for found in one.values["parameter"]}
        if parameters.get("rds.force_ssl") != "1":
            yield Fault("clear", one.where, "lets clients in without TLS (rds.force_ssl)")


def _cache(plan: Plan) -> Iterator[Fault]:
    for one in plan.of_kind("aws_elasticache_replication_group"):
        values = one.values
        if not values["transit_encryption_enabled"] or values["transit_encryption_mode"] != (
            "required"
        ):
            yield Fault("clear", one.where, "lets clients in without TLS")
        if not values["at_rest_encryption_enabled"]:
            yield Fault("clear", one.where, "the cache is not encrypted")
        if not values["user_group_ids"]:
            yield Fault("public", one.where, "lets everybody in who is in the network")
    for one in plan.of_kind("aws_elasticache_user"):
        if " ~* " in f" {one.values['access_string']} ":
            yield Fault("rights", one.where, "sees the keys of every service")


def _ways_in(plan: Plan) -> Iterator[Fault]:
    for one in plan.of_kind(*WAYS_IN):
        if one.kind == "aws_security_group_rule" and one.values.get("type") != "ingress":
            continue
        if EVERYBODY & set(_sources(one)):
            yield Fault("public", one.where, "lets the whole internet in")


def _sources(rule: Resource) -> Iterator[str]:
    values = rule.values
    yield from (values[name] for name in ("cidr_ipv4", "cidr_ipv6") if values.get(name))
    # Rules written into the group itself, which the newer kind of rule replaces.
    for inside in [values, *(values.get("ingress") or [])]:
        yield from chain(inside.get("cidr_blocks") or [], inside.get("ipv6_cidr_blocks") or [])


def _cluster(plan: Plan) -> Iterator[Fault]:
    for one in plan.of_kind("aws_eks_cluster"):
        values = one.values
        doors = values["vpc_config"][0]
        if not doors["endpoint_private_access"]:
            yield Fault("public", one.where, "the nodes reach the API server by the internet only")
        if doors["endpoint_public_access"] and EVERYBODY & set(doors["public_access_cidrs"] or []):
            yield Fault("public", one.where, "the API server is open to everybody")
        if values["access_config"][0]["authentication_mode"] != "API":
            yield Fault("rights", one.where, "lets people in by a ConfigMap (authentication_mode)")
        if not values["encryption_config"]:
            yield Fault("clear", one.where, "Secrets stand in etcd as they are")
        if missing := CONTROL_PLANE_LOGS - set(values["enabled_cluster_log_types"] or []):
            yield Fault("logs", one.where, f"does not log {', '.join(sorted(missing))}")
        if [policy["support_type"] for policy in values["upgrade_policy"]] != ["STANDARD"]:
            yield Fault("cost", one.where, "would slide into extended support")


def _nodes(plan: Plan) -> Iterator[Fault]:
    for one in plan.of_kind("aws_eks_addon"):
        enabled = '"enableNetworkPolicy":"true"' in (one.values["configuration_values"] or "")
        if one.values["addon_name"] == "vpc-cni" and not enabled:
            yield Fault("public", one.where, "the network policies of gitops would do nothing")
    for one in plan.of_kind("aws_launch_template"):
        if [found["http_tokens"] for found in one.values["metadata_options"]] != ["required"]:
            yield Fault("rights", one.where, "gives its role away without a token (IMDSv1)")


def _tags_of_nodes(plan: Plan) -> Iterator[Fault]:
    """AWS makes them for the group, so the provider's tags do not reach them."""
    environment = plan.root.removeprefix("envs/")
    for one in plan.of_kind("aws_launch_template"):
        found = one.values["tag_specifications"] or []
        own = {f["resource_type"] for f in found if f["tags"].get(ENVIRONMENT_TAG) == environment}
        if missing := BORN_WITH_A_NODE - own:
            yield Fault("tags", one.where, f"its {', '.join(sorted(missing))} would be nobody's")
    tags = [one.values["tag"][0] for one in plan.of_kind("aws_autoscaling_group_tag")]
    own_groups = [t for t in tags if (t["key"], t["value"]) == (ENVIRONMENT_TAG, environment)]
    if len(own_groups) < len(plan.of_kind("aws_eks_node_group")):
        yield Fault("tags", plan.root, "its group of nodes would be nobody's")


def _registry(plan: Plan) -> Iterator[Fault]:
    for one in plan.of_kind("aws_ecr_repository"):
        if one.values["image_tag_mutability"] != "IMMUTABLE":
            yield Fault("supply", one.where, "a tag can be moved to another image")
        if not one.values["image_scanning_configuration"][0]["scan_on_push"]:
            yield Fault("supply", one.where, "nobody looks at what is pushed")
        if [found["encryption_type"] for found in one.values["encryption_configuration"]] != [
            "KMS"
        ]:
            yield Fault("clear", one.where, "is not under a key of ours")


def _kept(plan: Plan) -> Iterator[Fault]:
    """Logs end and are sealed, keys are turned, and no value of a secret is known to Terraform."""
    for one in plan.of_kind("aws_cloudwatch_log_group"):
        if not one.values["retention_in_days"] or not one.values["kms_key_id"]:
            yield Fault("logs", one.where, "has no end, or no key")
    for one in plan.of_kind("aws_kms_key"):
        if not one.values["enable_key_rotation"]:
            yield Fault("clear", one.where, "is never turned")
    for one in plan.of_kind(*KEEPS_VALUES):
        yield Fault("secret-in-state", one.where, "puts a secret's value into the state")


def _state(plan: Plan) -> Iterator[Fault]:
    for one in plan.of_kind("aws_s3_bucket_public_access_block"):
        switches = ("block_public_acls", "block_public_policy", "ignore_public_acls",
                    "restrict_public_buckets")  # fmt: skip
        if not all(one.values[switch] for switch in switches):
            yield Fault("public", one.where, "the bucket can be made public")
    buckets = len(plan.of_kind("aws_s3_bucket"))
    for kind in ("aws_s3_bucket_public_access_block", "aws_s3_bucket_versioning"):
        if len(plan.of_kind(kind)) < buckets:
            yield Fault("public", plan.root, f"a bucket is without {kind}")


def _bounded(plan: Plan) -> Iterator[Fault]:
    """The pipeline may only make roles under a limit, so one without it fails at night, in prod."""
    for one in plan.of_kind("aws_iam_role"):
        if plan.root.startswith("envs/") and not one.values.get("permissions_boundary"):
            yield Fault("rights", one.where, "is a role without a boundary")


def _production(plan: Plan) -> Iterator[Fault]:
    for one in plan.of_kind("aws_db_instance"):
        values = one.values
        if not values["multi_az"]:
            yield Fault("production", one.where, "stands in one zone")
        if not values["deletion_protection"] or values["skip_final_snapshot"]:
            yield Fault("production", one.where, "can be deleted by a slip")
        if (values["backup_retention_period"] or 0) < PROD_BACKUP_DAYS_MIN:
            yield Fault("production", one.where, f"goes back less than {PROD_BACKUP_DAYS_MIN} days")
    for one in plan.of_kind("aws_elasticache_replication_group"):
        if not (one.values["multi_az_enabled"] and one.values["automatic_failover_enabled"]):
            yield Fault("production", one.where, "stands in one zone")
    if len(plan.of_kind("aws_nat_gateway")) != 3:
        yield Fault("production", plan.root, "does not have a way out of each zone")
    if not plan.of_kind("aws_backup_vault_lock_configuration"):
        yield Fault("production", plan.root, "its backups can be thrown away")
    if not plan.of_kind("aws_backup_restore_testing_plan"):
        yield Fault("production", plan.root, "no backup is ever restored")


CHECKS = (
    _database, _cache, _ways_in, _cluster, _nodes, _tags_of_nodes, _registry, _kept, _state,
    _bounded, check_backups, check_rights,
)  # fmt: skip
