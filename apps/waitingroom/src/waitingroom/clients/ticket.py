"""What the worker asks of the catalogue: a run's definition, and when sales open."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from chassis.peers import Peer
from waitingroom.openings import Opening


class TicketClient:
    def __init__(self, base_url: str) -> None:
        self._peer = Peer("ticket", base_url, timeout_seconds=2.0)

    def definition(self, run_id: UUID) -> dict[str, Any]:
        """
        Raises:
            PeerRefused: there is no such run.
            PeerUnavailable: the catalogue does not answer.
        """
        found: dict[str, Any] = self._peer.ask("GET", f"/api/ticket/runs/{run_id}").json()
        return found

    def openings(self, from_at: datetime, until_at: datetime) -> list[Opening]:
        """
        Raises:
            PeerRefused: the catalogue is older and does not know the question.
            PeerUnavailable: the catalogue does not answer.
        """
        query = urlencode({"from": from_at.isoformat(), "until": until_at.isoformat()})
        found = self._peer.ask("GET", f"/api/ticket/openings?{query}").json()["openings"]
        return [
            Opening(
                datetime.fromisoformat(opening["opens_at"]),
                {UUID(run["run_id"]): run["seats_total"] for run in opening["runs"]},
            )
            for opening in found
        ]
