"""
Whether what is rented is enough for what gitops allows: nodes for the quota of the namespace, and
connections for every pool of blue and green at their largest.
"""

from collections.abc import Iterator

from ci.infrastructure.terraform import Plan
from ci.manifests.code import Code
from ci.manifests.edges import RUNNING
from ci.manifests.faults import Fault
from ci.manifests.fit import given_to
from ci.manifests.rendering import Body, Environment, PodTemplate, cpu, name_of, seconds

# vCPU of the sizes of every family that is used here.
CPUS = {"large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16}
# Of a node: what the kubelet keeps for itself, and the agents that run on each.
TAKEN_CPU = 0.5
# Envoy, Prometheus and the controllers at their least, beside the services' namespace.
OTHERS_CPU = 3
# PostgreSQL keeps some for its own, and people look in.
KEPT_CONNECTIONS = 20
# The master, monitoring and a migration of each service.
SPARE_CONNECTIONS = 20


def check_sizes(
    plan: Plan, environment: Environment, nodes: list[Body], code: Code
) -> Iterator[Fault]:
    """`nodes` is what Karpenter may rent beside the managed group (gitops/nodes/<cluster>)."""
    yield from _nodes(plan, environment, nodes)
    yield from _connections(plan, environment, code)
    yield from _versions(plan, environment)


def _nodes(plan: Plan, environment: Environment, nodes: list[Body]) -> Iterator[Fault]:
    pools = [body for body in nodes if body["kind"] == "NodePool"]
    beyond = sum(cpu(pool["spec"]["limits"]["cpu"]) for pool in pools)
    for group in plan.of_kind("aws_eks_node_group"):
        each = min(CPUS[kind.partition(".")[2]] for kind in group.values["instance_types"])
        scaling = group.values["scaling_config"][0]
        floor = scaling["min_size"] * (each - TAKEN_CPU)
        least = floor_cpu(environment) + OTHERS_CPU
        if floor < least:
            yield Fault("size", group.where, f"{floor:g} CPU at least, {least:g} are asked for")
        most = quota_cpu(environment) + OTHERS_CPU
        if floor + beyond < most:
            said = f"{floor + beyond:g} CPU at most, {most:g} may be asked for"
            yield Fault("size", group.where, said)


def quota_cpu(environment: Environment) -> float:
    quota = environment.of_kind("ResourceQuota")[0]
    return cpu(str(quota["spec"]["hard"]["requests.cpu"]))


def floor_cpu(environment: Environment) -> float:
    """What the smallest number of pods asks for."""
    least = sum(
        scaler["spec"]["minReplicas"] * _asked(environment, name_of(scaler))
        for scaler in environment.of_kind("HorizontalPodAutoscaler")
    )
    workers = environment.of_kind("Deployment")
    return least + sum(body["spec"].get("replicas", 1) * _cpu_of(body) for body in workers)


def _asked(environment: Environment, service: str) -> float:
    rollout = environment.named("Rollout", service)
    return _cpu_of(rollout) if rollout else 0.0


def _cpu_of(body: Body) -> float:
    containers = body["spec"]["template"]["spec"]["containers"]
    return sum(cpu(one["resources"]["requests"]["cpu"]) for one in containers)


def check_hours(plan: Plan, windows: list[Body]) -> Iterator[Fault]:
    """`windows` are the hours in which nothing is released; the nodes stand ready by then."""
    clock = [
        (_minute(one.values["recurrence"]), one.values["scheduled_action_name"].split("-")[0])
        for one in plan.of_kind("aws_autoscaling_schedule")
    ]
    for window in (one for one in windows if one["kind"] == "deny"):
        begins = _minute(window["schedule"])
        ends = begins + seconds(window["duration"]) // 60
        before = max((at for at in clock if at[0] <= begins), default=(0, "calm"))
        during = [name for minute, name in clock if begins < minute < ends]
        if before[1] != "rush" or "calm" in during:
            said = f"at {window['schedule']} sales open, and no more nodes stand ready"
            yield Fault("hours", plan.root, said)


def _minute(schedule: str) -> int:
    """Of the day; both sides speak of Dhaka."""
    minute, hour, *_ = schedule.split()
    return int(hour) * 60 + int(minute)


def _connections(plan: Plan, environment: Environment, code: Code) -> Iterator[Fault]:
    for group in plan.of_kind("aws_db_parameter_group"):
        parameters = {one["name"]: one["value"] for one in group.values["parameter"]}
        allowed = int(parameters["max_connections"]) - KEPT_CONNECTIONS
        wanted = most_connections(environment, code)
        if allowed < wanted:
            yield Fault("size", group.where, f"{allowed} connections, {wanted} may be asked for")


def most_connections(environment: Environment, code: Code) -> int:
    """A thread holds one connection at a time, and each pool keeps what all of them once held."""
    most = SPARE_CONNECTIONS
    for pod in environment.pods():
        service = code.services.get(pod.service)
        if service is None or not service.reads("DATABASE_URL") or pod.part not in RUNNING:
            continue
        given = {one.variable: one.default for one in service.settings} | given_to(environment, pod)
        of_a_pool = int(given["DATABASE_POOL_SIZE"] or 0) + code.overflow
        if pod.part == "web":
            held = service.pools * min(int(given["WEB_THREADS"] or 0), of_a_pool)
            held *= int(given["WEB_WORKERS"] or 0)
        else:
            # What the outbox does runs by itself, beside the loop's own transactions.
            held = 2 * min(service.loops, of_a_pool)
        most += held * _pods_at_most(environment, pod)
    return most


def _pods_at_most(environment: Environment, pod: PodTemplate) -> int:
    """Of a web part blue and green."""
    scaler = environment.named("HorizontalPodAutoscaler", pod.name)
    body = environment.named(pod.kind, pod.name) or {"spec": {}}
    if scaler is None:
        return int(body["spec"].get("replicas", 1))
    most = int(scaler["spec"]["maxReplicas"])
    return most + int(body["spec"]["strategy"]["blueGreen"].get("previewReplicaCount", most))


def _versions(plan: Plan, environment: Environment) -> Iterator[Fault]:
    namespace = environment.of_kind("Namespace")[0]
    enforced = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce-version"]
    for cluster in plan.of_kind("aws_eks_cluster"):
        if f"v{cluster.values['version']}" != enforced:
            yield Fault("version", cluster.where, f"pods are judged by the rules of {enforced}")
