"""What registration reads from the environment; a key that is malformed stops the start."""

from dataclasses import dataclass
from typing import cast

from flask import current_app

from chassis.keys import PublicKey, SigningKey
from chassis.settings import ServiceSettings
from registration.keyed_hash import HashKey
from registration.sealing import SealingKey


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    access_token_key: SigningKey
    access_token_previous_key: PublicKey | None = None
    identity_key: SealingKey
    identity_previous_key: SealingKey | None = None
    hash_key: HashKey
    codes_per_mail_hour: int = 5
    # Mobile networks put many people behind one address, so these only stop machines.
    codes_per_address_hour: int = 60
    sign_ins_per_account_and_address: int = 10
    sign_ins_per_account: int = 50
    sign_ins_per_address: int = 100
    sign_in_window_seconds: int = 300

    @property
    def identity_keys(self) -> list[SealingKey]:
        """The key that seals, then the one whose values may still be about."""
        keys = (self.identity_key, self.identity_previous_key)
        return [key for key in keys if key is not None]


def settings() -> Settings:
    return cast("Settings", current_app.extensions["settings"])
