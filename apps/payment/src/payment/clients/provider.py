"""
What payment asks of the provider. Every call may be repeated, and its query is the only truth
about a session; a 409 is the provider's final no, everything else but success means "not known".
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chassis.peers import Peer, PeerRefused, PeerUnavailable
from payment.payment_life import ProviderSession


class ProviderRefused(Exception):
    """The provider's final no."""


class ProviderClient:
    def __init__(self, peer: Peer, *, key: str, events_url: str) -> None:
        self._peer, self._key, self._events_url = peer, key, events_url

    def open_session(
        self,
        payment_id: UUID,
        *,
        amount_minor: int,
        currency: str,
        description: str,
        return_url: str,
        expires_at: datetime,
    ) -> ProviderSession:
        """
        Raises:
            PeerUnavailable, ProviderRefused
        """
        body = {
            "amount_minor": amount_minor,
            "currency": currency,
            "reference": str(payment_id),
            "description": description,
            "return_url": return_url,
            "webhook_url": self._events_url,
            "expires_at": expires_at.astimezone(UTC).isoformat(),
        }
        return _session(self._ask("PUT", f"/sessions/{payment_id}", body))

    def session(self, payment_id: UUID) -> ProviderSession | None:
        """
        Give nothing where the provider knows no such session.

        Raises:
            PeerUnavailable
        """
        try:
            return _session(self._ask("GET", f"/sessions/{payment_id}"))
        except ProviderRefused:
            return None

    def capture(self, payment_id: UUID, amount_minor: int) -> ProviderSession:
        """
        Raises:
            PeerUnavailable, ProviderRefused
        """
        body = {"amount_minor": amount_minor}
        return _session(self._ask("PUT", f"/sessions/{payment_id}/capture", body))

    def void(self, payment_id: UUID) -> None:
        """
        Raises:
            PeerUnavailable, ProviderRefused
        """
        self._ask("PUT", f"/sessions/{payment_id}/void")

    def refund(self, payment_id: UUID, refund_id: UUID, amount_minor: int) -> bool:
        """
        Give whether the money has left; the provider may take its time.

        Raises:
            PeerUnavailable, ProviderRefused
        """
        path = f"/sessions/{payment_id}/refunds/{refund_id}"
        return bool(self._ask("PUT", path, {"amount_minor": amount_minor})["state"] == "succeeded")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            answer = self._peer.ask(method, path, json=body, headers=headers).json()
        except PeerRefused as no:
            if no.status == 409 or (no.status, no.code) == (404, "session_not_found"):
                raise ProviderRefused(no.code) from no
            raise _unclear(str(no)) from no
        except ValueError as error:
            raise _unclear("no JSON") from error
        if not isinstance(answer, dict):
            raise _unclear("no JSON object")
        return answer


def _unclear(why: str) -> PeerUnavailable:
    return PeerUnavailable(f"provider: {why}", headers={"Retry-After": "2"})


def _session(answer: dict[str, Any]) -> ProviderSession:
    try:
        return ProviderSession(
            state=answer["state"],
            amount_minor=int(answer["captured_minor"] or answer["authorised_minor"]),
            currency=answer["currency"],
            page_url=answer["page_url"],
            reason=answer.get("reason") or "",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unclear("an answer of another form") from error
