"""
Throwing away what nobody needs. Nothing that is right depends on it: expiry is judged where a
thing is used.
"""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete

from chassis.database import transaction
from registration.models import (
    Outbox,
    PasswordReset,
    PendingRegistration,
    RefreshToken,
    Session,
    db,
)

KEPT_AFTERWARDS = timedelta(days=7)


def throw_away(*, now: datetime) -> int:
    """Delete what has expired, and say how much that was."""
    worn_out = (
        delete(PendingRegistration).where(PendingRegistration.expires_at <= now),
        delete(PasswordReset).where(PasswordReset.code_expires_at <= now - timedelta(days=1)),
        delete(RefreshToken).where(RefreshToken.expires_at <= now),
        delete(Session).where(Session.expires_at <= now - KEPT_AFTERWARDS),
        delete(Session).where(Session.revoked_at <= now - KEPT_AFTERWARDS),
        delete(Outbox).where(Outbox.delivered_at <= now - KEPT_AFTERWARDS),
    )
    with transaction(db) as session:
        return sum(cast("CursorResult[Any]", session.execute(each)).rowcount for each in worn_out)
