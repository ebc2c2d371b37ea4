"""What a passenger asks for: a leg, who travels, and seats by name or by class."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

SEAT_ID_MAX = 999_999
PASSENGERS_MAX = 20
NAME_LENGTH_MAX = 100
IDENTITY_KINDS = ("nid", "passport", "birth_certificate")
IDENTITY_NUMBER = r"\A[0-9A-Za-z][0-9A-Za-z -]{4,24}\Z"
_NUMBER = re.compile(IDENTITY_NUMBER)
_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATION = re.compile(r"[0-9A-Z_]{1,8}")
_SEAT_CLASS = re.compile(r"[0-9A-Z_]{1,16}")
_MEMBERS = {"run_id", "from", "to", "passengers"}
_OF_A_PASSENGER = {"name", "identity_kind", "identity_number"}


@dataclass(frozen=True)
class WishedPassenger:
    name: str
    identity_kind: str
    identity_number: str


@dataclass(frozen=True)
class Wish:
    """Either `seat_ids`, one for each passenger in their order, or `seat_class` and we choose."""

    run_id: UUID
    from_station: str
    to_station: str
    passengers: tuple[WishedPassenger, ...]
    seat_ids: tuple[int, ...] = ()
    seat_class: str = ""

    def canonical(self) -> bytes:
        """The same request gives the same bytes, so that a reused id is told from a repetition."""
        return repr((self, "v1")).encode()


def plain_wish(body: dict[str, Any]) -> Wish | None:
    """
    A wish that is beyond doubt: every member there, none besides, each in its plainest form. None
    says nothing but that the schema has to look; what is a wish here is the same wish there.
    """
    try:
        seat_ids, seat_class = _choice(body)
        wish = Wish(
            run_id=UUID(_sure(body["run_id"], _RUN_ID)),
            from_station=_sure(body["from"], _STATION),
            to_station=_sure(body["to"], _STATION),
            passengers=tuple(map(_plain_passenger, _some(body["passengers"]))),
            seat_ids=seat_ids,
            seat_class=seat_class,
        )
    except _InDoubt:
        return None
    return wish


class _InDoubt(Exception):
    pass


def _choice(body: dict[str, Any]) -> tuple[tuple[int, ...], str]:
    if body.keys() == {*_MEMBERS, "seat_ids"}:
        seat_ids = _some(body["seat_ids"])
        if all(type(seat_id) is int and 1 <= seat_id <= SEAT_ID_MAX for seat_id in seat_ids):
            return tuple(seat_ids), ""
    elif body.keys() == {*_MEMBERS, "seat_class"}:
        return (), _sure(body["seat_class"], _SEAT_CLASS)
    raise _InDoubt


def _some(found: Any) -> list[Any]:
    if type(found) is list and 1 <= len(found) <= PASSENGERS_MAX:
        return found
    raise _InDoubt


def _sure(found: Any, pattern: re.Pattern[str]) -> str:
    if type(found) is str and pattern.fullmatch(found):
        return found
    raise _InDoubt


def _plain_passenger(found: Any) -> WishedPassenger:
    """What is printable holds no control characters; the schema trims, so nothing is trimmed."""
    if type(found) is not dict or found.keys() != _OF_A_PASSENGER:
        raise _InDoubt
    name, kind = found["name"], found["identity_kind"]
    is_name = type(name) is str and name.isprintable() and name == name.strip()
    if not is_name or not 1 <= len(name) <= NAME_LENGTH_MAX or kind not in IDENTITY_KINDS:
        raise _InDoubt
    return WishedPassenger(name, kind, _sure(found["identity_number"], _NUMBER))
