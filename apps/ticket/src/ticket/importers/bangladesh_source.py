"""
The Bangladesh Railway source files as they are: read, and refused if they are another thing.

Nothing is repaired here; one row of the source is one object.
"""

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ticket.importers.sources import UnusableSourceError
from ticket.importers.station_names import english_key, plain_bengali, plain_english

BENGALI_DIGITS = str.maketrans("০১২৩৪৫৬৭৮৯", "0123456789")
NUMBERED = re.compile(r"(.*?)\s*\((\d+)\)\s*")


@dataclass(frozen=True)
class SourceStop:
    city: str
    arrival_time: str | None
    departure_time: str | None


@dataclass(frozen=True)
class SourceTrain:
    number: str
    name: str
    days: tuple[str, ...]
    stops: tuple[SourceStop, ...]


@dataclass(frozen=True)
class SourceOffer:
    """`line` is that of the file. Amounts are in taka, as they are written."""

    line: int
    train_number: str
    from_city: str
    to_city: str
    seat_class: str
    fare: str
    vat_percent: str
    vat: str


@dataclass(frozen=True)
class SeatsSeen:
    train_number: str
    seat_class: str
    most_free: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """`station_names` go by English key to (English, Bengali), `train_names_bn` by number."""

    trains: list[SourceTrain]
    offers: list[SourceOffer]
    seats_seen: list[SeatsSeen]
    station_names: dict[str, tuple[str, str]]
    train_names_bn: dict[str, str]
    class_names_bn: dict[str, str]
    coach_letters: list[tuple[str, str]]


def read_source(folder: Path) -> Source:
    """
    Read the nine files of the source.

    Raises:
        UnusableSourceError: a file is missing, or is not what its name says.
    """
    if not folder.is_dir():
        raise UnusableSourceError(f"There is no folder {folder}.")
    try:
        return Source(
            trains=[_train(row) for row in _json(folder, "timetable")],
            offers=_offers(folder),
            seats_seen=_seats_seen(folder),
            station_names=_station_names(folder),
            train_names_bn=_train_names_bn(folder),
            class_names_bn=dict(_paired(folder, "classes")),
            coach_letters=_paired(folder, "coaches"),
        )
    except FileNotFoundError as error:
        raise UnusableSourceError(f"{error.filename} is missing.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnusableSourceError(
            f"{folder} does not hold the Bangladesh Railway files ({reason})."
        ) from error


def _json(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return [{key: value or "" for key, value in row.items() if key is not None} for row in rows]


def _train(row: dict[str, Any]) -> SourceTrain:
    stops = tuple(
        SourceStop(stop["city"], stop.get("arrival_time"), stop.get("departure_time"))
        for stop in row["routes"]
    )
    return SourceTrain(str(row["train_model"]), row["train_name"], tuple(row["days"]), stops)


def _offers(folder: Path) -> list[SourceOffer]:
    columns = ("train_no", "from", "to", "class", "fare_bdt", "vat_percent", "vat_bdt")
    return [
        SourceOffer(line, *(row[column] for column in columns))
        for line, row in enumerate(_rows(folder, "offers"), start=2)
    ]


def _seats_seen(folder: Path) -> list[SeatsSeen]:
    return [
        SeatsSeen(
            row["train_no"],
            row["class"],
            tuple(cell for column, cell in row.items() if column.startswith("most_free")),
        )
        for row in _rows(folder, "seats_seen")
    ]


def _paired(folder: Path, name: str) -> list[tuple[str, str]]:
    """Pair two lists of names that go by the same index."""
    english, bengali = (_json(folder, f"{name}_{language}")[name] for language in ("en", "bn"))
    if len(english) != len(bengali):
        raise ValueError(f"{name}_en and {name}_bn differ in length")
    return [(en.strip(), plain_bengali(bn)) for en, bn in zip(english, bengali, strict=True)]


def _station_names(folder: Path) -> dict[str, tuple[str, str]]:
    pairs = [(plain_english(en), bn) for en, bn in _paired(folder, "stations")]
    return {english_key(en): (en, bn) for en, bn in pairs}


def _train_names_bn(folder: Path) -> dict[str, str]:
    """Go by the number in Bengali digits: the two lists of trains are not in the same order."""
    found = [NUMBERED.fullmatch(name) for name in _json(folder, "trains_bn")["trains"]]
    return {
        match[2].translate(BENGALI_DIGITS).lstrip("0"): plain_bengali(match[1])
        for match in found
        if match
    }
