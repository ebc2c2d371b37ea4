"""
The stations of Bangladesh Railway: one name and one code for each, coordinates where they agree.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from ticket.importers.bangladesh_source import Source
from ticket.importers.bangladesh_stops import Call
from ticket.importers.distances import kilometres
from ticket.importers.gazetteer import Match, Place, generated_codes, match_all
from ticket.importers.normalised import Station
from ticket.importers.report import Report
from ticket.importers.station_names import english_key, plain_english

FASTEST_KM_PER_HOUR = 100
SHORTEST_TELLING_KM = 10


@dataclass(frozen=True)
class Named:
    """The names of a station, by its English key."""

    name: str
    name_bn: str


def named_stations(source: Source, report: Report) -> dict[str, Named]:
    """Give every station of the timetable one English and one Bengali name."""
    spellings: dict[str, set[str]] = {}
    for train in source.trains:
        for stop in train.stops:
            spellings.setdefault(english_key(plain_english(stop.city)), set()).add(stop.city)
    report.reads("station", len(spellings))
    named = {}
    for key, seen in sorted(spellings.items()):
        named[key] = _named(key, sorted(seen), source.station_names, report)
    return named


def _named(
    key: str, seen: list[str], listed: Mapping[str, tuple[str, str]], report: Report
) -> Named:
    name, name_bn = listed.get(key, (plain_english(seen[0]), ""))
    if seen != [name]:
        report.repairs(
            "station", name, rule="spelling", detail=f"{' and '.join(seen)} became {name}"
        )
    if key not in listed:
        report.notes(
            "station", name, rule="not in the lists of names", detail="it has no Bengali name"
        )
    return Named(name, name_bn)


def stations_of(
    named: Mapping[str, Named],
    calls: Mapping[str, list[Call]],
    places: list[Place],
    report: Report,
) -> dict[str, Station]:
    """Give the stations, by name, at which a train still calls."""
    served = {call.station for train_calls in calls.values() for call in train_calls}
    kept = [station for station in named.values() if station.name in served]
    for station in named.values():
        if station.name not in served:
            report.refuses("station", station.name, rule="no train calls there", detail="refused")
    matches = match_all(((station.name, station.name_bn) for station in kept), places)
    trusted = {name: match for name, match in matches.items() if not match.doubt}
    generated = generated_codes(
        (station.name for station in kept if station.name not in trusted),
        (place.code for place in places),
    )
    report.takes("station", len(kept))
    stations = {
        station.name: _station(station, trusted.get(station.name), generated) for station in kept
    }
    _report_matches(stations, matches, report)
    return _without_impossible_places(stations, calls, report)


def _station(named: Named, match: Match | None, generated: Mapping[str, str]) -> Station:
    if match is None:
        return Station(generated[named.name], named.name, named.name_bn)
    place = match.place
    return Station(
        place.code, named.name, named.name_bn, place.latitude, place.longitude, place.zone
    )


def _report_matches(
    stations: Mapping[str, Station], matches: Mapping[str, Match], report: Report
) -> None:
    for name, station in stations.items():
        match = matches.get(name)
        if match is None:
            rule, detail = "not in the list of places", f"code {station.station_code} is ours"
        elif match.doubt:
            rule = "its place is in doubt: not taken"
            detail = f"{match.place.name}: {match.doubt}; code {station.station_code} is ours"
        else:
            rule, detail = f"place found by {match.how}", f"{match.place.code} {match.place.name}"
        report.notes("station", name, rule=rule, detail=detail)


def _without_impossible_places(
    stations: Mapping[str, Station], calls: Mapping[str, list[Call]], report: Report
) -> dict[str, Station]:
    """
    Take no coordinates from stations between which a train would have to fly.

    Whoever is too far from most neighbours is wrong; of two that only accuse each other, both are.
    """
    placed = dict(stations)
    while flights := _flights(placed, calls):
        accusers = Counter(name for pair in flights for name in pair)
        most = max(accusers.values())
        for name in sorted(name for name, count in accusers.items() if count == most):
            placed[name] = replace(placed[name], latitude=None, longitude=None)
            report.repairs(
                "station",
                name,
                rule="coordinates left out, a train cannot be that fast",
                detail="; ".join(why for pair, why in flights.items() if name in pair),
            )
    return placed


def _flights(
    stations: Mapping[str, Station], calls: Mapping[str, list[Call]]
) -> dict[tuple[str, str], str]:
    """Find pairs of stations that a train connects faster than any train can."""
    flights: dict[tuple[str, str], str] = {}
    for number, train_calls in calls.items():
        placed = [call for call in train_calls if stations[call.station].latitude is not None]
        for one, other in pairwise(placed):
            km = kilometres(stations[one.station], stations[other.station])
            minutes = (other.arrives or other.departs or 0) - (one.departs or one.arrives or 0)
            if km > SHORTEST_TELLING_KM and km * 60 > FASTEST_KM_PER_HOUR * minutes:
                names = sorted((one.station, other.station))
                flights.setdefault(
                    (names[0], names[1]),
                    f"{km:.0f} km {names[0]} - {names[1]} in {minutes} min ({number})",
                )
    return flights


def zone_of(calls: Iterable[Call], stations: Mapping[str, Station]) -> str:
    """
    Give the zone whose hour opens a train's sales: that of its origin.

    If that is unknown, the zone of most of its stations; if they are even or unknown, east, whose
    sales open later, so that nobody waits for an opening that has been.
    """
    zones = [stations[call.station].zone for call in calls]
    if zones and zones[0]:
        return zones[0]
    counted = Counter(zone for zone in zones if zone)
    return "west" if counted["west"] > counted["east"] else "east"
