"""
Import a GTFS feed, so that any railway can bring its own timetable.

It takes trains with times of their own, and refuses what Railgate cannot sell: other vehicles,
services by frequency, trains that call twice at a station.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ticket.importers import gtfs_sales
from ticket.importers.faults import faults
from ticket.importers.gtfs_calendar import Service, services_of
from ticket.importers.gtfs_feed import Feed, Row, read_feed
from ticket.importers.gtfs_sales import CoachOrder, SoldTrain
from ticket.importers.gtfs_stations import Stations, find_stations, stations_of
from ticket.importers.gtfs_stops import FeedStop, RefusedTrainError, feed_stops
from ticket.importers.normalised import (
    Agency,
    CalendarDate,
    Fare,
    SeatClass,
    Station,
    Stop,
    Timetable,
    Train,
    number_order,
    write,
)
from ticket.importers.report import Report
from ticket.importers.sources import UnusableSourceError

DEFAULT_COACHES = (CoachOrder("SECOND", 4, 15, 2, 2),)

RULES = """
Minutes count from noon minus twelve hours of the service date in the agency's zone, as GTFS has
it, so times beyond 24 hours and days on which the clocks change come out right. Seconds are
dropped.

A train's number is its trip_short_name, else its trip_id. Where several bear one number, the first
(by start of service, then trip_id) keeps it, and the others get "-2", "-3" and so on.

Platforms count as their station; two stops in a row at one station are one stop.

Weekdays and the period come from calendar.txt, exceptions from calendar_dates.txt; exceptions are
stronger.

A stop without times is timed by shape_dist_traveled, or evenly if the feed does not have it.

Where boarding or alighting is not allowed no fare is sold. Stops on request are sold like any
other.

GTFS as taken here has no fares and no coaches: fares come from a rule or a table given to the
import, coaches from an order given to it. What has no fare is not on sale.
"""


@dataclass(frozen=True)
class FeedTrain:
    number: str
    row: Row
    service: Service
    stops: list[FeedStop]


def import_gtfs(
    *,
    feed: Path,
    into: Path,
    currency: str,
    licence: str = "",
    coaches: Sequence[CoachOrder] = DEFAULT_COACHES,
    fare_minor_per_km: int | None = None,
    fares: Path | None = None,
) -> Report:
    """
    Write the normalised timetable and report.md into a folder, and give the report.

    Raises:
        UnusableSourceError: the feed or an option is not what it should be; nothing was written.
    """
    report = Report(f"Import of the GTFS feed {feed.name}", _rules())
    tables = read_feed(feed)
    stations = find_stations(tables)
    trains = _trains(tables, stations, report)
    agency = _agency(tables, feed, currency, licence)
    served = {stop.station_id for train in trains for stop in train.stops}
    named = stations_of(stations, served, agency.timezone, report)
    sold = [SoldTrain(train.number, train.stops, named) for train in trains]
    classes = gtfs_sales.seat_classes(coaches)
    timetable = Timetable(
        agency=agency,
        stations=tuple(named.values()),
        trains=tuple(_train(train, _route_names(tables)) for train in trains),
        calendar_dates=tuple(row for train in trains for row in _calendar_dates(train)),
        stops=tuple(row for train in sold for row in _stops(train, named)),
        seat_classes=classes,
        fares=tuple(_fares(sold, classes, fare_minor_per_km, fares, report)),
        coaches=tuple(
            coach for train in trains for coach in gtfs_sales.rake(train.number, coaches)
        ),
    )
    wrong = faults(timetable) + [f"{kind}s do not add up" for kind in report.unbalanced()]
    if wrong:
        raise UnusableSourceError(f"The result would be unsound: {'; '.join(wrong[:5])}.")
    write(timetable, into)
    (into / "report.md").write_text(report.as_markdown(), encoding="utf-8", newline="\n")
    return report


def _rules() -> list[str]:
    return [" ".join(rule.split()) for rule in RULES.split("\n\n")]


def _agency(feed: Feed, path: Path, currency: str, licence: str) -> Agency:
    row = feed.agency[0]
    return Agency(
        agency_code=row.get("agency_id") or "1",
        name=row["agency_name"],
        name_bn="",
        timezone=row["agency_timezone"],
        currency=currency,
        source=path.name,
        licence=licence,
        retrieved_date=None,
    )


def _trains(feed: Feed, stations: Stations, report: Report) -> list[FeedTrain]:
    services = services_of(feed, report)
    routes = {row["route_id"]: row for row in feed.routes}
    by_frequency = {row["trip_id"] for row in feed.frequencies}
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in feed.stop_times:
        rows[row["trip_id"]].append(row)
    report.reads("train", len(feed.trips))
    report.reads("stop", len(feed.stop_times))
    taken: list[FeedTrain] = []
    for row, number in _numbered(feed.trips, services, report):
        stop_rows = rows.pop(row["trip_id"], [])
        merged_before = report.refused("stop")
        try:
            service = _service(row, services, routes, by_frequency)
            stops = feed_stops(number, stop_rows, stations.home, report)
        except RefusedTrainError as error:
            left = len(stop_rows) - (report.refused("stop") - merged_before)
            _refuse_train(number, str(error), left, report)
        else:
            taken.append(FeedTrain(number, row, service, stops))
            report.takes("train")
            report.takes("stop", len(stops))
    for trip_id, orphans in rows.items():
        for _ in orphans:
            report.refuses("stop", trip_id, rule="there is no such train", detail="refused")
    return taken


def _refuse_train(number: str, rule: str, stop_count: int, report: Report) -> None:
    report.refuses("train", number, rule=rule, detail="refused")
    for _ in range(stop_count):
        report.refuses("stop", number, rule="its train is refused", detail="refused")


def _numbered(
    rows: list[Row], services: dict[str, Service], report: Report
) -> list[tuple[Row, str]]:
    """Give each train a number of its own, in the order of the numbers."""
    taken = {_number(row) for row in rows}
    given: set[str] = set()
    numbered: list[tuple[Row, str]] = []
    for row in sorted(rows, key=lambda row: _order(row, services)):
        plain = _number(row)
        number = plain if plain not in given else _free(plain, taken | given)
        given.add(number)
        numbered.append((row, number))
        if number != plain:
            why = "another train bears its number: it got one of its own"
            report.repairs("train", number, rule=why, detail=f"trip_id {row['trip_id']}")
    return numbered


def _order(row: Row, services: dict[str, Service]) -> tuple[object, ...]:
    service = services.get(row["service_id"], Service())
    return (number_order(_number(row)), str(service.valid_from or ""), row["trip_id"])


def _free(plain: str, used: set[str]) -> str:
    return next(number for n in count(2) if (number := f"{plain}-{n}") not in used)


def _number(row: Row) -> str:
    return (row.get("trip_short_name") or row["trip_id"]).replace("/", "-")


def _service(
    row: Row, services: dict[str, Service], routes: dict[str, Row], by_frequency: set[str]
) -> Service:
    route = routes.get(row["route_id"])
    if route is None:
        raise RefusedTrainError("its route is not in the feed")
    if not _is_rail(route["route_type"]):
        raise RefusedTrainError(f"route_type {route['route_type']} is not a train")
    if row["trip_id"] in by_frequency:
        raise RefusedTrainError("it runs by frequency, so it has no times of its own")
    service = services.get(row["service_id"])
    if service is None or not service.ever_runs:
        raise RefusedTrainError("it runs on no day")
    return service


def _is_rail(route_type: str) -> bool:
    """Say whether it is rail, also by the extended types (100 to 199)."""
    return route_type == "2" or (len(route_type) == 3 and route_type.startswith("1"))


def _route_names(feed: Feed) -> dict[str, str]:
    return {
        row["route_id"]: row.get("route_long_name")
        or row.get("route_short_name")
        or row["route_id"]
        for row in feed.routes
    }


def _train(train: FeedTrain, route_names: dict[str, str]) -> Train:
    return Train(
        train_number=train.number,
        name=route_names[train.row["route_id"]],
        name_bn="",
        running_days=train.service.running_days,
        valid_from=train.service.valid_from,
        valid_until=train.service.valid_until,
    )


def _calendar_dates(train: FeedTrain) -> list[CalendarDate]:
    return [CalendarDate(train.number, day, runs) for day, runs in train.service.exceptions.items()]


def _stops(train: SoldTrain, stations: dict[str, Station]) -> list[Stop]:
    last = len(train.stops) - 1
    return [
        Stop(
            train.number,
            place,
            stations[stop.station_id].station_code,
            stop.arrives if place > 0 else None,
            stop.departs if place < last else None,
        )
        for place, stop in enumerate(train.stops)
    ]


def _fares(
    trains: list[SoldTrain],
    classes: Sequence[SeatClass],
    minor_per_km: int | None,
    table: Path | None,
    report: Report,
) -> list[Fare]:
    if table is not None:
        return gtfs_sales.fares_from_table(table, trains, classes, report)
    if minor_per_km is not None:
        return [
            fare
            for train in trains
            for fare in gtfs_sales.fares_by_distance(train, classes, minor_per_km, report)
        ]
    report.notes("fare row", "all", rule="no fares were given", detail="no train is on sale")
    return []
