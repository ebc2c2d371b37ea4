"""What the worker asks of the catalogue: a run's definition, and which runs there are."""

from typing import Any
from uuid import UUID

from chassis.peers import Peer


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
