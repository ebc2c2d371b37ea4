"""
A kubectl with a little cluster in a file: it applies what Kustomize really renders, and plays what
the Rollouts controller and Argo CD do. Every call is written down in `calls`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

HOME = Path(os.environ["FAKE_CLUSTER"])
STATE, CALLS = HOME / "state.json", HOME / "calls"
ROUNDS_TO_PROMOTE = 3


def main(words: list[str]) -> None:
    with CALLS.open("a") as calls:
        calls.write(" ".join(words) + "\n")
    state = json.loads(STATE.read_text()) if STATE.exists() else {"objects": {}, "gone": {}}
    options = dict(w.removeprefix("--").partition("=")[::2] for w in words if w.startswith("--"))
    verb, *rest = [w for w in words if not w.startswith("--")][1:]
    {"version": lambda *_: None, "get": got, "patch": patched, "apply": applied,
     "annotate": annotated, "delete": deleted}[verb](state, rest, options)  # fmt: skip
    STATE.write_text(json.dumps(state))


def applied(state: dict, _rest: list[str], options: dict[str, str]) -> None:
    rendering = [os.environ["REAL_KUBECTL"], "kustomize", options["kustomize"]]
    for body in yaml.safe_load_all(subprocess.check_output(rendering, text=True)):
        state["objects"][f"{body['kind'].lower()} {body['metadata']['name']}"] = body
        if body["kind"] == "Rollout":
            body["metadata"]["generation"] = 1
            body["status"] = {"stableRS": "v1", "currentPodHash": "v1", "rounds": 0}


def got(state: dict, rest: list[str], _options: dict[str, str]) -> None:
    kind, name = rest
    if kind == "crd":
        sys.exit(0 if name in os.environ["FAKE_KINDS"].split() else "not found")
    if kind == "rollout":
        play_controller(state, name)
    if f"{kind} {name}" in state["gone"]:
        come_back(state, f"{kind} {name}")
    print(json.dumps(state["objects"].get(f"{kind} {name}") or sys.exit("not found")))


def play_controller(state: dict, name: str) -> None:
    """A release is promoted after some rounds; one told nonsense is aborted."""
    rollout = state["objects"].get(f"rollout {name}") or sys.exit("not found")
    status, spec = rollout["status"], rollout["spec"]["template"]["spec"]
    generation = rollout["metadata"]["generation"]
    status["observedGeneration"], status["phase"] = str(generation), "Progressing"
    told = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
    is_broken = "JWKS_URL" in told and os.environ.get("FAKE_GATE") != "open"
    status["rounds"] += 1
    is_changed = generation > 1 and status["currentPodHash"] != status["stableRS"]
    status["abort"] = is_broken
    if is_changed and is_broken:
        status["phase"] = "Degraded"
    elif status["rounds"] > ROUNDS_TO_PROMOTE:
        status["phase"], status["stableRS"] = "Healthy", status["currentPodHash"]
    service = state["objects"][f"service {name}"]
    service["spec"]["selector"]["rollouts-pod-template-hash"] = status["stableRS"]


def patched(state: dict, rest: list[str], options: dict[str, str]) -> None:
    rollout = state["objects"][" ".join(rest)]
    template = json.loads(options["patch"])["spec"]["template"]
    rollout["metadata"]["generation"] += 1
    mended = template.get("spec") and "JWKS_URL" not in options["patch"]
    status = rollout["status"]
    status["currentPodHash"] = (
        status["stableRS"] if mended else f"v{rollout['metadata']['generation']}"
    )
    rollout["spec"]["template"]["spec"] |= template.get("spec", {})
    status["rounds"] = 0


def annotated(state: dict, rest: list[str], options: dict[str, str]) -> None:
    """The option without a value is the annotation that goes, or the one with it that comes."""
    state["paused"] = rest[-1].endswith("=true")


def deleted(state: dict, rest: list[str], _options: dict[str, str]) -> None:
    name = " ".join(rest)
    state["gone"][name] = state["objects"].pop(name, None) or sys.exit(f"{name} not found")


def come_back(state: dict, name: str) -> None:
    """Argo CD heals, unless it was told to leave things alone."""
    if not state.get("paused"):
        state["objects"][name] = state["gone"].pop(name)


if __name__ == "__main__":
    main(sys.argv[1:])
