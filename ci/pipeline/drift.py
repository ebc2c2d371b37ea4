"""
Whether the cluster is what Git says, as Argo CD sees it: every Application synced and healthy.
Reads with `kubectl` and changes nothing; needs read access to Applications only.
"""

import json
import shutil
import sys
from typing import Any

from ci.pipeline.gates import ran

LISTED = ("get", "applications.argoproj.io", "--namespace", "argocd", "--output", "json")


def drifted(applications: list[dict[str, Any]]) -> list[str]:
    """A listing without a single Application is a fault too: nothing would be watched."""
    faults = [] if applications else ["Argo CD has no Application"]
    for application in applications:
        name = application["metadata"]["name"]
        status = application.get("status", {})
        sync = status.get("sync", {}).get("status", "Unknown")
        health = status.get("health", {}).get("status", "Unknown")
        if (sync, health) != ("Synced", "Healthy"):
            resources = [
                f"{one['kind']} {one['name']}"
                for one in status.get("resources", [])
                if one.get("status") == "OutOfSync"
            ]
            faults.append(f"{name}: {sync}, {health} {', '.join(resources)}".strip())
    return faults


def main() -> None:
    kubectl = shutil.which("kubectl")
    ended = ran(kubectl, *LISTED) if kubectl else None
    if ended is None or ended.returncode:
        why = ended.stderr.strip() if ended else "there is no kubectl here"
        sys.exit(f"NO CLUSTER WAS ASKED, so nothing is known of drift: {why}")
    applications = json.loads(ended.stdout)["items"]
    if faults := drifted(applications):
        sys.exit("Drift:\n" + "\n".join(f"  {fault}" for fault in faults))
    print(f"{len(applications)} Applications are what Git says.")


if __name__ == "__main__":
    main()
