"""
A list of places with codes and coordinates, and the search for a station in it by name.

It answers only where the names agree in both languages and nobody else lays claim to the place:
a wrong coordinate is worse than none.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ticket.importers import station_names as names


@dataclass(frozen=True)
class Place:
    code: str
    name: str
    name_bn: str
    latitude: float
    longitude: float
    zone: str


@dataclass(frozen=True)
class Match:
    """`how` is the rule that found the place; `doubt` says why it is not to be used."""

    place: Place
    how: str
    doubt: str = ""


def read_places(folder: Path) -> list[Place]:
    """Read `railway-stations.json` of the folder."""
    rows = json.loads((folder / "railway-stations.json").read_text(encoding="utf-8"))
    return [
        Place(
            row["code"], row["name"]["en"], row["name"]["bn"], row["lat"], row["lng"],
            row["zone"].lower(),
        )
        for row in rows
    ]  # fmt: skip


def match_all(stations: Iterable[tuple[str, str]], places: list[Place]) -> dict[str, Match]:
    """Find places for (name, name_bn) pairs; a place that two stations want goes to the closer."""
    found = {name: match for name, bn in stations if (match := _match(name, bn, places))}
    ranks = {name: RULES.index(match.how) for name, match in found.items()}
    closest: dict[str, int] = {}
    for name, match in found.items():
        code = match.place.code
        closest[code] = min(ranks[name], closest.get(code, len(RULES)))
    wanted = Counter(
        match.place.code
        for name, match in found.items()
        if ranks[name] == closest[match.place.code]
    )
    for name, match in found.items():
        if ranks[name] > closest[match.place.code] or wanted[match.place.code] > 1:
            found[name] = Match(match.place, match.how, "another station fits the place better")
    return found


RULES = ["same name", "same name but for Junction", "name in parentheses", "same Bengali name",
         "same consonants in both languages"]  # fmt: skip


def _match(name: str, name_bn: str, places: list[Place]) -> Match | None:
    for how in RULES:
        fitting = [place for place in places if _fits(how, name, name_bn, place)]
        if not fitting:
            continue
        if len(fitting) > 1:
            return Match(fitting[0], how, "several places have this name")
        if not names.bengali_agrees(name_bn, fitting[0].name_bn):
            return Match(fitting[0], how, f"in Bengali it is {fitting[0].name_bn}, not {name_bn}")
        return Match(fitting[0], how)
    return None


def _fits(how: str, name: str, name_bn: str, place: Place) -> bool:
    ours, theirs = names.english_key(name), names.english_key(place.name)
    bengali = (names.bengali_key(name_bn), names.bengali_key(place.name_bn))
    match how:
        case "same name":
            return ours == theirs
        case "same name but for Junction":
            return names.without_junction(ours) == names.without_junction(theirs)
        case "name in parentheses":
            return ours in names.english_aliases(place.name)
        case "same Bengali name":
            return bool(name_bn) and bengali[0] == bengali[1]
        case _:
            skeletons = [names.bengali_skeleton(key) for key in bengali]
            return (
                bool(name_bn)
                and skeletons[0] == skeletons[1]
                and names.english_skeleton(ours) == names.english_skeleton(theirs)
            )


def generated_codes(station_names: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """
    Make a code of three to five letters for each name, the same on every run; digits at its end
    only if the letters do not suffice.

    The first letter stays; the others are the name's own in their order, consonants first. Names
    are served in alphabetical order, so a code depends on the set of names only.
    """
    used = set(taken)
    codes: dict[str, str] = {}
    for name in sorted(station_names):
        codes[name] = next(code for code in _candidates(name) if code not in used)
        used.add(codes[name])
    return codes


def _candidates(name: str) -> Iterable[str]:
    letters = re.sub("[0-9]", "", names.english_key(name)).upper() or "X"
    consonants = letters[0] + "".join(char for char in letters[1:] if char not in "AEIOU")
    for source in (consonants, letters):
        for length in (3, 4, 5):
            if len(source) >= length:
                yield source[:length]
                yield from (source[: length - 1] + char for char in source[length:])
    yield from (f"{letters[:3]}{number}" for number in count(10))
