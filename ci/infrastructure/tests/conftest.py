"""The plans of every root, made once for all tests, and gitops as it is rendered."""

import copy

import pytest
from ci.infrastructure.checking import plans_of
from ci.infrastructure.terraform import NothingChecked
from ci.manifests.code import read_code
from ci.manifests.rendering import ROOT, WITHOUT_KUBECTL, kubectl, render_tree


@pytest.fixture(scope="session")
def planned():
    try:
        return plans_of()
    except NothingChecked as why:
        pytest.skip(str(why))


@pytest.fixture
def plans(planned):
    """A copy, to plant a fault in."""
    return copy.deepcopy(planned)


@pytest.fixture
def prod(plans):
    return plans["envs/prod"]


@pytest.fixture(scope="session")
def rendered():
    if kubectl() is None:
        pytest.skip(WITHOUT_KUBECTL)
    return render_tree(ROOT / "gitops")


@pytest.fixture
def tree(rendered):
    return copy.deepcopy(rendered)


@pytest.fixture(scope="session")
def code():
    return read_code()
