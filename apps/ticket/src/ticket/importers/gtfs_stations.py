"""
The stations of a GTFS feed: platforms count as their station, entrances as nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ticket.importers.gazetteer import generated_codes
from ticket.importers.gtfs_feed import Feed, Row
from ticket.importers.normalised import Station
from ticket.importers.report import Report

PLATFORM, STATION = ("", "0"), "1"
USABLE_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,7}")


@dataclass(frozen=True)
class Stations:
    """`home` leads from the stop_id of a platform or station to that of its station."""

    home: dict[str, str]
    rows: dict[str, Row]

    def name(self, station_id: str) -> str:
        return self.rows[station_id]["stop_name"]


def find_stations(feed: Feed) -> Stations:
    rows = {row["stop_id"]: row for row in feed.stops}
    home: dict[str, str] = {}
    for stop_id, row in rows.items():
        kind, parent = row.get("location_type", ""), row.get("parent_station", "")
        if kind == STATION or (kind in PLATFORM and parent not in rows):
            home[stop_id] = stop_id
        elif kind in PLATFORM:
            home[stop_id] = parent
    return Stations(home, rows)


def stations_of(
    found: Stations, served: set[str], agency_timezone: str, report: Report
) -> dict[str, Station]:
    """Give the stations at which a train calls, by stop_id; the others are refused."""
    every = sorted(set(found.home.values()))
    report.reads("station", len(every))
    report.takes("station", len(served))
    for station_id in every:
        if station_id not in served:
            name = f"{station_id} {found.name(station_id)}"
            report.refuses("station", name, rule="no train calls there", detail="refused")
    codes = _codes(found, sorted(served), report)
    return {
        station_id: _station(found.rows[station_id], codes[station_id], agency_timezone)
        for station_id in sorted(served)
    }


def _codes(found: Stations, served: list[str], report: Report) -> dict[str, str]:
    """Take the feed's own codes where they can be ours, and make the others from the names."""
    own = {station_id: found.rows[station_id].get("stop_code", "").upper() for station_id in served}
    counted = Counter(own.values())
    codes = {
        station_id: code
        for station_id, code in own.items()
        if USABLE_CODE.fullmatch(code) and counted[code] == 1
    }
    nameless = [station_id for station_id in served if station_id not in codes]
    made = generated_codes(_distinct(found, nameless), codes.values())
    for station_id, name in zip(nameless, _distinct(found, nameless), strict=True):
        codes[station_id] = made[name]
        report.notes(
            "station", name, rule="without a code of its own", detail=f"code {made[name]} is ours"
        )
    return codes


def _distinct(found: Stations, station_ids: Iterable[str]) -> list[str]:
    """Give names that tell stations of one name apart."""
    counted: Counter[str] = Counter()
    distinct = []
    for station_id in station_ids:
        name = found.name(station_id)
        counted[name] += 1
        distinct.append(name if counted[name] == 1 else f"{name} {counted[name]}")
    return distinct


def _station(row: Row, code: str, agency_timezone: str) -> Station:
    timezone = row.get("stop_timezone") or agency_timezone
    return Station(
        station_code=code,
        name=row["stop_name"],
        name_bn="",
        latitude=_degrees(row.get("stop_lat", "")),
        longitude=_degrees(row.get("stop_lon", "")),
        timezone=None if timezone == agency_timezone else timezone,
    )


def _degrees(text: str) -> float | None:
    try:
        degrees = round(float(text), 6)
    except ValueError:
        return None
    return degrees if -180 <= degrees <= 180 else None
