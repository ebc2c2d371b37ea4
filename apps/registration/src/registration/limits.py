"""
How often mails may be asked for and passwords tried: by mailbox, so that nobody's is flooded or
guessed at, and by address, so that one machine does not try them all.
"""

from datetime import datetime
from typing import cast

from flask import current_app

from chassis.cache import Throttle
from registration.settings import settings

HOUR_SECONDS = 3600


def count_asking(*, why: str, address: str, now: datetime) -> None:
    """
    Count a request that hashes a password or sends a mail, new or repeated.

    Raises:
        TooManyRequests: the hour's share of the address is used up.
    """
    limit = settings().codes_per_address_hour
    _count(f"{why}:address", address, limit=limit, window_seconds=HOUR_SECONDS, now=now)


def count_mail(*, why: str, email: str, now: datetime) -> None:
    """
    Count a mail with a code. Registrations and resets count apart (`why`), so that a flood of
    the one cannot keep a person from the other.

    Raises:
        TooManyRequests: the hour's share of the mailbox is used up.
    """
    limit = settings().codes_per_mail_hour
    _count(f"{why}:mail", email, limit=limit, window_seconds=HOUR_SECONDS, now=now)


def count_sign_in(*, email: str, address: str, now: datetime) -> None:
    """
    Count a try before the password is looked at, so that parallel ones cannot slip through. An
    account's limit is stricter for one address than for all: nobody shuts another out by
    guessing from one machine.

    Raises:
        TooManyRequests: too many tries for the account (known or not) or from the address.
    """
    allowed = settings()
    for what, whose, limit in (
        ("sign-in:address", address, allowed.sign_ins_per_address),
        ("sign-in:account-address", f"{email} {address}", allowed.sign_ins_per_account_and_address),
        ("sign-in:account", email, allowed.sign_ins_per_account),
    ):
        _count(what, whose, limit=limit, window_seconds=allowed.sign_in_window_seconds, now=now)


def _count(what: str, whose: str, *, limit: int, window_seconds: int, now: datetime) -> None:
    """The key is a digest: Redis need not know who asks."""
    throttle = cast("Throttle", current_app.extensions["throttle"])
    key = f"{what}:{settings().hash_key.digest('throttle', what, whose).hex()[:32]}"
    throttle.count(key, limit=limit, window_seconds=window_seconds, now=now.timestamp())
