"""Faults planted in a copy of the files, where Kustomize itself has a say; one environment."""

import shutil

import pytest
from ci.manifests.fit import check_fit
from ci.manifests.policy import check_policy
from ci.manifests.references import check_references
from ci.manifests.rendering import (
    ROOT,
    WITHOUT_KUBECTL,
    CannotRender,
    Environment,
    Tree,
    folders_of,
    kubectl,
    render,
)

pytestmark = pytest.mark.skipif(kubectl() is None, reason=WITHOUT_KUBECTL)


@pytest.fixture
def gitops(tmp_path):
    return shutil.copytree(ROOT / "gitops", tmp_path / "gitops")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def faults_of_order(gitops, rendered, code):
    """Prod with its order service rendered anew from the copy."""
    folders = dict(rendered.environments["prod"].folders)
    folders["order"] = render(gitops / "envs" / "prod" / "order")
    tree = Tree({"prod": Environment("prod", folders)}, rendered.argocd)
    found = [*check_references(tree, code), *check_policy(tree), *check_fit(tree, code)]
    return "\n".join(str(fault) for fault in found)


def test_the_copy_as_it_is_has_no_fault(gitops, rendered, code):
    assert faults_of_order(gitops, rendered, code) == ""


def test_hashes_that_do_not_reach_the_rollout_are_named(gitops, rendered, code):
    edit(gitops / "envs/base/order/kustomization.yaml", "  - ../../components/names\n", "")
    assert "no ConfigMap order-settings" in faults_of_order(gitops, rendered, code)


def test_a_service_that_forgets_hardening_is_named(gitops, rendered, code):
    edit(gitops / "envs/base/order/kustomization.yaml", "  - ../../components/hardened\n", "")
    assert "Rollout order: must run as a numeric user" in faults_of_order(gitops, rendered, code)


def test_a_service_without_a_digest_is_named(gitops, rendered, code):
    edit(gitops / "envs/prod/order/kustomization.yaml", "  - release\n", "")
    named = faults_of_order(gitops, rendered, code)
    assert "railgate/order is not named by digest alone" in named


def test_a_service_without_its_environment_is_named(gitops, rendered, code):
    edit(gitops / "envs/prod/order/kustomization.yaml", "  - ../environment\n", "")
    assert "railgate/environment/order" in faults_of_order(gitops, rendered, code)


def test_a_name_that_no_replacement_reaches_is_named(gitops, rendered, code):
    path = gitops / "envs/components/worker/named.yaml"
    edit(path, '        - "spec.template.metadata.labels.[app.kubernetes.io/name]"\n', "")
    assert "does not match its own pods" in faults_of_order(gitops, rendered, code)


def test_what_kustomize_refuses_is_told_in_its_words(gitops):
    edit(gitops / "envs/prod/order/kustomization.yaml", "../../base/order", "../../base/orders")
    with pytest.raises(CannotRender, match="orders"):
        render(gitops / "envs" / "prod" / "order")


def test_a_folder_that_argo_would_deploy_by_mistake_is_named(gitops):
    (gitops / "envs" / "prod" / "notes").mkdir()
    with pytest.raises(CannotRender, match="notes has no kustomization"):
        folders_of(gitops / "envs" / "prod")
