"""What the worker asks of order: its own measurements, and what is free."""

import logging
import socket
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from chassis.peers import Peer
from waitingroom.inlet import Stock
from waitingroom.legs import Leg
from waitingroom.pressure import Durations, read_durations

_log = logging.getLogger(__name__)


class OrderClient:
    def __init__(self, base_url: str, *, timeout_seconds: float = 1.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._peer = Peer("order", base_url, timeout_seconds=timeout_seconds)
        self._scraper = httpx.Client(timeout=timeout_seconds)

    def durations(self) -> dict[str, Durations]:
        """
        The measurements of each pod under its address: a headless service's name has all of them.
        A pod that does not answer is left out.
        """
        found = {}
        for address in self._addresses():
            try:
                answer = self._scraper.get(f"http://{address}/metrics").raise_for_status()
            except httpx.HTTPError as error:
                _log.warning("order at %s is not measured: %s", address, type(error).__name__)
                continue
            found[address] = read_durations(answer.text)
        return found

    def _addresses(self) -> list[str]:
        parts = urlsplit(self._base_url)
        host, port = parts.hostname or "", parts.port or 80
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            _log.warning("order's name is not found: %s", error)
            return []
        hosts = sorted({str(address[0]) for *_, address in found})
        return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in hosts]

    def stock(self, run_id: UUID, leg: Leg) -> Stock:
        """
        Raises:
            PeerRefused, PeerUnavailable: order does not say.
        """
        query = f"from={leg.from_station}&to={leg.to_station}"
        answer = self._peer.ask("GET", f"/api/order/runs/{run_id}/availability?{query}").json()
        return Stock(
            seats_free=sum(found["seats_free"] for found in answer["classes"]),
            seats_held=sum(found["seats_held"] for found in answer["classes"]),
        )
