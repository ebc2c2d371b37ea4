"""The pieces that the use cases share in one process: caches, the gate and the clients."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from flask import Flask, current_app

from chassis.cache import SoftRedis
from chassis.peers import Peer
from order import queries
from order.admission import Admission, admission_at
from order.clients.payment import PaymentClient
from order.clients.ticket import TicketClient
from order.contention import Contention
from order.definitions import Definitions
from order.gate import Gate
from order.identity_number import IdentityNumbers
from order.settings import Settings
from order.snapshot import LiveClaim
from order.snapshots import Snapshots


@dataclass(frozen=True)
class Parts:
    settings: Settings
    admission: Admission
    definitions: Definitions
    snapshots: Snapshots
    gate: Gate
    contention: Contention
    identity_numbers: IdentityNumbers
    ticket: TicketClient
    payment: PaymentClient
    chance: random.Random


def build_parts(app: Flask, settings: Settings, soft_redis: SoftRedis) -> Parts:
    ticket = TicketClient(Peer("ticket", settings.ticket_url))
    payment = Peer(
        "payment",
        settings.payment_url,
        caller="order",
        secret=settings.peer_secret_order_payment,
    )
    return Parts(
        settings=settings,
        admission=admission_at(settings.waitingroom_url),
        definitions=Definitions(ticket, fresh_seconds=settings.definition_seconds),
        snapshots=Snapshots(
            soft_redis,
            _live_claims_of(app),
            local_seconds=settings.snapshot_local_seconds,
            shared_seconds=settings.snapshot_shared_seconds,
            longest_seconds=settings.snapshot_longest_seconds,
        ),
        gate=Gate(soft_redis, seconds=settings.gate_seconds),
        contention=Contention(),
        identity_numbers=IdentityNumbers(
            identity_key=settings.identity_key, hash_key=settings.hash_key
        ),
        ticket=ticket,
        payment=PaymentClient(payment),
        chance=random.Random(),
    )


def _live_claims_of(app: Flask) -> Callable[[UUID], list[LiveClaim]]:
    """Shortcuts have no context of Flask's, and the database's engines are the app's."""

    def live_claims(run_id: UUID) -> list[LiveClaim]:
        with app.app_context():
            return queries.live_claims(run_id)

    return live_claims


def current_parts() -> Parts:
    return parts_of(current_app)


def parts_of(app: Flask) -> Parts:
    return cast("Parts", app.extensions["parts"])
