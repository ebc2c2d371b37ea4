"""
The importers as a program: `python -m ticket.importers bangladesh|gtfs …`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ticket.importers.bangladesh import import_bangladesh
from ticket.importers.gtfs import DEFAULT_COACHES, import_gtfs
from ticket.importers.gtfs_sales import coach_order
from ticket.importers.normalised import SHIPPED
from ticket.importers.report import Report
from ticket.importers.sources import UnusableSourceError


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    _say(f"Reading {chosen.source} …")
    try:
        report: Report = chosen.run(chosen)
    except UnusableSourceError as error:
        _say(str(error))
        return 1
    sys.stdout.write(report.as_markdown())
    _say(f"Wrote the timetable and its report to {chosen.into}.")
    return 0


def _say(line: str) -> None:
    """Keep progress apart from the report, which may be piped away."""
    sys.stderr.write(f"{line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ticket.importers", description="Import a timetable.")
    kinds = parser.add_subparsers(required=True, metavar="bangladesh|gtfs")
    bangladesh = kinds.add_parser("bangladesh", help="the published Bangladesh Railway files")
    bangladesh.add_argument(
        "source", type=Path, help="the folder with timetable.json and offers.csv"
    )
    bangladesh.add_argument("--stations", type=Path, help="the folder with railway-stations.json")
    bangladesh.add_argument("--into", type=Path, default=SHIPPED, help="where to write")
    bangladesh.set_defaults(run=_run_bangladesh)
    gtfs = kinds.add_parser("gtfs", help="a GTFS feed, a folder or a zip file")
    gtfs.add_argument("source", type=Path, help="the feed")
    gtfs.add_argument("--into", type=Path, required=True, help="where to write")
    gtfs.add_argument("--currency", required=True, help="ISO 4217 code of the fares")
    gtfs.add_argument("--licence", default="", help="the licence under which the feed is published")
    gtfs.add_argument("--fares", type=Path, help="a fares.csv in Railgate's columns")
    gtfs.add_argument("--fare-minor-per-km", type=int, help="a fare by distance, in minor units")
    gtfs.add_argument(
        "--coaches",
        nargs="+",
        metavar="CLASS:COACHES:ROWSxLEFT+RIGHT",
        help="the coaches of a train",
    )
    gtfs.set_defaults(run=_run_gtfs)
    return parser


def _run_bangladesh(chosen: argparse.Namespace) -> Report:
    return import_bangladesh(
        source=chosen.source, stations_source=chosen.stations, into=chosen.into
    )


def _run_gtfs(chosen: argparse.Namespace) -> Report:
    orders = [coach_order(text) for text in chosen.coaches or ()]
    return import_gtfs(
        feed=chosen.source,
        into=chosen.into,
        currency=chosen.currency,
        licence=chosen.licence,
        coaches=orders or DEFAULT_COACHES,
        fare_minor_per_km=chosen.fare_minor_per_km,
        fares=chosen.fares,
    )


if __name__ == "__main__":
    sys.exit(main())
