"""What the use cases work with: the settings and the two neighbours, built once a process."""

from dataclasses import dataclass
from typing import cast

from flask import current_app

from chassis.peers import Peer
from payment.clients.order import OrderClient
from payment.clients.provider import ProviderClient
from payment.settings import Settings


@dataclass(frozen=True)
class Parts:
    settings: Settings
    order: OrderClient
    provider: ProviderClient


def build_parts(settings: Settings) -> Parts:
    order = Peer(
        "order",
        settings.order_url,
        caller="payment",
        secret=settings.peer_secret_payment_order,
        timeout_seconds=settings.order_timeout_seconds,
    )
    provider = Peer(
        "provider", settings.provider_url, timeout_seconds=settings.provider_timeout_seconds
    )
    events_url = settings.provider_events_url or (
        f"{settings.public_url.rstrip('/')}/api/payment/provider-events"
    )
    return Parts(
        settings=settings,
        order=OrderClient(order),
        provider=ProviderClient(provider, key=settings.provider_key, events_url=events_url),
    )


def current_parts() -> Parts:
    return cast("Parts", current_app.extensions["parts"])
