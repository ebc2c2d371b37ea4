"""Where schemas come from, and how loudly it is said when there are none."""

import json

import pytest
from ci.manifests.__main__ import main
from ci.manifests.schemas import check_schemas, folders


@pytest.fixture
def no_schemas(monkeypatch, tmp_path):
    monkeypatch.setenv("SCHEMAS", str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ALLOW_NO_SCHEMAS", raising=False)


def kubeconform(folder, answer):
    """A stand-in for the program, which answers the same whatever it is asked."""
    program = folder / "kubeconform"
    program.write_text(
        f"#!/bin/sh\nwhile read -r _; do :; done\nprintf '%s' '{json.dumps(answer)}'\n"
    )
    program.chmod(0o755)


def test_only_the_folders_that_were_named_are_looked_into(monkeypatch, tmp_path):
    monkeypatch.delenv("SCHEMAS", raising=False)
    assert folders() == []
    monkeypatch.setenv("SCHEMAS", f"{tmp_path}:{tmp_path / 'nothing'}")
    assert folders() == [tmp_path]


def test_without_schemas_the_check_fails_loudly(tree, no_schemas):
    against, faults = check_schemas(tree)
    assert "SCHEMAS WERE NOT CHECKED" in against
    assert len(faults) == 1


def test_without_schemas_it_passes_only_when_told_so_and_still_loudly(
    tree, no_schemas, monkeypatch
):
    monkeypatch.setenv("ALLOW_NO_SCHEMAS", "1")
    against, faults = check_schemas(tree)
    assert "SCHEMAS WERE NOT CHECKED" in against
    assert faults == []


def test_kubeconform_is_used_where_there_is_no_folder(tree, no_schemas, tmp_path):
    broken = {"kind": "Rollout", "name": "order", "msg": "additional property"}
    kubeconform(tmp_path, {"resources": [broken]})
    against, faults = check_schemas(tree)
    assert "kubeconform" in against
    assert [str(fault) for fault in faults] == ["Rollout order: additional property [schema]"]


def test_a_kubeconform_that_fails_is_no_good_news(tree, no_schemas, tmp_path):
    program = tmp_path / "kubeconform"
    program.write_text("#!/bin/sh\necho 'cannot reach the catalogue' >&2\nexit 1\n")
    program.chmod(0o755)
    assert "cannot reach the catalogue" in str(check_schemas(tree)[1])


def test_without_kubectl_nothing_passes(no_schemas, capsys):
    assert main() == 2
    assert "NOTHING CHECKED" in capsys.readouterr().err
