"""What the ticket service is told by its environment."""

from dataclasses import dataclass

from chassis.settings import ServiceSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """
    `currency` is that of trains which staff make; imported ones bring their own.
    `online_charge_minor` is written into the definitions of runs, from the next version on.
    """

    currency: str = "BDT"
    online_charge_minor: int = 2_000
    days_ahead: int = 10
    snapshot_seconds: float = 1.0
