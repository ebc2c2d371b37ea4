"""
Each test plants one fault into what Terraform plans, and the rules must name it. The first is the
control: as it is, no plan has a fault.
"""

import json

import pytest
from ci.infrastructure.policy import check_policy


def one(plan, kind, part=""):
    return next(r for r in plan.of_kind(kind) if part in r.address)


def expect(plans, *words):
    faults = sorted({str(fault) for fault in check_policy(plans)})
    assert any(all(word in fault for word in words) for fault in faults), faults


def statement(resource, field="policy"):
    return json.loads(resource.values[field])["Statement"]


def written(resource, statements, field="policy"):
    resource.values[field] = json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_the_plans_as_they_are_break_no_rule(plans):
    assert [str(fault) for fault in check_policy(plans)] == []


# (kind, value, what it is set to, what is said of it)
PLANTED = [
    ("aws_db_instance", "publicly_accessible", True, "has a public address"),
    ("aws_db_instance", "storage_encrypted", False, "is not encrypted"),
    ("aws_db_instance", "password", "hunter2", "master's password is not RDS's own"),
    ("aws_db_instance", "backup_retention_period", 0, "cannot be set back"),
    ("aws_db_instance", "multi_az", False, "stands in one zone"),
    ("aws_db_instance", "deletion_protection", False, "can be deleted by a slip"),
    ("aws_db_parameter_group", "parameter", [], "clients in without TLS"),
    ("aws_elasticache_replication_group", "transit_encryption_mode", "preferred", "without TLS"),
    ("aws_elasticache_replication_group", "multi_az_enabled", False, "stands in one zone"),
    ("aws_elasticache_replication_group", "user_group_ids", [], "lets everybody in"),
    ("aws_elasticache_user", "access_string", "on ~* +@all", "keys of every service"),
    ("aws_vpc_security_group_ingress_rule", "cidr_ipv4", "0.0.0.0/0", "whole internet"),
    ("aws_default_security_group", "ingress", [{"cidr_blocks": ["0.0.0.0/0"]}], "whole internet"),
    ("aws_eks_cluster", "encryption_config", [], "Secrets stand in etcd as they are"),
    ("aws_eks_cluster", "enabled_cluster_log_types", ["api"], "does not log audit"),
    ("aws_eks_cluster", "upgrade_policy", [{"support_type": "EXTENDED"}], "extended support"),
    ("aws_launch_template", "metadata_options", [{"http_tokens": "optional"}], "IMDSv1"),
    ("aws_launch_template", "tag_specifications", [], "instance, network-interface, volume would"),
    (
        "aws_autoscaling_group_tag",
        "tag",
        [{"key": "railgate:environment", "value": "dev"}],
        "group of nodes would be nobody's",
    ),
    ("aws_db_instance", "maintenance_window", "thu:22:00-thu:23:00", "when RDS lets none begin"),
    ("aws_db_instance", "maintenance_window", "thu:23:00-thu:23:30", "when RDS lets none begin"),
    ("aws_db_instance", "backup_window", "22:00-23:00", "when RDS lets none begin"),
    (
        "aws_backup_restore_testing_plan",
        "schedule_expression",
        "cron(0 5 ? * SUN *)",
        "before the day's backup is whole",
    ),
    (
        "aws_backup_restore_testing_selection",
        "restore_metadata_overrides",
        {"multiAz": "false"},
        "nobody can look into what is restored",
    ),
    ("aws_cloudwatch_log_group", "retention_in_days", 0, "has no end"),
    ("aws_kms_key", "enable_key_rotation", False, "is never turned"),
    ("aws_iam_role", "permissions_boundary", None, "without a boundary"),
]


@pytest.mark.parametrize(("kind", "name", "value", "said"), PLANTED)
def test_a_fault_in_production_is_named(kind, name, value, said, plans, prod):
    one(prod, kind).values[name] = value
    expect(plans, "envs/prod", said)


def test_a_volume_that_bears_anothers_name_is_named(plans, prod):
    found = one(prod, "aws_launch_template").values["tag_specifications"]
    next(f for f in found if f["resource_type"] == "volume")["tags"]["railgate:environment"] = "dev"
    expect(plans, "envs/prod", "its volume would be nobody's")


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_a_backup_that_begins_with_the_maintenance_is_named(name, plans):
    rule = one(plans[f"envs/{name}"], "aws_backup_plan").values["rule"][0]
    rule["schedule"] = "cron(0 2 * * ? *)"
    expect(plans, f"envs/{name}", "when RDS lets none begin")


def test_an_api_server_for_everybody_is_named(plans, prod):
    doors = one(prod, "aws_eks_cluster").values["vpc_config"][0]
    doors.update(endpoint_public_access=True, public_access_cidrs=["0.0.0.0/0"])
    expect(plans, "API server is open to everybody")


def test_network_policies_that_nobody_enforces_are_named(plans, prod):
    one(prod, "aws_eks_addon", "vpc-cni").values["configuration_values"] = "{}"
    expect(plans, "network policies of gitops would do nothing")


def test_a_tag_that_can_be_moved_is_named(plans):
    one(plans["account"], "aws_ecr_repository").values["image_tag_mutability"] = "MUTABLE"
    expect(plans, "account", "a tag can be moved")


def test_one_way_out_for_three_zones_is_named_in_production_only(plans, prod):
    assert len(plans["envs/dev"].of_kind("aws_nat_gateway")) == 1
    prod.resources.remove(one(prod, "aws_nat_gateway"))
    expect(plans, "envs/prod", "a way out of each zone")


def test_a_secret_whose_value_terraform_knows_is_named(plans, prod):
    known = one(prod, "aws_secretsmanager_secret")
    prod.resources.append(type(known)(known.root, "x", "aws_secretsmanager_secret_version", {}))
    expect(plans, "puts a secret's value into the state")


# Trust and rights


def github_role(plans, environment):
    return one(plans["account"], "aws_iam_role", f'this["{environment}"]')


@pytest.mark.parametrize(
    "subject",
    [
        "repo:railgate/railgate:*",
        "repo:railgate/*:environment:prod",
        "repo:railgate/railgate:ref:*",
    ],
)
def test_a_trust_in_more_than_one_environment_is_named(subject, plans):
    role = github_role(plans, "prod-apply")
    said = statement(role, "assume_role_policy")
    said[0]["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] = subject
    written(role, said, "assume_role_policy")
    expect(plans, "prod-apply", "is no one environment")


def test_a_subject_that_is_only_likened_is_named(plans):
    role = github_role(plans, "build")
    said = statement(role, "assume_role_policy")
    said[0]["Condition"]["StringLike"] = said[0]["Condition"].pop("StringEquals")
    written(role, said, "assume_role_policy")
    expect(plans, "build", "audience")


def test_a_trust_without_an_audience_is_named(plans):
    role = github_role(plans, "dev")
    said = statement(role, "assume_role_policy")
    del said[0]["Condition"]["StringEquals"]["token.actions.githubusercontent.com:aud"]
    written(role, said, "assume_role_policy")
    expect(plans, "audience")


def test_a_trust_in_everybody_is_named(plans):
    role = github_role(plans, "dev")
    written(role, [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}],
            "assume_role_policy")  # fmt: skip
    expect(plans, "trusts everybody")


@pytest.mark.parametrize("action", ["*", "iam:*", "sts:*"])
def test_an_administrator_is_named(action, plans):
    policy = one(plans["account"], "aws_iam_role_policy", "prod-apply")
    written(policy, [{"Effect": "Allow", "Action": [action], "Resource": "*"}])
    expect(plans, "prod-apply", f"allows {action}")


def test_everything_but_something_is_named(plans):
    policy = one(plans["account"], "aws_iam_role_policy", "dev-apply")
    written(policy, [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}])
    expect(plans, "allows everything but something")


def test_an_administrators_policy_of_aws_is_named(plans, prod):
    one(prod, "aws_iam_role_policy_attachment").values["policy_arn"] = (
        "arn:aws:iam::aws:policy/AdministratorAccess"
    )
    expect(plans, "gives arn:aws:iam::aws:policy/AdministratorAccess")


@pytest.mark.parametrize(
    "action",
    [
        "s3:PutObject",
        "ec2:*",
        "iam:PassRole",
        "secretsmanager:GetSecretValue",
        "secretsmanager:Get*",
        "ssm:Get*",
        "ssm:GetParameterHistory",
        "ssm:GetParametersByPath",
    ],
)
def test_a_plan_that_does_more_than_look_is_named(action, plans):
    policy = one(plans["account"], "aws_iam_role_policy", "prod-plan")
    written(policy, [{"Effect": "Allow", "Action": action, "Resource": "*"}])
    expect(plans, "prod-plan", f"a plan does not need {action}")


@pytest.mark.parametrize(
    ("action", "place"),
    [
        ("kms:Decrypt", "*"),
        ("kms:Decrypt", "arn:aws:kms:ap-south-1:111122223333:key/*"),
        ("s3:GetObject", "arn:aws:s3:::railgate-terraform-111122223333/*"),
        ("s3:Get*", "*"),
    ],
)
def test_a_plan_that_opens_every_state_is_named(action, place, plans):
    policy = one(plans["account"], "aws_iam_role_policy", "dev-plan")
    written(policy, [{"Effect": "Allow", "Action": action, "Resource": place}])
    expect(plans, "dev-plan", f"a plan does not need {action} everywhere")


def test_a_policy_that_nobody_could_look_at_is_named(plans, prod):
    one(prod, "aws_iam_role_policy", "load_balancer_controller").values.pop("policy")
    expect(plans, "load_balancer_controller", "nobody could look at it")


def test_no_two_environments_of_github_share_a_role(plans):
    roles = [
        role
        for role in plans["account"].of_kind("aws_iam_role")
        if "WebIdentity" in role.values["assume_role_policy"]
    ]
    subjects = {statement(role, "assume_role_policy")[0]["Condition"]["StringEquals"]
                ["token.actions.githubusercontent.com:sub"] for role in roles}  # fmt: skip
    assert len(subjects) == len(roles) == 14


def test_an_apply_reads_no_secret_and_touches_no_other_environment(plans):
    policy = one(plans["account"], "aws_iam_role_policy", "dev-apply")
    denied = {one["Sid"]: one for one in statement(policy) if one["Effect"] == "Deny"}
    assert "secretsmanager:GetSecretValue" in denied["NoValues"]["Action"]
    elses = denied["NobodyElses"]["Condition"]
    assert elses["StringNotEquals"] == {"aws:ResourceTag/railgate:environment": "dev"}
    assert elses["Null"] == {"aws:ResourceTag/railgate:environment": "false"}
    assert not any("kms" in action for action in denied["NobodyElses"]["NotAction"])


def test_an_apply_has_no_power_over_the_keys_that_bear_no_environment(plans):
    release, apply = (
        one(plans["account"], "aws_iam_role_policy", f'this["{name}"]')
        for name in ("prod", "prod-apply")
    )
    (signs,) = statement(release)
    (opens,) = (s for s in statement(apply) if s["Sid"] == "SealState")
    denied = {s["Resource"]: s for s in statement(apply) if s["Effect"] == "Deny"}
    assert denied[signs["Resource"]]["Action"] == "kms:*"
    assert denied[opens["Resource"]]["NotAction"] == opens["Action"]


def test_prod_looks_at_the_role_that_it_hands_to_argo_cd(plans):
    policy = one(plans["account"], "aws_iam_role_policy", "prod-apply")
    (elses,) = (s for s in statement(policy) if s["Sid"] == "NobodyElses")
    assert {"iam:GetRole", "iam:PassRole"} <= set(elses["NotAction"])
