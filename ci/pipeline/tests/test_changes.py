"""Which paths make which apps tested and which images built."""

import json
import re

import pytest
from ci.pipeline import changes
from ci.pipeline.changes import Tree, changed_paths, read_tree, scope_of

NAMES = frozenset({"chassis", "order", "payment", "sandbox", "railgate"})
TREE = Tree(
    sources={
        "chassis": frozenset(), "sandbox": frozenset(), "railgate": frozenset(),
        "order": frozenset({"chassis"}), "payment": frozenset({"chassis"}),
    },
    tests={
        "chassis": frozenset(), "sandbox": frozenset(), "railgate": frozenset(),
        "order": frozenset(), "payment": frozenset({"sandbox"}),
    },
    everywhere=frozenset({"chassis", "railgate"}),
    with_image=frozenset({"order", "payment", "sandbox"}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "apps", "images"),
    [
        ("apps/order/src/order/routes.py", {"order"}, {"order"}),
        ("apps/order/tests/test_races.py", {"order"}, set()),
        ("apps/order/README.md", set(), set()),
        ("apps/sandbox/src/sandbox/app.py", {"sandbox", "payment"}, {"sandbox"}),
        ("apps/chassis/src/chassis/outbox.py", NAMES, {"order", "payment"}),
        ("apps/railgate/src/railgate/servers.py", NAMES, set()),
        ("apps/requirements.txt", NAMES, {"order", "payment", "sandbox"}),
        ("apps/Dockerfile", NAMES, {"order", "payment", "sandbox"}),
        ("ci/images/entry.py", NAMES, {"order", "payment", "sandbox"}),
        ("ci/images/installing.py", NAMES, {"order", "payment", "sandbox"}),
        ("pyproject.toml", NAMES, set()),
        ("ci/requirements.txt", NAMES, set()),
        ("gitops/envs/dev/order/release/kustomization.yaml", set(), set()),
        (".github/workflows/main.yml", set(), set()),
        ("docs/branching.md", set(), set()),
    ],
)
def test_a_path_touches_what_stands_on_it(path, apps, images):
    scope = scope_of([path], TREE)
    assert (scope.apps, scope.images) == (apps, images)


def test_a_path_that_no_rule_knows_means_everything():
    for unknown in ("apps/newcomer/src/x.py", "strange.cfg", "apps/x"):
        assert scope_of([unknown], TREE) == TREE.everything()


def test_whatever_goes_into_an_image_makes_images_built():
    recipe = (changes.ROOT / "apps" / "Dockerfile").read_text().replace("${SERVICE}", "order")
    copied = re.findall(r"^COPY (?!--from)(\S+)", recipe, re.MULTILINE)
    assert "ci/images/entry.py" in copied
    assert [path for path in copied if not scope_of([path], read_tree()).images] == []


def test_several_paths_touch_what_each_touches():
    scope = scope_of(["apps/order/tests/test_x.py", "apps/sandbox/src/sandbox/app.py"], TREE)
    assert scope.apps == {"order", "payment", "sandbox"}
    assert scope.images == {"sandbox"}


def test_a_journey_is_tried_when_any_service_or_the_journeys_change():
    assert scope_of(["ci/journeys/test_buying.py"], TREE).journeys
    assert scope_of(["apps/order/src/order/app.py"], TREE).journeys
    assert not scope_of(["gitops/envs/prod/order/release/kustomization.yaml"], TREE).journeys


def test_the_real_tree_is_read_from_the_imports():
    tree = read_tree()
    assert "chassis" in tree.sources["order"]
    assert {"chassis", "railgate"} <= tree.everywhere
    assert {"order", "payment", "ticket", "registration"} <= tree.with_image
    assert "chassis" not in tree.with_image


def test_committed_changed_and_new_files_all_count(repository):
    base = repository.commit("kept.py", "1\n")
    repository.commit("committed.py", "2\n")
    repository.write("kept.py", "changed\n")
    repository.write("fresh file.py", "3\n")
    assert changed_paths(base, repository.root) == ["committed.py", "fresh file.py", "kept.py"]


def test_a_branch_is_measured_from_where_it_left(repository):
    left = repository.commit("a.py", "1\n")
    repository.git("switch", "--quiet", "--create", "branch")
    repository.commit("mine.py", "2\n")
    repository.git("switch", "--quiet", "main")
    repository.commit("theirs.py", "3\n")
    repository.git("switch", "--quiet", "branch")
    assert changes.base_commit("main", repository.root) == left
    assert changed_paths(left, repository.root) == ["mine.py"]


def test_what_dev_runs_is_read_from_the_last_release(repository):
    source = repository.commit("apps/order/src/order/app.py", "1\n")
    assert changes.last_deployed(repository.root) is None
    repository.commit("gitops/envs/dev/order/release/kustomization.yaml", "digest\n")
    repository.git("commit", "--amend", "--quiet", "-m", f"dev: Release order\n\nSource: {source}")
    repository.commit("apps/order/src/order/app.py", "2\n")
    assert changes.last_deployed(repository.root) == source


def test_only_a_change_of_terraform_is_planned(repository):
    base = repository.commit("terraform/envs/dev/main.tf", "one")
    repository.commit("gitops/argocd/services.yaml", "two")
    assert not changes.touches_infrastructure(base, repository.root)
    repository.commit("terraform/services.yaml", "three")
    assert changes.touches_infrastructure(base, repository.root)
    assert changes.touches_infrastructure(None, repository.root)


def test_the_workflow_reads_lists(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setattr("sys.argv", ["changes", "--all"])
    changes.main()
    written = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert "order" in json.loads(written["images"])
    assert json.loads(written["journeys"]) is True
