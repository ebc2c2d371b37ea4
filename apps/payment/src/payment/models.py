"""The tables of payment. The ledger is only ever added to, and each transfer in it sums to zero."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import UtcDateTime, new_database
from chassis.outbox import OutboxColumns
from payment.ledger import ACCOUNTS
from payment.payment_life import FAILURE, REFUND_STATES, STATES, UNPIN

db = new_database()


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Payment(db.Model):  # type: ignore[name-defined]
    """
    One attempt to pay for one order. The amount comes from order's pin and never changes.

    `reason` says why it was declined or has failed, `refusal` why its money must go back;
    `owed_to_order` is what order has to be told; `look_at` is when the reconciler looks next,
    `asked_at` when the provider was asked on a passenger's behalf;
    `refund_owed_minor` is the sum of all refunds on record, never above what there is to give.
    """

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint(_one_of("state", STATES), name="state"),
        CheckConstraint(_one_of("owed_to_order", (UNPIN, FAILURE)), name="owed_to_order"),
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        CheckConstraint("captured_minor >= 0", name="captured_minor"),
        CheckConstraint(
            "state NOT IN ('authorised', 'confirmed', 'captured', 'voided', 'refunded', 'failed')"
            " OR amount_minor IS NOT NULL",
            name="money_has_an_amount",
        ),
        CheckConstraint(
            "(state IN ('captured', 'refunded')) = (captured_minor > 0)", name="captured_is_known"
        ),
        CheckConstraint(
            "refund_owed_minor BETWEEN 0 AND coalesce(nullif(captured_minor, 0), amount_minor, 0)",
            name="refund_owed_minor",
        ),
        Index("ix_payment_order_id", "order_id"),
        Index("ix_payment_account_id", "account_id", "created_at"),
        Index("ix_payment_look_at", "look_at", postgresql_where="look_at IS NOT NULL"),
    )

    payment_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    order_id: Mapped[UUID] = mapped_column(Uuid)
    account_id: Mapped[UUID] = mapped_column(Uuid)
    return_url: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    refusal: Mapped[str | None] = mapped_column(Text)
    owed_to_order: Mapped[str | None] = mapped_column(Text)
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    contact_email: Mapped[str | None] = mapped_column(Text)
    contact_name: Mapped[str | None] = mapped_column(Text)
    session_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    redirect_url: Mapped[str | None] = mapped_column(Text)
    captured_minor: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    refund_owed_minor: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    look_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checks: Mapped[int] = mapped_column(default=0, server_default="0")


class Refund(db.Model):  # type: ignore[name-defined]
    """Money that goes back: a record of its own, executed at the provider by the worker."""

    __tablename__ = "refund"
    __table_args__ = (
        CheckConstraint(_one_of("state", REFUND_STATES), name="state"),
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        Index("ix_refund_payment_id", "payment_id"),
        Index("ix_refund_due_at", "due_at", postgresql_where="state = 'requested'"),
    )

    refund_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    payment_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("payment.payment_id"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    last_error: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LedgerEntry(db.Model):  # type: ignore[name-defined]
    """One side of a transfer. The database refuses to change it, or a transfer that is lopsided."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0", name="amount_minor"),
        CheckConstraint(_one_of("account", ACCOUNTS), name="account"),
        Index("ix_ledger_entry_transfer_id", "transfer_id"),
        Index("ix_ledger_entry_payment_id", "payment_id"),
    )

    entry_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    transfer_id: Mapped[UUID] = mapped_column(Uuid)
    account: Mapped[str] = mapped_column(Text)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    posted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    payment_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("payment.payment_id"))
    refund_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("refund.refund_id"))


class ProviderEvent(db.Model):  # type: ignore[name-defined]
    """A genuine webhook, kept once however often it came. A hint, never the truth."""

    __tablename__ = "provider_event"
    __table_args__ = (Index("ix_provider_event_session_id", "session_id"),)

    event_id: Mapped[str] = mapped_column(Text, primary_key=True)
    event_type: Mapped[str] = mapped_column(Text)
    session_id: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Irregularity(db.Model):  # type: ignore[name-defined]
    """Something about a payment that a person should look at; the money is already safe."""

    __tablename__ = "irregularity"

    irregularity_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    payment_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("payment.payment_id"))
    kind: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Outbox(OutboxColumns, db.Model):  # type: ignore[name-defined]
    """What leaves payment: mails."""
