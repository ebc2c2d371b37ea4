"""compose.yaml as Docker reads it: anchors resolved, its extensions left out."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def composed() -> dict:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())
