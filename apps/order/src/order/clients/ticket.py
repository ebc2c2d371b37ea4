"""What order asks of the catalogue."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis.peers import Peer, PeerRefused


@dataclass(frozen=True)
class DefinitionAnswer:
    """`definition` is None where the one of the given ETag is still current."""

    definition: dict[str, Any] | None
    etag: str


@dataclass(frozen=True)
class RunChange:
    cursor: int
    run_id: UUID
    version: int
    state: str


class TicketClient:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def definition(self, run_id: UUID, *, etag: str = "") -> DefinitionAnswer | None:
        """None where there is no such run."""
        headers = {"If-None-Match": etag} if etag else {}
        try:
            answer = self._peer.ask("GET", f"/api/ticket/runs/{run_id}", headers=headers)
        except PeerRefused as refused:
            if refused.status == 404:
                return None
            raise
        if answer.status_code == 304:
            return DefinitionAnswer(None, etag)
        return DefinitionAnswer(answer.json(), answer.headers.get("ETag", ""))

    def changes(self, *, after: int, limit: int = 100) -> list[RunChange]:
        path = f"/api/ticket/run-changes?after={after}&limit={limit}"
        found = self._peer.ask("GET", path).json()["changes"]
        return [RunChange(c["cursor"], UUID(c["run_id"]), c["version"], c["state"]) for c in found]
