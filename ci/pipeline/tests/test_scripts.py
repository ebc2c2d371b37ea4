"""The scripts of the workflows, among programs that only write down what they were asked."""

import os
import subprocess
from pathlib import Path

import pytest
from ci.pipeline.changes import ROOT

GIT = """\
case "$*" in
    "diff --cached --quiet") exit 1 ;;
    for-each-ref*) echo promote/order-staging-0123456789ab ;;
esac
"""
HAND = {"VERB": "promote", "FROM": "dev", "TO": "staging", "SERVICE": "order"}


class Place:
    """A checkout without a build folder, and programs that are found before all others."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked_of = root / "asked"
        self.asked_of.touch()
        for name in ("make", "gh", "sleep"):
            self.program(f"programs/{name}")
        self.program("programs/git", GIT)
        self.program("programs/python3", "echo short-lived")
        self.program(".venv/bin/python")

    def program(self, path: str, does: str = "") -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        told = 'echo "${APP_TOKEN:+with the token: }${0##*/} $*" >>"$ASKED"'
        file.write_text(f"#!/bin/sh\n{told}\n{does}\n")
        file.chmod(0o755)

    def run(self, script: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.root / 'programs'}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "ASKED": str(self.asked_of), "GITHUB_REPOSITORY": "railgate/railgate"}
        return subprocess.run(
            ["sh", str(ROOT / "ci" / "pipeline" / script), *words],
            cwd=self.root, env=own | environment, capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip

    @property
    def asked(self) -> list[str]:
        return self.asked_of.read_text().splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_promotion_is_made_pushed_and_asked_for(place):
    assert place.run("promote.sh", **HAND).returncode == 0
    made, _, minted, pushed, _, requested = place.asked[-6:]
    assert made == "make promote FROM=dev TO=staging SERVICE=order"
    assert minted == "python3 -m ci.pipeline.app_token contents pull_requests"
    assert pushed.startswith("with the token: git push")
    assert requested.startswith("with the token: gh pr create --head promote/order-staging-")


def test_a_release_may_push_from_the_moment_it_pushes_and_no_more_than_that(place):
    (place.root / "build" / "digests").mkdir(parents=True)
    (place.root / "build" / "digests" / "order").write_text("sha256:0\n")
    assert place.run("deploy.sh", COMMIT="c0ffee").returncode == 0
    assert "python -m ci.manifests.releases dev order sha256:0" in place.asked
    assert place.asked[-3] == "git commit --message dev: Release order --message Source: c0ffee"
    assert place.asked[-2] == "python3 -m ci.pipeline.app_token contents"
    assert [line for line in place.asked if line.startswith("with the token")] == [
        "with the token: git push https://github.com/railgate/railgate.git HEAD:refs/heads/main"
    ]


@pytest.mark.parametrize("name", HAND)
@pytest.mark.parametrize("word", ["", "$(shell id)", 'order"; id; "', "order\nid"])
def test_a_word_that_could_be_a_command_reaches_no_program(place, name, word):
    assert place.run("promote.sh", **HAND | {name: word}).returncode == 1
    assert place.asked == []


def test_a_rush_on_a_fresh_checkout_starts_railgate_and_counts_after_it(place):
    place.program(".venv/bin/railgate", "echo ready; exec /bin/sleep 30")
    place.program(".venv/bin/python", "test -s build/railgate.txt || { /bin/sleep 0.01; exit 1; }")
    done = place.run("load_smoke.sh", OPTIONS="--users 20")
    assert done.returncode == 0, done.stderr
    assert (place.root / "build" / "railgate.txt").read_text() == "ready\n"
    assert [line for line in place.asked if line.startswith(("railgate", "make"))] == [
        "make install", "railgate run", "make load OPTIONS=--users 20", "make audit",
    ]  # fmt: skip


@pytest.mark.parametrize("is_known", [False, True])
def test_an_image_is_pushed_once_and_signed_by_what_the_registry_calls_it(place, is_known):
    digest = f"sha256:{'0' * 64}"
    place.program("programs/aws", f"if [ -e pushed ]; then echo {digest}; else echo None; fi")
    place.program("programs/docker", 'case "$1" in push) touch pushed ;; esac')
    place.program("programs/cosign")
    if is_known:
        (place.root / "pushed").touch()
    done = place.run("publish.sh", "order", REGISTRY="here", COMMIT="c0ffee")
    assert done.returncode == 0, done.stderr
    pushes = [line for line in place.asked if line.startswith("docker push")]
    assert pushes == ([] if is_known else ["docker push --quiet here/railgate/order:c0ffee"])
    assert f"cosign sign --yes here/railgate/order@{digest}" in place.asked
    assert "make image SERVICE=order ENGINE=docker" not in place.asked
    assert (place.root / "build" / "digests" / "order").read_text() == f"{digest}\n"
