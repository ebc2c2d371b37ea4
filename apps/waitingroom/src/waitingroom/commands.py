"""The waiting room's commands: `python -m waitingroom.commands migrate`."""

import sys

from chassis.database import migrate
from waitingroom.app import create_app


def main(words: list[str]) -> int:
    if words != ["migrate"]:
        print("usage: python -m waitingroom.commands migrate", file=sys.stderr)
        return 2
    migrate(create_app())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
