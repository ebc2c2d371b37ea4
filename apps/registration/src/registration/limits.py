"""
How often mails may be asked for and passwords tried: by mailbox, so that nobody's is flooded or
guessed at, and by address, so that one machine does not try them all.
"""

from datetime import datetime
from typing import cast

from flask import current_app

from chassis.cache import Throttle
from chassis.problems import Problem
from registration.settings import settings

HOUR_SECONDS = 3600


class TooManyRequests(Problem):
    status, code, title = 429, "too_many_requests", "Please wait a little and try again."

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(
            f"This is possible again in {wait_seconds} seconds.",
            headers={"Retry-After": str(wait_seconds)},
        )


def count_code(*, why: str, email: str, address: str, now: datetime) -> None:
    """
    Count a mail with a code. Registrations and resets count apart (`why`), so that a flood of
    the one cannot keep a person from the other.

    Raises:
        TooManyRequests: the hour's share of the mailbox or the address is used up.
    """
    limits = settings()
    _count(f"{why}:address", address, limits.codes_per_address_hour, HOUR_SECONDS, now)
    _count(f"{why}:mail", email, limits.codes_per_mail_hour, HOUR_SECONDS, now)


def count_sign_in(*, email: str, address: str, now: datetime) -> None:
    """
    Count a try before the password is looked at, so that parallel ones cannot slip through.

    Raises:
        TooManyRequests: too many tries for the account (known or not) or from the address.
    """
    limits = settings()
    window_seconds = limits.sign_in_window_seconds
    _count("sign-in:address", address, limits.sign_ins_per_address, window_seconds, now)
    _count("sign-in:account", email, limits.sign_ins_per_account, window_seconds, now)


def _count(what: str, whose: str, limit: int, window_seconds: int, now: datetime) -> None:
    """The key is a digest: Redis need not know who asks."""
    throttle = cast("Throttle", current_app.extensions["throttle"])
    key = f"{what}:{settings().hash_key.digest('throttle', what, whose).hex()[:32]}"
    wait_seconds = throttle.wait_seconds(
        key, limit=limit, window_seconds=window_seconds, now=now.timestamp()
    )
    if wait_seconds:
        raise TooManyRequests(wait_seconds)
