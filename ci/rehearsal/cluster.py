"""
`make e2e-cluster`: a release, a broken release and drift, in a real cluster with Argo Rollouts,
while people buy. It takes any KUBECONFIG; where there is no cluster it says so and fails.

The cluster must run one environment of `gitops/`, reachable at --base-url. A release is another
pod template of the same image: the controller treats it like any other.
"""

import argparse
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ci.rehearsal.cluster_buyers import PURCHASE_SECONDS, SERVICES, Seen, buying

ROOT = Path(__file__).parents[2]
HASH = "rollouts-pod-template-hash"
RELEASE_SECONDS = 900.0
# Longer than progressDeadlineSeconds: a release that never turns ready is aborted by that clock.
ABORT_SECONDS = 1200.0
DRIFT_SECONDS = 300.0
# Argo CD heals itself: it would take a release back that Git does not know.
PAUSED = "argocd.argoproj.io/skip-reconcile"
OWNED = "argocd.argoproj.io/tracking-id"
ARGO_NAMESPACE = "argocd"
# Ready by its own account, and useless to every buyer: only the analysis can tell.
BROKEN = {"JWKS_URL": "http://127.0.0.1:9/none", "TICKET_URL": "http://127.0.0.1:9",
          "ORDER_URL": "http://127.0.0.1:9", "DATABASE_STATEMENT_TIMEOUT_MS": "1"}  # fmt: skip


class NoCluster(SystemExit):
    """Nothing was tried, and it must not look as if it had been."""


class ReleaseFailed(Exception):
    """The cluster did not do what a release promises."""


@dataclass(frozen=True)
class Cluster:
    namespace: str

    def kubectl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["kubectl", "--namespace", self.namespace, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise ReleaseFailed(f"kubectl {' '.join(words[:3])}: {done.stderr.strip()[-500:]}")
        return done

    def get(self, kind: str, name: str) -> dict:
        return json.loads(self.kubectl("get", kind, name, "--output=json").stdout)

    def exists(self, kind: str, name: str) -> bool:
        return self.kubectl("get", kind, name, check=False).returncode == 0

    @property
    def has_argo_cd(self) -> bool:
        return self.exists("crd", "applications.argoproj.io")

    def patch(self, name: str, body: dict) -> None:
        self.kubectl("patch", "rollout", name, "--type=merge", f"--patch={json.dumps(body)}")


def demand_kubectl(cluster: Cluster) -> None:
    """
    Raises:
        NoCluster: with what is missing and how to get it.
    """
    if shutil.which("kubectl") is None:
        raise NoCluster("NOTHING WAS TRIED: kubectl is not on this machine.")
    if "KUBECONFIG" not in os.environ and not (Path.home() / ".kube" / "config").exists():
        raise NoCluster(
            "NOTHING WAS TRIED: there is no cluster. Set KUBECONFIG to one, say of `kind create"
            " cluster`, with Argo Rollouts and one environment of gitops/ in it."
        )
    answered = cluster.kubectl("version", "--request-timeout=10s", check=False)
    if answered.returncode:
        raise NoCluster(f"NOTHING WAS TRIED: the cluster does not answer:\n{answered.stderr}")
    if not cluster.exists("crd", "rollouts.argoproj.io"):
        raise NoCluster("NOTHING WAS TRIED: the cluster has no Argo Rollouts.")


def demand_release(cluster: Cluster, service: str) -> None:
    """
    Raises:
        NoCluster: there is nothing that a release could be made of.
    """
    if not cluster.exists("rollout", service):
        raise NoCluster(
            f"NOTHING WAS TRIED: {cluster.namespace} has no Rollout {service}: use --apply, or let"
            " Argo CD bring the environment."
        )
    owned = OWNED in cluster.get("rollout", service)["metadata"].get("annotations", {})
    if owned and not cluster.has_argo_cd:
        raise NoCluster(
            f"NOTHING WAS TRIED: an Argo CD in another cluster owns {service} and would take the"
            f" release back. Try a cluster of your own with --apply."
        )


@contextlib.contextmanager
def paused(cluster: Cluster, service: str) -> Iterator[None]:
    """Argo CD, where there is one, leaves the service alone during the block."""
    if not cluster.has_argo_cd:
        yield
        return
    application = f"{service}-{cluster.namespace.removeprefix('railgate-')}"
    told = Cluster(ARGO_NAMESPACE)
    told.kubectl("annotate", "application", application, "--overwrite", f"{PAUSED}=true")
    try:
        yield
    finally:
        told.kubectl("annotate", "application", application, f"{PAUSED}-")


def stable_hash(rollout: dict) -> str:
    return rollout.get("status", {}).get("stableRS", "")


def is_settled(rollout: dict) -> bool:
    """Healthy, and the controller has seen the newest wish."""
    status = rollout.get("status", {})
    seen = str(status.get("observedGeneration", ""))
    is_seen = seen == str(rollout["metadata"].get("generation", ""))
    return is_seen and status.get("phase") == "Healthy"


def is_promoted(rollout: dict, before: str) -> bool:
    now = stable_hash(rollout)
    is_current = rollout.get("status", {}).get("currentPodHash") == now
    return is_settled(rollout) and is_current and now != before


def is_aborted(rollout: dict) -> bool:
    return rollout.get("status", {}).get("abort") is True


def active_hash(service: dict) -> str:
    return service["spec"]["selector"].get(HASH, "")


def settings_name(rollout: dict) -> str:
    """Its name ends in a hash of what it says, so that it is another one with every change."""
    (container, *_) = rollout["spec"]["template"]["spec"]["containers"]
    return next(
        one["configMapRef"]["name"] for one in container["envFrom"] if "configMapRef" in one
    )


def release_patch(name: str) -> dict:
    annotations = {"railgate.example/rehearsed": name}
    return {"spec": {"template": {"metadata": {"annotations": annotations}}}}


def broken_patch(rollout: dict) -> dict:
    """A merge replaces lists whole, so the container is taken as it is and told the nonsense."""
    containers = json.loads(json.dumps(rollout["spec"]["template"]["spec"]["containers"]))
    kept = [one for one in containers[0].get("env", []) if one["name"] not in BROKEN]
    told = [{"name": name, "value": value} for name, value in BROKEN.items()]
    containers[0]["env"] = kept + told
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def mended_patch(rollout: dict) -> dict:
    template = rollout["spec"]["template"]
    return {"spec": {"template": {"spec": {"containers": template["spec"]["containers"]}}}}


class Acts:
    """Each act gives its line of the table, and notes what went wrong with the release itself."""

    def __init__(self, cluster: Cluster, service: str, seen: Seen) -> None:
        self.cluster, self.service, self.seen = cluster, service, seen
        self.faults: list[str] = []
        self.lines: list[str] = []

    def act(self, name: str, play: Callable[[], str]) -> None:
        start = time.monotonic()
        try:
            said = play()
        except ReleaseFailed as error:
            said = f"FAILED: {error}"
            self.faults.append(f"{name}: {error}")
        asked, failed, slowest = self.seen.since(start)
        took = time.monotonic() - start
        line = f"{name:<18} {took:6.0f} s {asked:>7} asked {failed:>4} failed"
        self.lines.append(f"{line} {slowest * 1000:7.0f} ms  {said}")
        print(self.lines[-1], flush=True)

    def release(self) -> str:
        before = stable_hash(self._rollout())
        self.cluster.patch(self.service, release_patch(uuid.uuid4().hex))
        self._rollout_until(lambda now: is_promoted(now, before), RELEASE_SECONDS, "promoted")
        return f"{before} -> {stable_hash(self._rollout())}"

    def release_broken(self) -> str:
        """It must be aborted, and nobody may have been sent to it."""
        good = self._rollout()
        before = stable_hash(good)
        try:
            self.cluster.patch(self.service, broken_patch(good))
            self._rollout_until(self._aborted_and_watched(before), ABORT_SECONDS, "aborted")
        finally:
            self.cluster.patch(self.service, mended_patch(good))
        self._rollout_until(is_settled, RELEASE_SECONDS, "healthy again")
        return f"aborted, {before} served all the time"

    def heal_drift(self) -> str:
        if not self.cluster.has_argo_cd:
            return "NOT TRIED: there is no Argo CD in this cluster"
        name = settings_name(self._rollout())
        self.cluster.kubectl("delete", "configmap", name)
        is_back = functools.partial(self.cluster.exists, "configmap", name)
        self._until(is_back, DRIFT_SECONDS, f"{name} did not come back")
        return f"the deleted ConfigMap {name} is back"

    def settle(self) -> str:
        """What --apply has brought needs its images, its migrations and its secrets first."""
        for service in SERVICES:
            self._until(
                lambda one=service: is_settled(self.cluster.get("rollout", one)),
                RELEASE_SECONDS,
                f"{service} did not turn healthy",
            )
        return "every service is healthy"

    def _aborted_and_watched(self, before: str) -> Callable[[dict], bool]:
        def look(now: dict) -> bool:
            active = active_hash(self.cluster.get("service", self.service))
            if active != before:
                raise ReleaseFailed(f"the broken release {active} was promoted")
            return is_aborted(now)

        return look

    def _rollout(self) -> dict:
        return self.cluster.get("rollout", self.service)

    def _rollout_until(self, is_so: Callable[[dict], bool], seconds: float, what: str) -> None:
        self._until(lambda: is_so(self._rollout()), seconds, f"{self.service} was not {what}")

    @staticmethod
    def _until(is_so: Callable[[], bool], seconds: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                raise ReleaseFailed(f"{otherwise} in {seconds:.0f} s")
            time.sleep(1.0)


def apply_environment(cluster: Cluster, environment: str) -> None:
    """Client-side, since a server-side one would take the Rollout's hash out of the selectors."""
    for name in ("foundation", *SERVICES, "sandbox"):
        folder = ROOT / "gitops" / "envs" / environment / name
        if folder.exists():
            cluster.kubectl("apply", f"--kustomize={folder}")


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make e2e-cluster", description=__doc__)
    parser.add_argument("--environment", default="dev", help="a folder of gitops/envs")
    parser.add_argument("--service", choices=SERVICES, default="order")
    parser.add_argument("--base-url", default=os.environ.get("BASE_URL", ""))
    parser.add_argument("--provider-url", default="", help="the sandbox; without it nobody pays")
    parser.add_argument(
        "--every-seconds", type=float, default=PURCHASE_SECONDS, help="between two purchases"
    )
    parser.add_argument("--apply", action="store_true", help="kubectl apply the environment first")
    options = parser.parse_args(words)
    cluster = Cluster(f"railgate-{options.environment}")
    demand_kubectl(cluster)
    if options.apply:
        apply_environment(cluster, options.environment)
    demand_release(cluster, options.service)
    if not options.base_url or "ACCOUNT_PASSWORD" not in os.environ:
        raise NoCluster(
            "NOTHING WAS TRIED: buyers need --base-url, and the ACCOUNT_PASSWORD of the smoke"
            " accounts (Secret smoke-account)."
        )
    seen = Seen()
    acts = Acts(cluster, options.service, seen)
    acts.act("before", acts.settle)
    if not acts.faults:
        with buying(options.base_url, options.provider_url, options.every_seconds, seen):
            with paused(cluster, options.service):
                acts.act("release", acts.release)
                acts.act("broken release", acts.release_broken)
            acts.act("drift", acts.heal_drift)
        acts.faults += seen.faults()
    print("\n".join(f"FAILED: {fault}" for fault in acts.faults) or "Passed: nobody noticed.")
    return 1 if acts.faults else 0


if __name__ == "__main__":
    sys.exit(main())
