"""What order reads from the environment."""

from dataclasses import dataclass

from chassis.settings import Secret, ServiceSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    identity_key: Secret
    hash_key: Secret
    peer_secret_payment_order: Secret
    peer_secret_order_payment: Secret
    ticket_url: str = "http://127.0.0.1:8082"
    payment_url: str = "http://127.0.0.1:8084"
    # Without one nobody waits: orders need no admission pass.
    waitingroom_url: str = ""
    hold_seconds: int = 300
    pin_seconds: int = 300
    seats_per_order_max: int = 4
    orders_per_day_max: int = 2
    # Holds opened a day, kept or not: who holds and releases in a loop is stopped here.
    holds_per_day_max: int = 12
    definition_seconds: float = 15.0
    snapshot_local_seconds: float = 0.25
    snapshot_shared_seconds: float = 1.0
    # Where nothing happens to a run's claims; 0 for no listening to changes.
    snapshot_longest_seconds: float = 20.0
    gate_seconds: float = 1.5
