"""Say in one sentence why this Python cannot make the virtual environment. Runs on any Python."""

import sys


def complaint():
    if sys.version_info < (3, 11):  # noqa: UP036 - it is the older ones that must hear this
        return "Railgate needs Python 3.11 or newer, this is {}.{}: set PYTHON=python3.12 or such."
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return "This Python makes no virtual environments: install the package python{}.{}-venv."
    return ""


if __name__ == "__main__":
    sys.exit(complaint().format(*sys.version_info) or 0)
