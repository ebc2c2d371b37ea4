"""
Programs in Go that no Python package carries: taken from the path, else built into `build/tools`
from a pinned version whose content Go's checksum database vouches for.
"""

import os
import shutil
from pathlib import Path

from ci.pipeline.gates import BUILD, ran

FOLDER = BUILD / "tools"
MODULES = {
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
}


def go_tool(name: str, folder: Path = FOLDER) -> str | None:
    """None where the program is not here and cannot be built either."""
    if found := shutil.which(name):
        return found
    if not (folder / name).exists() and shutil.which("go"):
        ran("go", "install", MODULES[name], env=os.environ | {"GOBIN": str(folder)})
    return str(folder / name) if (folder / name).exists() else None
