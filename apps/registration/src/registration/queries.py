"""What is read; nothing here changes anything."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from registration.models import Account, SavedPassenger, Session, db


def account(account_id: UUID) -> Account | None:
    return db.session.get(Account, account_id)


def account_of(email: str) -> Account | None:
    return db.session.scalar(select(Account).where(Account.email == email))


def passengers_of(account_id: UUID) -> list[SavedPassenger]:
    of_account = select(SavedPassenger).where(SavedPassenger.account_id == account_id)
    ordered = of_account.order_by(SavedPassenger.created_at, SavedPassenger.passenger_id)
    return list(db.session.scalars(ordered))


def is_live(session_id: UUID, now: datetime) -> bool:
    live = select(Session.session_id).where(
        Session.session_id == session_id, Session.revoked_at.is_(None), Session.expires_at > now
    )
    return db.session.scalar(live) is not None
