"""
The normalised timetable: its tables as dataclasses, and their CSV files.

One file a table, UTF-8, LF, a header line, rows in a fixed order, so that importing the same
source twice gives the same bytes. A file that does not fit is refused with its line number.
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

SHIPPED = Path(__file__).parent.parent / "timetable"


class BrokenTimetableError(Exception):
    """A folder is not a normalised timetable; the message names the file and the line."""


@dataclass(frozen=True)
class Agency:
    agency_code: str
    name: str
    name_bn: str
    timezone: str
    currency: str
    source: str
    licence: str
    retrieved_date: date | None


@dataclass(frozen=True)
class Station:
    """`timezone` is None where the station keeps its agency's clock."""

    station_code: str
    name: str
    name_bn: str
    latitude: float | None = None
    longitude: float | None = None
    zone: str = ""
    timezone: str | None = None


@dataclass(frozen=True)
class Train:
    """
    `running_days` are the ISO weekdays ("1" is Monday) of the service date.

    The train runs from `valid_from` until the day before `valid_until`; None is no bound.
    """

    train_number: str
    name: str
    name_bn: str
    running_days: str
    zone: str = ""
    valid_from: date | None = None
    valid_until: date | None = None


@dataclass(frozen=True)
class CalendarDate:
    """An exception: on this service date the train runs, or does not, whatever its weekdays say."""

    train_number: str
    service_date: date
    runs: bool


@dataclass(frozen=True)
class Stop:
    """
    Minutes count from noon minus twelve hours, agency's clock, of the service date.

    That is 00:00 except on the days the clocks change, and it may exceed 1440.
    """

    train_number: str
    sequence: int
    station_code: str
    arrives_minute: int | None
    departs_minute: int | None


@dataclass(frozen=True)
class SeatClass:
    seat_class: str
    name: str
    name_bn: str
    refund_category: str


@dataclass(frozen=True)
class Fare:
    """`price_minor` is what a passenger pays and includes `vat_minor`."""

    train_number: str
    seat_class: str
    from_code: str
    to_code: str
    price_minor: int
    vat_minor: int


@dataclass(frozen=True)
class Coach:
    train_number: str
    coach_number: int
    letter: str
    letter_bn: str
    seat_class: str
    rows: int
    left_seats: int
    right_seats: int

    @property
    def seats(self) -> int:
        return self.rows * (self.left_seats + self.right_seats)


def number_order(train_number: str) -> tuple[int, int, str]:
    """Give the key that sorts 41 before 701 and both before "Ocean"."""
    if train_number.isdecimal():
        return (0, int(train_number), train_number)
    return (1, 0, train_number)


@dataclass(frozen=True)
class Timetable:
    """All tables of one railway. Rows are sorted on the way in, so equal tables are equal."""

    agency: Agency
    stations: tuple[Station, ...] = ()
    trains: tuple[Train, ...] = ()
    calendar_dates: tuple[CalendarDate, ...] = ()
    stops: tuple[Stop, ...] = ()
    seat_classes: tuple[SeatClass, ...] = ()
    fares: tuple[Fare, ...] = ()
    coaches: tuple[Coach, ...] = ()

    def __post_init__(self) -> None:
        for name, (_, order) in TABLES.items():
            if name != "agency":
                object.__setattr__(self, name, tuple(sorted(getattr(self, name), key=order)))


TABLES: dict[str, tuple[type[Any], Callable[[Any], Any]]] = {
    "agency": (Agency, lambda row: row.agency_code),
    "stations": (Station, lambda row: row.station_code),
    "trains": (Train, lambda row: number_order(row.train_number)),
    "calendar_dates": (
        CalendarDate,
        lambda row: (number_order(row.train_number), row.service_date),
    ),
    "stops": (Stop, lambda row: (number_order(row.train_number), row.sequence)),
    "seat_classes": (SeatClass, lambda row: row.seat_class),
    "fares": (
        Fare,
        lambda row: (number_order(row.train_number), row.seat_class, row.from_code, row.to_code),
    ),
    "coaches": (Coach, lambda row: (number_order(row.train_number), row.coach_number)),
}


def write(timetable: Timetable, folder: Path) -> None:
    """Write every table's CSV into the folder, replacing what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (kind, _) in TABLES.items():
        rows = [timetable.agency] if name == "agency" else getattr(timetable, name)
        _write_table(folder / f"{name}.csv", kind, rows)


def read(folder: Path = SHIPPED) -> Timetable:
    """
    Read the timetable that `write` wrote; without a folder, the one Railgate ships.

    Raises:
        BrokenTimetableError: a file, column or value is missing or malformed.
    """
    tables = {name: _read_table(folder / f"{name}.csv", kind) for name, (kind, _) in TABLES.items()}
    if len(tables["agency"]) != 1:
        raise BrokenTimetableError(f"agency.csv must have one row, not {len(tables['agency'])}")
    agency = tables.pop("agency")[0]
    return Timetable(agency=agency, **tables)


def _as_flag(cell: str) -> bool:
    if cell not in ("0", "1"):
        raise ValueError(f"{cell!r} is neither 1 nor 0")
    return cell == "1"


def _optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda cell: parse(cell) if cell else None


PARSERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    bool: _as_flag,
    date: date.fromisoformat,
    str | None: _optional(str),
    int | None: _optional(int),
    float | None: _optional(float),
    date | None: _optional(date.fromisoformat),
}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


Row = TypeVar("Row")


def _write_table(path: Path, kind: type[Any], rows: Iterable[object]) -> None:
    columns = [field.name for field in fields(kind)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(getattr(row, column)) for column in columns] for row in rows)


def _read_table(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    if not path.is_file():
        raise BrokenTimetableError(f"{path.name} is missing in {path.parent}")
    hints = get_type_hints(kind)
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file)
        if list(lines.fieldnames or ()) != list(hints):
            raise BrokenTimetableError(f"{path.name} must have the columns {','.join(hints)}")
        return tuple(_row(kind, hints, line, f"{path.name}:{lines.line_num}") for line in lines)


def _row(kind: type[Row], hints: dict[str, Any], line: dict[Any, Any], where: str) -> Row:
    if None in line or None in line.values():
        raise BrokenTimetableError(f"{where} does not have {len(hints)} cells")
    try:
        return kind(**{column: PARSERS[hint](line[column]) for column, hint in hints.items()})
    except ValueError as error:
        raise BrokenTimetableError(f"{where} {error}") from error
