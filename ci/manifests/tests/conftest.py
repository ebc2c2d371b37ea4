import copy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from ci.manifests.code import read_code
from ci.manifests.rendering import WITHOUT_KUBECTL, kubectl, render_tree


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
