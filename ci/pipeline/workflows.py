"""
The workflows themselves: zizmor and actionlint, and two rules of the house that no linter knows: an
action is pinned by its commit with its version beside it, and a step runs `make` or `ci/` only.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from ci.pipeline.changes import git
from ci.pipeline.gates import Result, Workspace, failed, judged, not_run, ran, tool
from ci.pipeline.tools import go_tool

FOLDER = ".github"
USES = re.compile(r"^\s*(?:-\s+)?uses:\s*(\S+)(.*)$")
PINNED = re.compile(r"@[0-9a-f]{40}$")
VERSION = re.compile(r"^\s+# v\d+\.\d+\.\d+\s*$")
CALLS = re.compile(r"^(make( -\S+)*( [\w-]+| [A-Z_]+=.+)+|(python3 -m ci\.|sh ci/|ci/)[\w./-]+.*)$")
# With these a line says more than the one call that it begins with.
BEYOND_A_CALL = re.compile(r"[;|&`<>]|\$\(")
# Nothing by default, then what each job needs.
NO_PERMISSIONS: dict[str, str] = {}
ZIZMOR_FOUND = range(10, 20)


def workflows_gate(space: Workspace) -> Result:
    faults = house_rules(space.root)
    zizmor = tool("zizmor")
    if zizmor is None:
        return judged(faults, "", "faults") if faults else not_run("There is no zizmor here.")
    ended = ran(
        zizmor, "--offline", "--no-progress", "--color=never", "--format=plain",
        "--persona=pedantic", FOLDER, cwd=space.root,
    )  # fmt: skip
    space.build.mkdir(exist_ok=True)
    (space.build / "zizmor.txt").write_text(ended.stdout + ended.stderr)
    if ended.returncode != 0:
        named = re.findall(r"^(?:error|warning|help|info)\[.*$", ended.stdout, re.MULTILINE)
        places = re.findall(r"-->\s+(\S+)", ended.stdout)
        told = [f"{what} {where}" for what, where in zip(named, places, strict=False)]
        faults += told or [f"zizmor broke off: {ended.stderr.strip()[-300:]}"]
    count = len(workflow_files(space.root))
    return judged(faults, f"{count} files: zizmor (pedantic, offline) and house rules", "faults")


def workflow_files(root: Path) -> list[Path]:
    return sorted(
        [*root.glob(f"{FOLDER}/workflows/*.y*ml"), *root.glob(f"{FOLDER}/actions/**/*.y*ml")]
    )


def house_rules(root: Path) -> list[str]:
    faults = []
    for path in workflow_files(root):
        name, text = path.relative_to(root).as_posix(), path.read_text()
        faults += [f"{name}:{line} {what}" for line, what in unpinned(text)]
        faults += [f"{name} {what}" for what in misshapen(yaml.safe_load(text))]
    return faults


def unpinned(text: str) -> list[tuple[int, str]]:
    """(line, fault) of actions that a moved tag could replace."""
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        if (used := USES.match(line)) and not used[1].startswith("./"):
            if not PINNED.search(used[1]):
                faults.append((number, f"{used[1]} is not pinned by its commit"))
            elif not VERSION.match(used[2]):
                faults.append((number, f"{used[1]} has no `# v1.2.3` beside it"))
    return faults


def misshapen(workflow: dict[str, Any]) -> list[str]:
    """Of a workflow, not of a composite action, permissions and time limits are asked."""
    faults = []
    if "jobs" in workflow and workflow.get("permissions") != NO_PERMISSIONS:
        faults.append("grants something to every job; say `permissions: {}`")
    jobs = workflow.get("jobs") or {"the action": workflow.get("runs", {})}
    for name, job in jobs.items():
        if "jobs" in workflow and "uses" not in job and "timeout-minutes" not in job:
            faults.append(f"job {name} has no time limit")
        for step in job.get("steps", []):
            faults += [
                f"job {name} runs `{line}`, which is neither make nor ci/"
                for line in commands_of(step.get("run", ""))
                if not CALLS.match(line) or BEYOND_A_CALL.search(line)
            ]
    return faults


def commands_of(script: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", script)
    return [line.strip() for line in joined.splitlines() if line.strip()]


def actionlint_gate(space: Workspace) -> Result:
    program = go_tool("actionlint")
    if program is None:
        return not_run("NO ACTIONLINT: neither the program nor a Go to build it with is here.")
    files = [str(path) for path in workflow_files(space.root) if path.parent.name == "workflows"]
    shellcheck = tool("shellcheck") or ""
    ended = ran(program, "-no-color", "-oneline", "-shellcheck", shellcheck, *files, cwd=space.root)
    if ended.returncode > 1:
        return failed("actionlint broke off", ended.stderr.splitlines()[-5:])
    return judged(ended.stdout.splitlines(), f"{len(files)} workflows", "faults")


def scripts_gate(space: Workspace) -> Result:
    return _linted(space, "shellcheck", ("--format=gcc", "--severity=warning"), ("*.sh",))


def recipes_gate(space: Workspace) -> Result:
    arguments = ("--no-color", "--failure-threshold=warning", "--format=tty")
    return _linted(space, "hadolint", arguments, ("*Dockerfile*", "*Containerfile*"))


def _linted(
    space: Workspace, name: str, arguments: tuple[str, ...], patterns: tuple[str, ...]
) -> Result:
    if (linter := tool(name)) is None:
        return not_run(f"There is no {name} here.")
    listed = git(
        "ls-files", "--cached", "--others", "--exclude-standard", *patterns, root=space.root
    )
    files = [path for path in listed.splitlines() if (space.root / path).is_file()]
    if not files:
        return not_run(f"There is nothing for {name} to read.")
    ended = ran(linter, *arguments, *files, cwd=space.root)
    said = (ended.stdout + ended.stderr).splitlines() if ended.returncode else []
    return judged(said, f"{len(files)} files, {name}", "faults")
