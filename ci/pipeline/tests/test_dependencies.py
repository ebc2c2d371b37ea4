"""Advisories, parts list and licences: what was not asked is never called good."""

import json
import stat
from datetime import date

import pytest
from ci.pipeline import dependencies, licences
from ci.pipeline.gates import State

LOCK = "flask==3.1.3 \\\n    --hash=sha256:" + "a" * 64 + "\ncelery==5.5.0 ; sys_platform\n"


def package(name: str, version: str = "1.0", **more):
    return {"name": name, "version": version, "vulns": [], **more}


@pytest.fixture
def pip_audit(tmp_path, monkeypatch):
    """A program in pip-audit's place that says the same of every list."""

    def says(report) -> None:
        program = tmp_path / "pip-audit"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(report)}\nEND\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(dependencies, "tool", lambda name: str(program))

    return says


def test_an_audit_that_reached_no_advisory_did_not_run(repository, pip_audit):
    pip_audit({"dependencies": [{"name": "jinja2", "skip_reason": "could not be audited"}]})
    result = dependencies.audit_gate(repository.space())
    assert result.state == State.NOT_RUN
    assert result.sentence.startswith("NO ADVISORY WAS READ")


def test_an_advisory_against_a_locked_package_fails(repository, pip_audit):
    pip_audit(
        {"dependencies": [package("flask", vulns=[{"id": "PYSEC-2026-1"}]), package("celery")]}
    )
    for lock in dependencies.LOCKS:
        repository.write(lock, LOCK)
    result = dependencies.audit_gate(repository.space())
    assert (result.state, result.faults) == (State.FAILED, ("flask 1.0: PYSEC-2026-1",))


def test_skipped_and_forgotten_packages_fail():
    report = {"dependencies": [{"name": "flask", "skip_reason": "not found"}]}
    result = dependencies.verdict(report, {}, LOCK)
    assert result.faults == ("flask: not found", "celery: is locked and was not asked about")


def test_an_advisory_is_ignored_with_a_reason_until_its_day(tmp_path):
    path = tmp_path / "ignored.toml"
    path.write_text('[[ignored]]\nadvisory = "X"\nwhy = "not used"\nuntil = 2026-12-31\n')
    assert dependencies.read_ignored(path, date(2026, 12, 31)) == {"X": "not used"}
    assert dependencies.read_ignored(path, date(2027, 1, 1)) == {}


def test_the_parts_list_names_every_package_with_its_hashes(repository):
    repository.write("apps/requirements.txt", LOCK.split("celery", maxsplit=1)[0])
    assert dependencies.sbom_gate(repository.space()).state == State.PASSED
    parts = json.loads((repository.root / "build/sbom.cdx.json").read_text())
    assert [part["purl"] for part in parts["components"]] == ["pkg:pypi/flask@3.1.3"]
    assert parts["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]


def test_a_package_locked_without_a_hash_fails(repository):
    repository.write("apps/requirements.txt", LOCK)
    assert dependencies.sbom_gate(repository.space()).faults == ("celery",)


RULES = {"taken": ["MIT", "Apache-2.0", "BSD-3-Clause"], "exceptions": {}}


@pytest.mark.parametrize(
    "licence",
    ["AGPL-3.0-only", "BUSL-1.1", "MIT AND GPL-2.0-only", "", "Own terms, see file", "(MIT"],
)
def test_a_licence_that_is_not_taken_fails(licence, tmp_path):
    result = licences.verdict({"newcomer": ("1.0", licence)}, RULES, tmp_path)
    assert result.state == State.FAILED
    assert result.faults[0].startswith("newcomer 1.0: ")


@pytest.mark.parametrize(
    "licence",
    ["MIT", "Apache-2.0 OR GPL-3.0-only", "MIT AND (GPL-2.0-only OR BSD-3-Clause)"],
)
def test_a_licence_that_leaves_a_way_to_take_it_passes(licence, tmp_path):
    assert licences.verdict({"x": ("1", licence)}, RULES, tmp_path).state == State.PASSED


def test_an_exception_that_nothing_needs_fails(tmp_path):
    rules = RULES | {"exceptions": {"gone": "was needed once"}}
    assert licences.verdict({"x": ("1", "MIT")}, rules, tmp_path).state == State.FAILED


def test_old_words_of_a_licence_are_understood():
    assert licences.licence_of("flask-smorest") == "MIT"
    assert licences.licence_of("jinja2") == "BSD-3-Clause"
