"""Bandit's findings of weight fail, lesser ones are only told, and none is hidden in passing."""

import json

import pytest
from ci.pipeline import security
from ci.pipeline.gates import State

CLEAN = "def total(prices):\n    return sum(prices)\n"
WEIGHTY = "import subprocess\n\n\ndef run(name):\n    subprocess.call(name, shell=True)\n"
MINOR = "def total(prices):\n    assert prices\n    return sum(prices)\n"


@pytest.fixture
def check(repository):
    def checked(code: str):
        repository.write("pyproject.toml", "[tool.bandit]\nexclude_dirs = ['tests']\n")
        repository.write("apps/order/src/order/prices.py", code)
        return security.bandit_gate(repository.space())

    return checked


def test_a_finding_of_weight_fails_with_its_place_and_three_reports(check, repository):
    result = check(WEIGHTY)
    assert result.state == State.FAILED
    assert result.faults[0].startswith("apps/order/src/order/prices.py:5 B602")
    sarif = json.loads((repository.root / "build/bandit.sarif").read_text())
    assert [found["ruleId"] for found in sarif["runs"][0]["results"]].count("B602") == 1
    comment = (repository.root / "build/bandit.md").read_text()
    assert "| **fails** | high | high | [B602](" in comment
    assert json.loads((repository.root / "build/bandit.json").read_text())["results"]


def test_lesser_findings_are_told_and_pass(check, repository):
    result = check(MINOR)
    assert result.state == State.PASSED
    assert "1 lesser" in result.sentence
    assert "| noted | low |" in (repository.root / "build/bandit.md").read_text()


def test_clean_code_passes(check):
    assert check(CLEAN).state == State.PASSED


def test_a_mark_without_a_rule_fails(check):
    result = check(WEIGHTY.replace("shell=True)", "shell=True)  # no" + "sec"))
    assert result.state == State.FAILED
    assert any("without naming a rule" in fault for fault in result.faults)


def test_a_mark_that_names_its_rule_is_respected(check):
    result = check(WEIGHTY.replace("shell=True)", "shell=True)  # no" + "sec B602"))
    assert result.state == State.PASSED


def test_a_file_that_bandit_cannot_read_fails(check):
    assert check("def broken(:\n").state == State.FAILED
