"""
What an operator does at the command line: `python -m ticket.commands migrate`,
`load-timetable [FOLDER]`, `roll-forward [--days N]`. All may be repeated.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flask import Flask

from chassis.application import utc_now
from chassis.database import migrate
from ticket.app import create_app
from ticket.importers.normalised import SHIPPED, BrokenTimetableError
from ticket.loading import load_timetable
from ticket.rolling import roll_forward
from ticket.settings import Settings


def main(words: Sequence[str] | None = None) -> int:
    wish = _parser().parse_args(words)
    app = create_app()
    if wish.command == "migrate":
        migrate(app)
        return 0
    with app.app_context():
        return _load(wish.folder) if wish.command == "load-timetable" else _roll(app, wish.days)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ticket.commands", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database's tables up to date")
    loading = commands.add_parser("load-timetable", help="take a normalised timetable in")
    loading.add_argument("folder", nargs="?", type=Path, default=SHIPPED)
    rolling = commands.add_parser("roll-forward", help="make the runs of the coming days")
    rolling.add_argument("--days", type=int, help="how many days after today")
    return parser


def _load(folder: Path) -> int:
    try:
        loaded = load_timetable(folder=folder, now=utc_now())
    except BrokenTimetableError as error:
        print(f"The timetable in {folder} cannot be loaded: {error}.", file=sys.stderr)
        return 1
    if loaded.is_new:
        print(f"Loaded {loaded.trains} trains and {loaded.stations} stations.")
    else:
        print("This timetable is loaded already.")
    return 0


def _roll(app: Flask, days: int | None) -> int:
    settings: Settings = app.extensions["settings"]
    made = roll_forward(days=settings.days_ahead if days is None else days, now=utc_now())
    print(f"Made {made} runs.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
