"""
A GTFS feed as it is: the tables of a folder or a zip file, rows as they are written.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ticket.importers.sources import UnusableSourceError

Row = dict[str, str]

REQUIRED = {
    "agency": ("agency_name", "agency_timezone"),
    "stops": ("stop_id", "stop_name"),
    "routes": ("route_id", "route_type"),
    "trips": ("route_id", "service_id", "trip_id"),
    "stop_times": ("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence"),
}
OPTIONAL = {
    "calendar": ("service_id", "start_date", "end_date"),
    "calendar_dates": ("service_id", "date", "exception_type"),
    "frequencies": ("trip_id",),
}


@dataclass(frozen=True)
class Feed:
    """The rows of each table; a table that the feed does not have is empty."""

    agency: list[Row]
    stops: list[Row]
    routes: list[Row]
    trips: list[Row]
    stop_times: list[Row]
    calendar: list[Row]
    calendar_dates: list[Row]
    frequencies: list[Row]


def read_feed(feed: Path) -> Feed:
    """
    Read a feed from its folder or zip file.

    Raises:
        UnusableSourceError: it is neither, or lacks a table or column that GTFS requires.
    """
    if not feed.exists():
        raise UnusableSourceError(f"There is no feed at {feed}.")
    try:
        tables = {
            name: _table(feed, name, columns, is_required=name in REQUIRED)
            for name, columns in (REQUIRED | OPTIONAL).items()
        }
    except (zipfile.BadZipFile, UnicodeDecodeError, csv.Error, OSError) as error:
        raise UnusableSourceError(f"{feed} cannot be read as a GTFS feed ({error}).") from error
    if not tables["calendar"] and not tables["calendar_dates"]:
        raise UnusableSourceError(f"{feed} has neither calendar.txt nor calendar_dates.txt.")
    if not tables["agency"]:
        raise UnusableSourceError(f"{feed} names no agency.")
    return Feed(**tables)


def _table(feed: Path, name: str, columns: tuple[str, ...], *, is_required: bool) -> list[Row]:
    with _opened(feed, f"{name}.txt") as file:
        if file is None:
            if is_required:
                raise UnusableSourceError(f"{feed} has no {name}.txt.")
            return []
        rows = csv.DictReader(file)
        missing = set(columns) - {(column or "").strip() for column in rows.fieldnames or ()}
        if missing:
            raise UnusableSourceError(f"{name}.txt of {feed} lacks {', '.join(sorted(missing))}.")
        return [
            {key.strip(): (value or "").strip() for key, value in row.items() if key is not None}
            for row in rows
        ]


@contextmanager
def _opened(feed: Path, name: str) -> Iterator[TextIO | None]:
    """Open a table, or give None; many feeds begin with a byte order mark."""
    if feed.is_dir():
        path = feed / name
        if not path.is_file():
            yield None
            return
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
        return
    with zipfile.ZipFile(feed) as archive:
        member = next((entry for entry in archive.namelist() if entry == name), None)
        if member is None:
            yield None
            return
        with archive.open(member) as raw:
            yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
