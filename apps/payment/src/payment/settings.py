"""What payment reads from the environment."""

from dataclasses import dataclass

from chassis.settings import Secret, ServiceSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """
    `provider_events_url` is where the provider sends its webhooks: under PUBLIC_URL unless told
    otherwise. `session_margin_seconds` closes the provider's page a little before the hold ends,
    so that money which comes in time is in time for the seats as well.
    """

    peer_secret_payment_order: Secret
    peer_secret_order_payment: Secret
    provider_key: Secret
    provider_webhook_secret: Secret
    order_url: str = "http://127.0.0.1:8083"
    provider_url: str = "http://127.0.0.1:8090"
    provider_events_url: str = ""
    order_timeout_seconds: float = 3.0
    provider_timeout_seconds: float = 5.0
    session_margin_seconds: float = 10.0
    reconcile_after_seconds: float = 15.0
    abandon_after_seconds: float = 120.0
    late_money_hours: float = 24.0
