"""What a passenger asks for: a leg, who travels, and seats by name or by class."""

from dataclasses import dataclass
from uuid import UUID


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
