"""
Who may do what in AWS, and who may become whom: no policy without limits, no trust without a name,
and a plan that only looks.
"""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from ci.infrastructure.terraform import Plan, Resource
from ci.manifests.faults import Fault

# AWS's own policies that would give everything, or the means to give oneself everything.
LIMITLESS = re.compile(r"/(AdministratorAccess|PowerUserAccess|IAMFullAccess)$")
SERVICES_OF_POWER = {"iam", "organizations", "sts", "*"}
POLICIES = {
    "aws_iam_policy": "policy",
    "aws_iam_role": "assume_role_policy",
    "aws_iam_role_policy": "policy",
    "aws_s3_bucket_policy": "policy",
    "aws_sns_topic_policy": "policy",
    "aws_sqs_queue_policy": "policy",
}
LOOKS = re.compile(r"^[a-z0-9-]+:(Describe|Get|List|View)\w*\*?$")
# A plan opens the state that it compares with, and no other.
PLAN_MAY_ALSO = {"kms:Decrypt"}
OPENS = {"kms:Decrypt", "s3:GetObject", "s3:GetObjectVersion"}
# These would only look like looking.
VALUES = {
    "ec2:GetPasswordData",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "ssm:GetParameterHistory",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
}
GITHUB = "token.actions.githubusercontent.com"
SUBJECT = re.compile(r"^repo:[\w.-]+/[\w.-]+:environment:[a-z][a-z-]*$")


def check_rights(plan: Plan) -> Iterator[Fault]:
    for one in plan.of_kind(*POLICIES):
        if not one.values[POLICIES[one.kind]]:
            yield Fault("rights", one.where, "nobody could look at it: its policy is not known yet")
        for statement in statements(one):
            yield from _limits(one, statement)
            yield from _trust(one, statement)
    for one in plan.of_kind("aws_iam_role_policy_attachment"):
        if LIMITLESS.search(one.values["policy_arn"] or ""):
            yield Fault("rights", one.where, f"gives {one.values['policy_arn']}")
    for one in plan.of_kind("aws_iam_role_policy"):
        if re.search(r'\["[a-z]+-plan"\]$', one.address):
            yield from _only_looks(one)


def statements(policy: Resource) -> list[dict[str, Any]]:
    text = policy.values.get(POLICIES[policy.kind])
    return _list(json.loads(text)["Statement"]) if text else []


def _limits(policy: Resource, statement: dict[str, Any]) -> Iterator[Fault]:
    if statement["Effect"] != "Allow":
        return
    if "NotAction" in statement or "NotResource" in statement or "NotPrincipal" in statement:
        yield Fault("rights", policy.where, "allows everything but something")
    for action in _list(statement.get("Action", [])):
        service, _, verb = action.partition(":")
        if verb in ("*", "") and service in SERVICES_OF_POWER:
            yield Fault("rights", policy.where, f"allows {action}")
    if "*" in _principals(statement):
        yield Fault("rights", policy.where, "trusts everybody")


def _trust(policy: Resource, statement: dict[str, Any]) -> Iterator[Fault]:
    if statement.get("Action") != "sts:AssumeRoleWithWebIdentity":
        return
    conditions = statement.get("Condition", {})
    named = conditions.get("StringEquals", {})
    audience, subject = named.get(f"{GITHUB}:aud"), named.get(f"{GITHUB}:sub")
    if set(conditions) != {"StringEquals"} or audience != "sts.amazonaws.com":
        yield Fault("trust", policy.where, "does not ask for the audience sts.amazonaws.com")
    if not isinstance(subject, str) or not SUBJECT.match(subject):
        yield Fault("trust", policy.where, f"trusts {subject}, which is no one environment")


def _only_looks(policy: Resource) -> Iterator[Fault]:
    for statement in statements(policy):
        is_anywhere = any("*" in place for place in _list(statement["Resource"]))
        for action in _list(statement["Action"]):
            if _covers(action, VALUES) or not (LOOKS.match(action) or action in PLAN_MAY_ALSO):
                yield Fault("rights", policy.where, f"a plan does not need {action}")
            if is_anywhere and _covers(action, OPENS):
                yield Fault("rights", policy.where, f"a plan does not need {action} everywhere")


def _covers(action: str, actions: set[str]) -> bool:
    """An action may be a pattern."""
    return any(fnmatchcase(one, action) for one in actions)


def _principals(statement: dict[str, Any]) -> list[str]:
    principal = statement.get("Principal", [])
    if isinstance(principal, dict):
        return [name for names in principal.values() for name in _list(names)]
    return _list(principal)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
