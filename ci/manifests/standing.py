"""
Whether an environment is what Git says and well, as Argo CD sees it, before its digest goes one
on. Asked with `kubectl` in the context in which Argo CD's Applications are; only reads.
"""

import json
import subprocess
from typing import Any

from ci.manifests.releases import Refused
from ci.manifests.rendering import kubectl

NOT_ASKED = """\
NOBODY WAS ASKED whether {source} runs {service} {digest} well: no context was given.
ARGOCD_CONTEXT=<a kubectl context in which Argo CD runs> makes this command ask."""


def application_name(environment: str, service: str) -> str:
    """As the set of services names it."""
    return f"{service}-{environment}"


def ask(context: str, environment: str, service: str) -> dict[str, Any]:
    """
    Raises:
        Refused: the cluster does not answer, or has no such Application.
    """
    name = application_name(environment, service)
    command = [kubectl() or "kubectl", "--context", context, "--namespace", "argocd"]
    command += ["get", "applications.argoproj.io", name, "--output", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        raise Refused(f"{context} did not say within a minute how {name} is.") from None
    if done.returncode != 0:
        raise Refused(f"{context} could not say how {name} is: {done.stderr.strip()}")
    return json.loads(done.stdout)


def unwell(application: dict[str, Any], digest: str) -> list[str]:
    """Why its digest should not go on; empty where nothing speaks against it."""
    status = application.get("status", {})
    sync = status.get("sync", {}).get("status", "Unknown")
    health = status.get("health", {}).get("status", "Unknown")
    phase = status.get("operationState", {}).get("phase", "Succeeded")
    images = status.get("summary", {}).get("images", [])
    found = []
    if sync != "Synced":
        found.append(f"it is {sync}")
    if health != "Healthy":
        found.append(f"it is {health}")
    if phase != "Succeeded":
        found.append(f"its last sync is {phase}")
    if not any(image.endswith(f"@{digest}") for image in images):
        found.append(f"no pod of it runs {digest[7:19]}")
    return found


def require_well(context: str, environment: str, service: str, digest: str) -> str:
    """
    Say that the digest runs well where it comes from.

    Raises:
        Refused: it does not, or the cluster could not be asked.
    """
    name = application_name(environment, service)
    if found := unwell(ask(context, environment, service), digest):
        raise Refused(f"{name} is not to be promoted: {', '.join(found)}.")
    return f"Argo CD says that {name} is synced, healthy and runs {digest[7:19]}."
