"""
What registration keeps. Identity numbers are sealed, with a mask beside them so that no read needs
the key; codes and refresh tokens are kept as keyed hashes only.
"""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, SmallInteger, Text, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.database import UtcDateTime, new_database
from chassis.outbox import OutboxColumns
from registration.one_time_code import TRIES_MAX

db = new_database()
if TYPE_CHECKING:

    class Model(DeclarativeBase):
        pass
else:
    Model = db.Model


class Account(Model):
    """Who signs in and pays. Accounts made by staff's command have no mobile and no document."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_is_lower_case"),
        CheckConstraint(
            "num_nulls(identity_kind, identity_sealed, identity_masked, identity_digest) IN (0, 4)",
            name="identity_is_whole",
        ),
    )

    account_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    email: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    mobile: Mapped[str | None] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    is_staff: Mapped[bool] = mapped_column(default=False, server_default="false")
    identity_kind: Mapped[str | None] = mapped_column(Text)
    identity_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    identity_masked: Mapped[str | None] = mapped_column(Text)
    identity_digest: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def roles(self) -> list[str]:
        return ["staff"] if self.is_staff else []


class CodeColumns:
    """A one-time code that is out for something, and how often it was guessed at."""

    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    code_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    code_tries: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def _tries_are_bounded() -> CheckConstraint:
    return CheckConstraint(f"code_tries BETWEEN 0 AND {TRIES_MAX}", name="tries_are_bounded")


class PendingRegistration(CodeColumns, Model):
    """
    Somebody who says that a mailbox is theirs. Several may wait for one mailbox; none of them
    takes anything from the others until its code is confirmed.
    """

    __tablename__ = "pending_registration"
    __table_args__ = (_tries_are_bounded(),)

    registration_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(Uuid)
    request_digest: Mapped[bytes] = mapped_column(LargeBinary)
    email: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    mobile: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    identity_kind: Mapped[str] = mapped_column(Text)
    identity_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    identity_masked: Mapped[str] = mapped_column(Text)
    identity_digest: Mapped[bytes] = mapped_column(LargeBinary)
    resend_after_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class PasswordReset(CodeColumns, Model):
    """A wish for a new password; without an account when the address is unknown."""

    __tablename__ = "password_reset"
    __table_args__ = (_tries_are_bounded(),)

    reset_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    email_digest: Mapped[bytes] = mapped_column(LargeBinary)
    account_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("account.account_id", ondelete="CASCADE"), index=True
    )


class Session(Model):
    """One sign-in on one device, and the family of the refresh tokens that followed from it."""

    __tablename__ = "session"

    session_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("account.account_id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_because: Mapped[str | None] = mapped_column(Text)


class RefreshToken(Model):
    """`successor_salt` and `rotated_at` are set when the token is used, which it is once."""

    __tablename__ = "refresh_token"
    __table_args__ = (
        CheckConstraint("num_nulls(rotated_at, successor_salt) IN (0, 2)", name="use_is_whole"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("session.session_id", ondelete="CASCADE"), index=True
    )
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    successor_salt: Mapped[str | None] = mapped_column(Text)


class SavedPassenger(Model):
    """Somebody an account buys for; two may share a document (a child travels on a parent's)."""

    __tablename__ = "saved_passenger"

    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("account.account_id", ondelete="CASCADE"), primary_key=True
    )
    passenger_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    identity_kind: Mapped[str] = mapped_column(Text)
    identity_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    identity_masked: Mapped[str] = mapped_column(Text)
    identity_digest: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Outbox(OutboxColumns, Model):
    """Mails that are to leave; what they say is taken out once they have."""
