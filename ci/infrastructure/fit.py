"""
The plans beside what counts on them: the code's databases and secrets, and every name, network and
size that gitops takes for granted. Both sides are read as they are made: planned and rendered.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from ci.infrastructure.sizes import check_hours, check_sizes
from ci.infrastructure.terraform import ENVIRONMENT_TAG, Plan
from ci.manifests.code import Code
from ci.manifests.faults import Fault
from ci.manifests.rendering import ROOT, Body, Environment, Tree, name_of, render, texts

SERVICES = ROOT / "terraform" / "services.yaml"
# Network policy of gitops -> the network and the port that terraform gives the same thing.
WAYS_OUT = {"to-database": "database", "to-redis": "cache", "to-mail": "mail"}
REGISTRY = re.compile(r"^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/(.+)$")
CERTIFICATE = re.compile(r"^arn:aws:acm:([a-z0-9-]+):(\d{12}):certificate/")
NODES = ROOT / "gitops" / "nodes"
MARK = "karpenter.sh/discovery"
TAGS = "service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags"
PODS = "aws_eks_pod_identity_association"
# Add-ons of gitops that speak to AWS, and where their chart is told the service account. Left to
# itself it would make up a name from those of the release and the chart.
SPEAK_TO_AWS = {
    "external-secrets": ("serviceAccount", "name"),
    "karpenter": ("serviceAccount", "name"),
    "kyverno": ("admissionController", "rbac", "serviceAccount", "name"),
    "load-balancer-controller": ("serviceAccount", "name"),
    "monitoring": ("grafana", "serviceAccount", "name"),
}


@dataclass(frozen=True)
class Stands:
    """What stands under one program (terraform/services.yaml)."""

    database: bool
    cache: bool
    secret: bool


def read_services(path: Path = SERVICES) -> dict[str, Stands]:
    return {name: Stands(**facts) for name, facts in yaml.safe_load(path.read_text()).items()}


def check_fit(plans: dict[str, Plan], tree: Tree, code: Code) -> Iterator[Fault]:
    services = read_services()
    yield from _services(services, tree, code)
    if account := plans.get("account"):
        yield from _repositories(account, tree)
    for environment in tree.environments.values():
        plan = plans.get(f"envs/{environment.name}")
        if plan is None:
            yield Fault("every-environment", environment.name, "has no plan of its own")
            continue
        yield from _secrets(plan, environment)
        yield from _databases(plan, services)
        yield from _networks(plan, environment)
        yield from _places(plan, environment)
        yield from _certificate(plan, environment)
        yield from _balancer(plan, environment)
        yield from _add_ons(plan, tree)
        nodes = nodes_of(plan)
        yield from _nodes(plan, nodes)
        yield from _groups(plan, tree)
        yield from check_sizes(plan, environment, nodes, code)
    yield from _clusters(plans, tree)
    yield from _sales_hours(plans, tree)


def _services(services: dict[str, Stands], tree: Tree, code: Code) -> Iterator[Fault]:
    """A program in gitops without a line in services.yaml would have no repository, and so on."""
    deployed = {name for env in tree.environments.values() for name in env.folders}
    deployed -= {"foundation"}
    for name in sorted(deployed ^ set(services)):
        where = "gitops" if name in services else "terraform/services.yaml"
        yield Fault("services", name, f"is not in {where}")
    for name, known in sorted(code.services.items()):
        stands = services.get(name)
        if stands is None:
            continue
        for what, variable in (("database", "DATABASE_URL"), ("cache", "REDIS_URL")):
            if known.reads(variable) != getattr(stands, what):
                yield Fault("services", name, f"reads {variable}: {known.reads(variable)}, "
                            f"`{what}` in services.yaml is {getattr(stands, what)}")  # fmt: skip


def _repositories(account: Plan, tree: Tree) -> Iterator[Fault]:
    made = {one.values["name"] for one in account.of_kind("aws_ecr_repository")}
    for environment in tree.environments.values():
        for image in sorted(_images(environment)):
            found = REGISTRY.match(image)
            if found and found[3].partition("@")[0] not in made:
                yield Fault("repository", environment.name, f"{found[3]} is in no repository")
            if not found:
                yield Fault("repository", environment.name, f"{image} is not ours")


def _images(environment: Environment) -> set[str]:
    return {one["image"] for pod in environment.pods() for one in pod.containers}


def _secrets(plan: Plan, environment: Environment) -> Iterator[Fault]:
    made = {one.values["name"] for one in plan.of_kind("aws_secretsmanager_secret")}
    wanted = {
        entry["remoteRef"]["key"]
        for body in environment.of_kind("ExternalSecret")
        for entry in body["spec"].get("data", [])
    }
    for key in sorted(wanted - made):
        yield Fault("secret", environment.name, f"{key} is read and nobody makes it")
    for key in sorted(made - wanted):
        yield Fault("secret", plan.root, f"{key} is made and nobody reads it")


def _databases(plan: Plan, services: dict[str, Stands]) -> Iterator[Fault]:
    platform = plan.outputs["platform"]
    for what, made in (
        ("database", set(platform["database"]["databases"])),
        ("cache", set(platform["cache"]["users"])),
    ):
        wanted = {name for name, stands in services.items() if getattr(stands, what)}
        for name in sorted(made ^ wanted):
            yield Fault("services", plan.root, f"{name}: {what} made, or wanted, not both")


def _networks(plan: Plan, environment: Environment) -> Iterator[Fault]:
    networks = plan.outputs["platform"]["networks"]
    ports = _ports(plan)
    for policy, what in WAYS_OUT.items():
        body = environment.named("NetworkPolicy", policy)
        if body is None:
            yield Fault("network", environment.name, f"has no policy {policy}")
            continue
        (rule,) = body["spec"]["egress"]
        opened = [peer["ipBlock"]["cidr"] for peer in rule["to"]]
        if opened != [networks[what]]:
            said = f"{policy} opens {', '.join(opened)}, terraform has {networks[what]}"
            yield Fault("network", environment.name, said)
        if {port["port"] for port in rule["ports"]} != {ports[what]}:
            yield Fault("network", environment.name, f"{policy} opens another port than {what} has")


def _ports(plan: Plan) -> dict[str, int]:
    platform = plan.outputs["platform"]
    mail = [
        one.values["from_port"]
        for one in plan.of_kind("aws_vpc_security_group_ingress_rule")
        if ".aws_vpc_security_group_ingress_rule.mail[" in one.address
    ]
    return {
        "database": platform["database"]["port"],
        "cache": platform["cache"]["port"],
        "mail": mail[0],
    }


def _places(plan: Plan, environment: Environment) -> Iterator[Fault]:
    """The region, and the account that certificate and registry are in."""
    platform = plan.outputs["platform"]
    region, account = platform["region"], platform["account_id"]
    for body in environment.of_kind("SecretStore"):
        said = body["spec"]["provider"]["aws"]["region"]
        if said != region:
            yield Fault(
                "place", environment.where(body), f"asks in {said}, terraform is in {region}"
            )
    for body in environment.of_kind("EnvoyProxy"):
        for found in filter(None, map(CERTIFICATE.match, texts(body))):
            if (found[1], found[2]) != (region, account):
                said = f"its certificate is in {found[1]} of {found[2]}"
                yield Fault("place", environment.where(body), said)
    for image in sorted(_images(environment)):
        home = REGISTRY.match(image)
        if home and (home[2], home[1]) != (region, account):
            yield Fault("place", environment.name, f"{image} is in {home[2]} of {home[1]}")


def _certificate(plan: Plan, environment: Environment) -> Iterator[Fault]:
    for resource in plan.of_kind("aws_acm_certificate"):
        names = {resource.values["domain_name"], *resource.values["subject_alternative_names"]}
        for host in sorted(_hosts(environment)):
            if host not in names and f"*.{host.partition('.')[2]}" not in names:
                yield Fault("place", environment.name, f"no certificate is for {host}")


def _hosts(environment: Environment) -> set[str]:
    """The services' own routes take every host; people are sent to `PUBLIC_URL`."""
    routes, settings = environment.of_kind("HTTPRoute"), environment.of_kind("ConfigMap")
    named = {host for body in routes for host in body["spec"].get("hostnames", [])}
    urls = [body["data"]["PUBLIC_URL"] for body in settings if "PUBLIC_URL" in body["data"]]
    return named | {urlsplit(url).hostname or url for url in urls}


def _balancer(plan: Plan, environment: Environment) -> Iterator[Fault]:
    """A controller makes it, so no tag of terraform's reaches it."""
    wanted = f"{ENVIRONMENT_TAG}={plan.outputs['platform']['environment']}"
    for body in environment.of_kind("EnvoyProxy"):
        said = body["spec"]["provider"]["kubernetes"]["envoyService"]["annotations"].get(TAGS)
        if said != wanted:
            yield Fault("tags", environment.where(body), f"its load balancer bears {said}")


def _add_ons(plan: Plan, tree: Tree) -> Iterator[Fault]:
    """Who speaks to AWS has a role under the very name that its chart gives it; nobody is twice."""
    name = plan.outputs["platform"]["cluster"]["name"]
    roles = {(one.values["namespace"], one.values["service_account"]) for one in plan.of_kind(PODS)}
    add_ons = {element["name"]: element for element in add_ons_of(tree)}
    for add_on in sorted(set(SPEAK_TO_AWS) - set(add_ons)):
        yield Fault("role", "argocd/platform", f"there is no add-on {add_on}, which speaks to AWS")
    for add_on in sorted(set(SPEAK_TO_AWS) & set(add_ons)):
        wanted = (add_ons[add_on]["namespace"], _account_of(add_ons[add_on]))
        if wanted not in roles:
            yield Fault("role", plan.root, f"{add_on} of {name} is {wanted}, which has no role")
    for one in plan.of_kind("aws_eks_addon"):
        if one.values["addon_name"] in add_ons:
            yield Fault("twice", one.where, "is an add-on of gitops as well")


def add_ons_of(tree: Tree) -> list[dict[str, Any]]:
    lists = [generator["list"]["elements"] for generator in _generators(tree, "platform")]
    return [element for elements in lists for element in elements if "namespace" in element]


def _account_of(add_on: dict[str, Any]) -> str | None:
    found: Any = add_on["source"].get("helm", {}).get("valuesObject", {})
    for step in SPEAK_TO_AWS[add_on["name"]]:
        found = (found or {}).get(step)
    return found if isinstance(found, str) else None


def _generators(tree: Tree, name: str) -> list[dict[str, Any]]:
    (found,) = [b for b in tree.argocd if b["kind"] == "ApplicationSet" and name_of(b) == name]
    return [one for one in found["spec"]["generators"][0]["matrix"]["generators"] if "list" in one]


def nodes_of(plan: Plan) -> list[Body]:
    folder = NODES / plan.outputs["platform"]["cluster"]["name"]
    return render(folder) if folder.is_dir() else []


def _nodes(plan: Plan, nodes: list[Body]) -> Iterator[Fault]:
    """Karpenter starts nodes as the role, and in the networks, that terraform has made for it."""
    platform = plan.outputs["platform"]
    cluster = platform["cluster"]
    marked = {
        one.values["tags"].get(MARK)
        for one in plan.of_kind("aws_subnet")
        if MARK in (one.values["tags"] or {})
    } | {one.values["value"] for one in plan.of_kind("aws_ec2_tag") if one.values["key"] == MARK}
    for body in (one for one in nodes if one["kind"] == "EC2NodeClass"):
        spec = body["spec"]
        if spec["instanceProfile"] != cluster["node_profile"]:
            said = f"{spec['instanceProfile']} is no profile; {cluster['node_profile']} is"
            yield Fault("nodes", plan.root, said)
        if spec.get("tags") != {ENVIRONMENT_TAG: platform["environment"]}:
            yield Fault("tags", plan.root, f"a node of Karpenter's bears {spec.get('tags')}")
        for term in (*spec["subnetSelectorTerms"], *spec["securityGroupSelectorTerms"]):
            if {term["tags"].get(MARK)} != marked:
                yield Fault("nodes", plan.root, f"Karpenter looks for {term['tags']}")


def _groups(plan: Plan, tree: Tree) -> Iterator[Fault]:
    """A group that terraform puts somebody into may do something only if gitops says what."""
    bindings = [b for b in tree.argocd if b["kind"] in {"RoleBinding", "ClusterRoleBinding"}]
    known = {subject["name"] for body in bindings for subject in body["subjects"]}
    for one in plan.of_kind("aws_eks_access_entry"):
        for group in one.values["kubernetes_groups"] or []:
            if group not in known:
                yield Fault("role", one.where, f"{group} may do nothing (gitops/argocd/settings)")


def _sales_hours(plans: dict[str, Plan], tree: Tree) -> Iterator[Fault]:
    for body in tree.argocd:
        environment = name_of(body).removeprefix("railgate-")
        windows = body["spec"].get("syncWindows", []) if body["kind"] == "AppProject" else []
        if windows and (plan := plans.get(f"envs/{environment}")):
            yield from check_hours(plan, windows)


def _clusters(plans: dict[str, Plan], tree: Tree) -> Iterator[Fault]:
    made = {
        plan.outputs["platform"]["cluster"]["name"]
        for root, plan in plans.items()
        if root.startswith("envs/")
    }
    for name in ("services", "platform"):
        elements = [e for g in _generators(tree, name) for e in g["list"]["elements"]]
        known = {element["cluster"] for element in elements if "cluster" in element}
        for cluster in sorted(known ^ made):
            yield Fault("cluster", f"argocd/{name}", f"{cluster} is known or made, not both")
