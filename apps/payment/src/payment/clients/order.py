"""
What payment asks of order: pin, unpin, confirm, and take a confirmation back.

A refusal counts as order's final word only where it plainly is one; a 401 of a wrong secret or a
404 of a wrong address says nothing about the order.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.peers import Peer, PeerRefused, PeerUnavailable

FINAL_STATUSES = frozenset({409, 410, 422})
ORDER_NOT_FOUND = "order_not_found"


@dataclass(frozen=True, kw_only=True)
class Pin:
    account_id: UUID
    amount_minor: int
    currency: str
    pinned_until: datetime
    contact_email: str
    contact_name: str
    description: str


@dataclass(frozen=True)
class Refusal:
    """Order's final no, with its code."""

    code: str
    title: str = ""


class OrderClient:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def pin(self, order_id: UUID, payment_id: UUID) -> Pin | Refusal:
        """
        Raises:
            PeerUnavailable
        """
        try:
            answer = self._peer.ask("PUT", f"/api/order/orders/{order_id}/pins/{payment_id}")
        except PeerRefused as no:
            return _final(no)
        return _pin(answer.json())

    def unpin(self, order_id: UUID, payment_id: UUID) -> None:
        """
        After this order never says yes to the payment.

        Raises:
            PeerUnavailable
        """
        self._tell("DELETE", f"/api/order/orders/{order_id}/pins/{payment_id}")

    def confirm(
        self, order_id: UUID, payment_id: UUID, *, amount_minor: int, currency: str
    ) -> Refusal | None:
        """
        Give nothing for yes.

        Raises:
            PeerUnavailable: order may have said yes or not; asking again is harmless.
        """
        body = {"payment_id": str(payment_id), "amount_minor": amount_minor, "currency": currency}
        try:
            self._peer.ask("PUT", f"/api/order/orders/{order_id}/confirmation", json=body)
        except PeerRefused as no:
            return _final(no)
        return None

    def report_failure(self, order_id: UUID, payment_id: UUID, *, reason: str) -> None:
        """
        Raises:
            PeerUnavailable
        """
        body = {"payment_id": str(payment_id), "reason": reason}
        self._tell("PUT", f"/api/order/orders/{order_id}/payment-failure", json=body)

    def _tell(self, method: str, path: str, *, json: dict[str, str] | None = None) -> None:
        """An order that is not there, or is past it, needs not be told."""
        try:
            self._peer.ask(method, path, json=json)
        except PeerRefused as no:
            _final(no)


def _pin(body: dict[str, Any]) -> Pin:
    return Pin(
        account_id=UUID(body["account_id"]),
        amount_minor=int(body["amount_minor"]),
        currency=body["currency"],
        pinned_until=datetime.fromisoformat(body["pinned_until"]),
        contact_email=body["contact_email"],
        contact_name=body["contact_name"],
        description=body["description"],
    )


def _final(no: PeerRefused) -> Refusal:
    if no.status in FINAL_STATUSES or (no.status, no.code) == (404, ORDER_NOT_FOUND):
        return Refusal(no.code or "refused", str(no.problem.get("title", "")))
    raise PeerUnavailable(f"order: {no}", headers={"Retry-After": "1"}) from no
