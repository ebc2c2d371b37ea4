"""What order owes to payment: the refunds of what it cancels."""

from typing import Any
from uuid import UUID

from chassis.peers import Peer


class PaymentClient:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def refund(self, refund_id: UUID, owed: dict[str, Any]) -> None:
        """Repeatable: the refund's id tells payment what it has already taken note of."""
        self._peer.ask("PUT", f"/api/payment/refunds/{refund_id}", json=owed)
