"""Promotion, rollback and difference, in a repository of their own with the real tree in it."""

import json
import os
import shlex
import shutil
import subprocess

import pytest
from ci.manifests.differences import show
from ci.manifests.moving import main, promotion, rollback
from ci.manifests.releases import Refused, read_digest, release_path, write_digest
from ci.manifests.rendering import ROOT, WITHOUT_KUBECTL, kubectl
from ci.manifests.standing import application_name

FIRST, SECOND, THIRD = ("sha256:" + letter * 64 for letter in "abc")

pytestmark = pytest.mark.skipif(kubectl() is None, reason=WITHOUT_KUBECTL)


def git(repository, *words):
    command = ["git", "-C", str(repository), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path):
    shutil.copytree(ROOT / "gitops", tmp_path / "gitops")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "Release Manager")
    git(tmp_path, "config", "user.email", "release@railgate.example")
    for environment in ("dev", "staging", "prod"):
        write_digest(tmp_path, environment, "order", "sha256:" + "0" * 64)
    git(tmp_path, "add", "gitops")
    git(tmp_path, "commit", "--quiet", "-m", "Begin")
    return tmp_path


def release(repository, environment, digest, service="order"):
    write_digest(repository, environment, service, digest)
    git(repository, "commit", "--quiet", "-am", f"{service}: Release in {environment}")


def promote(repository, source="dev", target="staging", service="order"):
    words = ["promote", "--from", source, "--to", target, "--service", service]
    return main(words, root=repository)


def test_a_promotion_moves_one_digest_and_nothing_else(repository):
    release(repository, "dev", FIRST)
    assert promote(repository) == 0
    branch = "promote/order-staging-aaaaaaaaaaaa"
    changed = git(repository, "diff", "--stat", "--numstat", "main", branch).split("\n")[0]
    assert changed.split() == ["1", "1", release_path("staging", "order").as_posix()]
    path = release_path("staging", "order").as_posix()
    assert FIRST in git(repository, "show", f"{branch}:{path}")


def test_a_promotion_leaves_the_callers_branch_and_files_alone(repository):
    release(repository, "dev", FIRST)
    (repository / "notes.txt").write_text("mine")
    promote(repository)
    assert git(repository, "branch", "--show-current").strip() == "main"
    assert (repository / "notes.txt").read_text() == "mine"
    assert read_digest(repository, "staging", "order") != FIRST
    assert git(repository, "worktree", "list").count("\n") == 1


def test_a_promotion_describes_what_changes_in_the_cluster(repository, capsys):
    release(repository, "dev", FIRST)
    promote(repository)
    said = capsys.readouterr().out
    written = (repository / "build" / "promote-order-staging-aaaaaaaaaaaa.md").read_text()
    assert written in said
    assert "order/Rollout/order" in written
    changed = [line for line in written.splitlines() if line.startswith("+ ")]
    assert changed
    assert all(FIRST in line for line in changed)


def test_uncommitted_digests_are_not_promoted(repository):
    write_digest(repository, "dev", "order", FIRST)
    with pytest.raises(Refused, match="never released"):
        promotion(repository, "dev", "staging", "order")


def test_staging_cannot_be_skipped(repository):
    release(repository, "dev", FIRST)
    with pytest.raises(Refused, match="one step at a time"):
        promotion(repository, "dev", "prod", "order")
    with pytest.raises(Refused, match="one step at a time"):
        promotion(repository, "prod", "staging", "order")


def test_what_runs_already_is_not_promoted(repository):
    release(repository, "dev", FIRST)
    release(repository, "staging", FIRST)
    with pytest.raises(Refused, match="already"):
        promotion(repository, "dev", "staging", "order")


@pytest.mark.parametrize(
    ("source", "service", "reason"),
    [("dev", "parcels", "no parcels in dev"), ("development", "order", "none of dev")],
)
def test_unknown_names_are_refused(repository, source, service, reason):
    with pytest.raises(Refused, match=reason):
        promotion(repository, source, "staging", service)


def test_a_promotion_is_not_made_twice(repository):
    release(repository, "dev", FIRST)
    promote(repository)
    with pytest.raises(Refused, match="merge or delete it"):
        promote(repository)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A kubectl that renders as the real one does, and tells of Argo CD what the test wants."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program, answer = folder / "kubectl", folder / "answer"
    program.write_text(f"""#!/bin/sh
case "$1" in --context)
    echo "$@" >{shlex.quote(str(folder / "asked"))}
    cat {shlex.quote(str(answer))} || exit 1
    exit ;;
esac
exec {shlex.quote(kubectl())} "$@"
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ARGOCD_CONTEXT", "management")
    return answer


def application(digest, *, sync="Synced", health="Healthy", phase="Succeeded"):
    status = {
        "sync": {"status": sync},
        "health": {"status": health},
        "operationState": {"phase": phase},
        "summary": {"images": [f"registry.example/railgate/order@{digest}"]},
    }
    return json.dumps({"status": status})


def branches(repository):
    return git(repository, "branch", "--list", "promote/*").split()


def test_a_promotion_asks_argo_cd_whether_the_source_runs_well(repository, cluster):
    release(repository, "dev", FIRST)
    cluster.write_text(application(FIRST))
    assert promote(repository) == 0
    said = "Argo CD says that order-dev is synced, healthy and runs aaaaaaaaaaaa."
    assert said in git(repository, "log", "-1", "--format=%b", branches(repository)[0])
    asked = cluster.with_name("asked").read_text()
    assert asked.startswith("--context management --namespace argocd get applications.argoproj.io")
    assert "order-dev" in asked


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        ({"health": "Degraded"}, "it is Degraded"),
        ({"sync": "OutOfSync"}, "it is OutOfSync"),
        ({"phase": "Running"}, "its last sync is Running"),
        ({"digest": SECOND}, "no pod of it runs aaaaaaaaaaaa"),
    ],
)
def test_what_does_not_run_well_is_not_promoted(repository, cluster, standing, reason):
    release(repository, "dev", FIRST)
    cluster.write_text(application(**{"digest": FIRST} | standing))
    with pytest.raises(Refused, match=reason):
        promote(repository)
    assert branches(repository) == []


def test_the_application_that_is_asked_is_the_one_that_the_set_makes(rendered):
    found = (one for one in rendered.argocd if one["kind"] == "ApplicationSet")
    template = next(one for one in found if one["metadata"]["name"] == "services")["spec"][
        "template"
    ]
    made = template["metadata"]["name"].replace("{{.path.basename}}", "order")
    assert made.replace("{{.environment}}", "dev") == application_name("dev", "order")


def test_a_cluster_that_does_not_answer_stops_a_promotion(repository, cluster):
    release(repository, "dev", FIRST)
    with pytest.raises(Refused, match="management could not say how order-dev is"):
        promote(repository)


def test_without_a_context_it_is_said_loudly_that_nobody_was_asked(repository, monkeypatch, capsys):
    monkeypatch.delenv("ARGOCD_CONTEXT", raising=False)
    release(repository, "dev", FIRST)
    promote(repository)
    loud = "NOBODY WAS ASKED whether dev runs order aaaaaaaaaaaa well"
    said = capsys.readouterr()
    assert loud in said.err
    assert loud in said.out, "the reviewer reads it in the description"


def test_a_rollback_finds_the_digest_before(repository):
    release(repository, "prod", FIRST)
    release(repository, "prod", SECOND)
    assert main(["rollback", "--environment", "prod", "--service", "order"], root=repository) == 0
    path = release_path("prod", "order").as_posix()
    assert FIRST in git(repository, "show", f"rollback/order-prod-aaaaaaaaaaaa:{path}")


def test_a_rollback_does_not_go_back_to_what_was_taken_back(repository):
    for digest in (FIRST, SECOND, THIRD, SECOND):
        release(repository, "prod", digest)
    assert rollback(repository, "prod", "order").digest == FIRST


def test_a_second_rollback_does_not_bring_the_bad_release_again(repository):
    for digest in (FIRST, SECOND, FIRST):
        release(repository, "prod", digest)
    with pytest.raises(Refused, match="nothing to go back to"):
        rollback(repository, "prod", "order")


def test_what_was_taken_back_and_mended_elsewhere_can_be_left_again(repository):
    for digest in (FIRST, SECOND, FIRST, SECOND):
        release(repository, "prod", digest)
    assert rollback(repository, "prod", "order").digest == FIRST


def test_a_rollback_of_the_first_release_is_refused(repository):
    release(repository, "prod", FIRST)
    with pytest.raises(Refused, match="nothing to go back to"):
        rollback(repository, "prod", "order")


def test_a_digest_must_be_one(repository):
    with pytest.raises(Refused, match="no digest"):
        write_digest(repository, "dev", "order", "sha256:latest")


def test_the_difference_shows_rendered_objects_against_the_last_commit(repository):
    assert show(repository, "staging", "HEAD") == ""
    settings = repository / "gitops" / "envs" / "staging" / "environment" / "settings.yaml"
    settings.write_text(settings.read_text().replace("LOG_LEVEL: INFO", "LOG_LEVEL: WARNING"))
    change = show(repository, "staging", "HEAD")
    assert "+  LOG_LEVEL: WARNING" in change
    assert "order/Rollout/order" in change, "the hash of the settings makes it a release"
    assert show(repository, "prod", "HEAD") == ""
