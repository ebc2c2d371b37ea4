"""
What GTFS does not say and a sale needs: coaches, and fares by distance or from a table of ours.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from string import ascii_uppercase

from ticket.importers.distances import kilometres
from ticket.importers.gtfs_stops import FeedStop
from ticket.importers.normalised import Coach, Fare, SeatClass, Station
from ticket.importers.report import Report
from ticket.importers.sources import UnusableSourceError

COACHES = re.compile(r"([A-Z][A-Z_]*):([1-9]\d?):([1-9]\d?)x(\d)\+(\d)(?::(ac|first|other))?")
FARE_COLUMNS = ["train_number", "seat_class", "from_code", "to_code", "price_minor", "vat_minor"]
EVERY_TRAIN = "*"


@dataclass(frozen=True)
class CoachOrder:
    """So many coaches of a class, each with so many rows, seats left and right of the aisle."""

    seat_class: str
    count: int
    rows: int
    left_seats: int
    right_seats: int
    refund_category: str = "other"


@dataclass(frozen=True)
class SoldTrain:
    """What pricing needs to know of a train: its stops, and the stations by their stop_id."""

    number: str
    stops: list[FeedStop]
    stations: Mapping[str, Station]

    def legs(self) -> Iterator[tuple[int, int]]:
        """Give the pairs of stops between which one may ride."""
        for start, end in combinations(range(len(self.stops)), 2):
            if self.stops[start].can_board and self.stops[end].can_alight:
                yield start, end

    def station(self, place: int) -> Station:
        return self.stations[self.stops[place].station_id]


def coach_order(text: str) -> CoachOrder:
    """
    Read "SECOND:3:15x2+2:other": class, coaches, rows x left + right, category of refunds.

    Raises:
        UnusableSourceError: it is written in another way.
    """
    found = COACHES.fullmatch(text)
    if not found or found[4] == found[5] == "0":
        raise UnusableSourceError(
            f"{text!r} is not CLASS:COACHES:ROWSxLEFT+RIGHT[:ac|first|other]."
        )
    count, rows, left, right = (int(found[group]) for group in (2, 3, 4, 5))
    return CoachOrder(found[1], count, rows, left, right, found[6] or "other")


def seat_classes(orders: Sequence[CoachOrder]) -> tuple[SeatClass, ...]:
    categories = {order.seat_class: order.refund_category for order in orders}
    return tuple(
        SeatClass(code, code.replace("_", " ").title(), "", category)
        for code, category in categories.items()
    )


def rake(number: str, orders: Sequence[CoachOrder]) -> list[Coach]:
    """
    Give a train its coaches, lettered from A.

    Raises:
        UnusableSourceError: there are more coaches than letters.
    """
    each = [order for order in orders for _ in range(order.count)]
    if len(each) > len(ascii_uppercase):
        raise UnusableSourceError(f"{len(each)} coaches are more than there are letters.")
    return [
        Coach(number, place, letter, "", order.seat_class, order.rows, order.left_seats,
              order.right_seats)
        for place, (order, letter) in enumerate(zip(each, ascii_uppercase, strict=False), start=1)
    ]  # fmt: skip


def fares_by_distance(
    train: SoldTrain, classes: Sequence[SeatClass], minor_per_km: int, report: Report
) -> list[Fare]:
    """
    Price every leg by the kilometres between its stops, straight from each to the next.

    Raises:
        UnusableSourceError: the rate is not positive.
    """
    if minor_per_km <= 0:
        raise UnusableSourceError("The fare for a kilometre must be positive.")
    run = [0.0]
    for one, other in pairwise(range(len(train.stops))):
        if None in (train.station(one).latitude, train.station(other).latitude):
            why = "a station has no coordinates, so no distance gives a fare: not on sale"
            report.notes("train", train.number, rule=why, detail="taken without fares")
            return []
        run.append(run[-1] + kilometres(train.station(one), train.station(other)))
    return [
        Fare(
            train_number=train.number,
            seat_class=seat_class.seat_class,
            from_code=train.station(start).station_code,
            to_code=train.station(end).station_code,
            price_minor=max(1, round((run[end] - run[start]) * minor_per_km)),
            vat_minor=0,
        )
        for seat_class in classes
        for start, end in train.legs()
    ]


def fares_from_table(
    path: Path, trains: Sequence[SoldTrain], classes: Sequence[SeatClass], report: Report
) -> list[Fare]:
    """
    Take the fares of a CSV with the columns of ours; "*" for a train is every train of that leg.

    Raises:
        UnusableSourceError: there is no such table.
    """
    known = {row.seat_class for row in classes}
    by_number: dict[str, list[SoldTrain]] = defaultdict(list)
    for train in trains:
        by_number[train.number].append(train)
        by_number[EVERY_TRAIN].append(train)
    fares: dict[tuple[str, str, str, str], Fare] = {}
    for line, row in enumerate(_fare_rows(path), start=2):
        report.reads("fare row")
        item = f"line {line}"
        found = (
            _row_fares(row, by_number[row["train_number"]]) if row["seat_class"] in known else []
        )
        fresh = [fare for fare in found if _key(fare) not in fares]
        if fresh:
            report.takes("fare row")
            fares.update((_key(fare), fare) for fare in fresh)
        else:
            why = "no train has this leg and class on sale, or it has this fare already"
            report.refuses("fare row", item, rule=why, detail=",".join(row.values()))
    return list(fares.values())


def _key(fare: Fare) -> tuple[str, str, str, str]:
    return fare.train_number, fare.seat_class, fare.from_code, fare.to_code


def _fare_rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if list(rows.fieldnames or ()) != FARE_COLUMNS:
                raise UnusableSourceError(f"{path} must have the columns {','.join(FARE_COLUMNS)}.")
            return [{key: row.get(key) or "" for key in FARE_COLUMNS} for row in rows]
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableSourceError(f"{path} cannot be read ({error}).") from error


def _row_fares(row: Mapping[str, str], trains: Sequence[SoldTrain]) -> list[Fare]:
    price, vat = row["price_minor"], row["vat_minor"] or "0"
    if not (price.isdecimal() and vat.isdecimal() and int(price) > int(vat)):
        return []
    ends = (row["from_code"], row["to_code"])
    return [
        Fare(train.number, row["seat_class"], *ends, int(price), int(vat))
        for train in trains
        for start, end in train.legs()
        if (train.station(start).station_code, train.station(end).station_code) == ends
    ]
