"""The tree, rendered once for all tests of these checks, and the code beside it."""

import copy

import pytest
from ci.manifests.code import read_code
from ci.manifests.rendering import ROOT, WITHOUT_KUBECTL, kubectl, render_tree


@pytest.fixture(scope="session")
def rendered():
    if kubectl() is None:
        pytest.skip(WITHOUT_KUBECTL)
    return render_tree(ROOT / "gitops")


@pytest.fixture
def tree(rendered):
    """A copy of the rendered tree, to plant a fault in."""
    return copy.deepcopy(rendered)


@pytest.fixture(scope="session")
def code():
    return read_code()


@pytest.fixture
def prod(tree):
    return tree.environments["prod"]
