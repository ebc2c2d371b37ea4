"""
Which legs of a run tell whether anything of it is left to sell.

A seat that is free on a leg is free on every shorter leg within it, so the legs on sale that hold
no shorter one on sale decide alone: nothing is left when nothing is left on any of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Leg:
    from_station: str
    to_station: str


def deciding_legs(definition: Mapping[str, Any]) -> list[Leg]:
    """The shortest legs on sale of a run, from its definition as the catalogue publishes it."""
    names = {stop["sequence"]: stop["station_code"] for stop in definition["stops"]}
    deciding = set()
    by_class: dict[str, set[tuple[int, int]]] = {}
    for fare in definition["fares"]:
        pairs = by_class.setdefault(fare["seat_class"], set())
        pairs.add((fare["from_sequence"], fare["to_sequence"]))
    for pairs in by_class.values():
        deciding |= _without_shorter(pairs)
    return [Leg(names[start], names[end]) for start, end in sorted(deciding)]


def _without_shorter(pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """From the last start backwards, a leg decides if it ends before every one met so far."""
    deciding, nearest_end = set(), None
    for start, end in sorted(pairs, key=lambda pair: (-pair[0], pair[1])):
        if nearest_end is None or end < nearest_end:
            deciding.add((start, end))
            nearest_end = end
    return deciding
