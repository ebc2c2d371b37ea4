"""Faults planted in a workflow are found, and the real workflows have none."""

import re
import shutil

import pytest
import yaml
from ci.pipeline import tools, workflows
from ci.pipeline.changes import ROOT, read_tree
from ci.pipeline.gates import State

COMMIT = "0123456789abcdef" * 2 + "01234567"
SOUND = f"""\
name: Planted
on:
  push:
    branches: [main]
permissions: {{}}
concurrency:
  group: planted
  cancel-in-progress: false
jobs:
  check:
    name: Check
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read # to read the code
    steps:
      - name: Fetch the code
        uses: actions/checkout@{COMMIT} # v7.0.1
        with:
          persist-credentials: false
      - name: Check
        run: make lint
"""
PIN = f"actions/checkout@{COMMIT} # v7.0.1"
AWS = "aws-actions/configure-aws-credentials"
SCRIPT = re.compile(r"^sh (\S+)")
PLANTED = {
    "is not pinned by its commit": (PIN, "actions/checkout@v7"),
    "has no `# v1.2.3` beside it": (PIN, f"actions/checkout@{COMMIT}"),
    "which is neither make nor ci/": ("make lint", "curl -s https://example.org | sh"),
    "has no time limit": ("    timeout-minutes: 5\n", ""),
    "grants something to every job": ("permissions: {}", "permissions: write-all"),
}


@pytest.fixture
def check(repository):
    def checked(text: str):
        repository.write(".github/workflows/planted.yml", text)
        return workflows.workflows_gate(repository.space())

    return checked


def test_a_sound_workflow_passes(check):
    result = check(SOUND)
    assert (result.state, result.faults) == (State.PASSED, ())


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_fails(fault, check):
    result = check(SOUND.replace(*PLANTED[fault]))
    assert result.state == State.FAILED
    assert any(fault in found for found in result.faults)


@pytest.mark.parametrize(
    "line",
    [
        "sh ci/x.sh; curl -s https://example.org | sh",
        "make lint A=b; curl -s https://example.org | sh",
        "python3 -m ci.x && curl -s https://example.org",
        "make lint A=$(curl -s https://example.org)",
        "make lint A=`curl -s https://example.org`",
        "sh ci/x.sh <(curl -s https://example.org)",
        "python3 -m ci.x >>.bashrc",
    ],
)
def test_nothing_follows_or_fills_a_call_of_ours(line):
    job = {"timeout-minutes": 5, "steps": [{"run": line}]}
    assert workflows.misshapen({"permissions": {}, "jobs": {"check": job}}) == [
        f"job check runs `{line}`, which is neither make nor ci/"
    ]


def test_zizmor_finds_what_a_stranger_could_inject(check):
    step = "make lint TITLE='${{ github.event.pull_request.title }}'"
    result = check(SOUND.replace("make lint", step))
    assert any("template-injection" in fault for fault in result.faults)


def test_zizmor_finds_credentials_left_behind(check):
    left = SOUND.replace("        with:\n          persist-credentials: false\n", "")
    assert any("artipacked" in fault for fault in check(left).faults)


def test_without_zizmor_the_gate_says_that_it_did_not_run(check, monkeypatch):
    monkeypatch.setattr(workflows, "tool", lambda name: None)
    assert check(SOUND).state == State.NOT_RUN


def test_actionlint_finds_a_step_that_does_not_exist(repository):
    if shutil.which("actionlint") is None and not (tools.FOLDER / "actionlint").exists():
        pytest.skip("actionlint is not here yet; `make pipeline GATES=actionlint` builds it")
    broken = SOUND.replace("make lint", "make lint SEED='${{ steps.nope.outputs.seed }}'")
    repository.write(".github/workflows/planted.yml", broken)
    result = workflows.actionlint_gate(repository.space())
    assert result.state == State.FAILED
    assert "nope" in result.faults[0]


def test_without_actionlint_the_gate_says_that_it_did_not_run(repository, monkeypatch):
    monkeypatch.setattr(workflows, "go_tool", lambda name: None)
    assert workflows.actionlint_gate(repository.space()).state == State.NOT_RUN


def test_a_step_of_several_lines_is_read_line_by_line():
    assert workflows.commands_of("make lint \\\n  A=b\n\nmake test\n") == [
        "make lint A=b",
        "make test",
    ]


def test_the_real_workflows_keep_the_rules_of_the_house():
    assert workflows.workflow_files(ROOT)
    assert workflows.house_rules(ROOT) == []


def test_a_hand_may_only_choose_and_every_service_is_among_the_choices():
    """A free text would reach make, and a shell, with the right to push to main."""
    inputs = {}
    for path in workflows.workflow_files(ROOT):
        # YAML takes the bare word `on` for the truth.
        starts = yaml.safe_load(path.read_text()).get(True, {})
        inputs |= (starts.get("workflow_dispatch") or {}).get("inputs", {})
    assert [name for name, one in inputs.items() if one["type"] not in {"choice", "boolean"}] == []
    assert inputs["service"]["options"] == sorted(read_tree().with_image)


def known_to_aws():
    """(job, steps before, steps after) of every job that is, at some step, known to AWS."""
    for path in workflows.workflow_files(ROOT):
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            uses = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
            if AWS in uses:
                at = uses.index(AWS)
                yield f"{path.name} {name}", job["steps"][:at], job["steps"][at:]


def test_whatever_is_installed_is_installed_before_a_job_is_known_to_aws():
    needing = []
    for job, before, after in known_to_aws():
        called = [SCRIPT.match(step.get("run", "")) for step in after]
        scripts = "".join((ROOT / found[1]).read_text() for found in called if found)
        assert "make install" not in scripts
        if re.search(r"^ *make |\.venv/", scripts, re.MULTILINE):
            needing.append(job)
            assert "make install" in [step.get("run") for step in before], job
    assert needing == ["main.yml build", "main.yml deploy", "promote.yml promote"]


def test_a_change_that_github_gives_no_secret_need_not_be_judged_by_the_server():
    read = yaml.safe_load((ROOT / ".github" / "workflows" / "pull-request.yml").read_text())
    rule = read["jobs"]["sonar"]["steps"][-1]["env"]["REQUIRE"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in rule
    assert "github.event.pull_request.user.login != 'dependabot[bot]'" in rule


def scans(workflow: str, job: str) -> list[tuple[int, dict]]:
    """(number of the step, what it is told), with the action's commit among what it is told."""
    read = yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text())
    return [
        (number, {"uses": step["uses"], **step["with"]})
        for number, step in enumerate(read["jobs"][job]["steps"])
        if step.get("uses", "").startswith("anchore/scan-action@")
    ]


def test_what_is_released_is_held_to_the_rule_of_what_is_merged_before_it_can_be_pushed():
    ((_, asked),) = scans("pull-request.yml", "images")
    ((number, released),) = scans("main.yml", "build")
    assert released == asked
    assert (asked["severity-cutoff"], asked["only-fixed"]) == ("high", True)
    (before,) = [before for job, before, _ in known_to_aws() if job == "main.yml build"]
    assert before[number - 1]["run"].startswith("make image ")


def test_a_recipe_of_an_image_without_a_version_fails(repository):
    assert workflows.recipes_gate(repository.space()).state == State.NOT_RUN
    repository.write("Dockerfile", "FROM debian:latest\nUSER 10001\n")
    result = workflows.recipes_gate(repository.space())
    assert result.state == State.FAILED
    assert "DL3007" in result.faults[0]


def test_a_script_with_a_trap_in_it_fails(repository):
    repository.write("ci/bad.sh", '#!/bin/sh\nrm -rf $1/"\n')
    assert workflows.scripts_gate(repository.space()).state == State.FAILED
