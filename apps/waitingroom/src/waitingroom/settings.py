"""What the waiting room reads from the environment; a key that is malformed stops the start."""

from dataclasses import dataclass

from chassis.keys import PublicKey, SigningKey
from chassis.settings import ServiceSettings
from waitingroom.inlet import Bounds
from waitingroom.signing import PlaceKey


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    admission_key: SigningKey
    admission_previous_key: PublicKey | None = None
    place_key: PlaceKey
    place_previous_key: PlaceKey | None = None
    order_url: str = "http://127.0.0.1:8083"
    ticket_url: str = "http://127.0.0.1:8082"
    # Where the now-serving files are written for nginx or a CDN; nowhere when empty.
    now_serving_folder: str = ""
    pass_seconds: int = 300
    window_seconds: float = 0.25
    hot_seconds_max: int = 7_200
    # A window whose line stays empty for so long is over.
    calm_seconds: int = 300
    joins_per_account_minute: int = 60
    admissions_per_account_minute: int = 60
    # Mobile networks put many people behind one address, so this only stops machines.
    requests_per_address_minute: int = 6_000
    pace_start: float = 20.0
    pace_min: float = 1.0
    pace_max: float = 1_000.0
    pace_step: float = 10.0
    pace_decrease: float = 0.5
    # Of a placed order's 95th percentile, and of the eight requests that a pod can have in hand:
    # well below what order could just bear, since others who are not in the line want it too.
    slow_seconds_max: float = 0.05
    in_flight_max: float = 2.0
    # How long before an opening of the catalogue its window is made; never when 0.
    windows_ahead_seconds: int = 86_400
    # An opening that is set at shorter notice is left to whoever sets it.
    windows_notice_seconds: int = 900
    block_size: int = 200
    lease_seconds: float = 1.0

    @property
    def published_keys(self) -> list[PublicKey]:
        """The key that signs passes, then the one whose passes may still be about."""
        keys = (self.admission_key, self.admission_previous_key)
        return [key for key in keys if key is not None]

    @property
    def bounds(self) -> Bounds:
        return Bounds(
            people_per_second_min=self.pace_min,
            people_per_second_max=self.pace_max,
            step=self.pace_step,
            decrease=self.pace_decrease,
            slow_seconds_max=self.slow_seconds_max,
            in_flight_max=self.in_flight_max,
        )
