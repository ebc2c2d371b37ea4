"""The pieces that the use cases share in one process."""

from dataclasses import dataclass
from typing import cast

from flask import current_app

from chassis.cache import SoftRedis, Throttle
from waitingroom import queries
from waitingroom.comers import Comers
from waitingroom.numbers import EarlyCount, Numbers
from waitingroom.settings import Settings
from waitingroom.signing import PlaceSigner
from waitingroom.windows import Windows


@dataclass(frozen=True)
class Parts:
    settings: Settings
    windows: Windows
    numbers: Numbers
    early_count: EarlyCount
    comers: Comers
    places: PlaceSigner
    throttle: Throttle


def build_parts(settings: Settings, soft_redis: SoftRedis) -> Parts:
    return Parts(
        settings=settings,
        windows=Windows(queries.told_windows, fresh_seconds=settings.window_seconds),
        numbers=Numbers(
            soft_redis, block_size=settings.block_size, lease_seconds=settings.lease_seconds
        ),
        early_count=EarlyCount(soft_redis),
        comers=Comers(soft_redis),
        places=PlaceSigner(settings.place_key, settings.place_previous_key),
        throttle=Throttle(soft_redis),
    )


def current_parts() -> Parts:
    return cast("Parts", current_app.extensions["parts"])
