"""
The tables of order. `seat_claim` is the truth about seats: its exclusion constraint makes a double
sale impossible to write down.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
    literal_column,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB, ExcludeConstraint
from sqlalchemy.dialects.postgresql.ranges import Range
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import UtcDateTime, new_database
from chassis.outbox import OutboxColumns
from order.order_life import CLAIM_STATES, STATES

db = new_database()

SEAT_OVERLAP = "seat_claim_no_overlap"
PASSENGER_TWICE = "uq_seat_claim_passenger_on_run"
ORDER_SLOT = "uq_orders_slot"
ORDER_PNR = "uq_orders_pnr"


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Order(db.Model):  # type: ignore[name-defined]
    """
    `journey` keeps what the passenger was shown when the seats were claimed. `slot` is the
    order's place among the account's orders of a sale date: a third one finds none free.
    """

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(_one_of("state", STATES), name="state"),
        CheckConstraint("amount_minor >= 0", name="amount_minor"),
        CheckConstraint("(state = 'confirmed') <= (pnr IS NOT NULL)", name="confirmed_has_pnr"),
        Index(ORDER_PNR, "pnr", unique=True, postgresql_where="pnr IS NOT NULL"),
        Index(
            ORDER_SLOT,
            "account_id",
            "sale_date",
            "slot",
            unique=True,
            postgresql_where="state IN ('held', 'paying', 'confirmed')",
        ),
        Index("ix_orders_account_id", "account_id", "created_at"),
        Index(
            "ix_orders_live",
            "expires_at",
            postgresql_where="state IN ('held', 'paying')",
        ),
        Index(
            "ix_orders_run_id", "run_id", postgresql_where="state IN ('held','paying','confirmed')"
        ),
    )

    order_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(Uuid)
    request_digest: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text)
    run_id: Mapped[UUID] = mapped_column(Uuid)
    from_sequence: Mapped[int] = mapped_column(SmallInteger)
    to_sequence: Mapped[int] = mapped_column(SmallInteger)
    journey: Mapped[dict[str, Any]] = mapped_column(JSONB)
    departs_at: Mapped[datetime] = mapped_column(UtcDateTime)
    amount_minor: Mapped[int]
    online_charge_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(Text)
    contact_email: Mapped[str] = mapped_column(Text)
    contact_name: Mapped[str] = mapped_column(Text)
    sale_date: Mapped[date] = mapped_column(Date)
    slot: Mapped[int | None] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    payment_id: Mapped[UUID | None] = mapped_column(Uuid)
    pnr: Mapped[str | None] = mapped_column(Text)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_reason: Mapped[str | None] = mapped_column(Text)


class Passenger(db.Model):  # type: ignore[name-defined]
    """Who travels, in the order of the request; `position` counts from 1."""

    __tablename__ = "passenger"

    order_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("orders.order_id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    identity_kind: Mapped[str] = mapped_column(Text)
    identity_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    identity_masked: Mapped[str] = mapped_column(Text)
    seat_id: Mapped[int]
    seat_number: Mapped[str] = mapped_column(Text)
    coach_letter: Mapped[str] = mapped_column(Text)
    seat_class: Mapped[str] = mapped_column(Text)
    price_minor: Mapped[int]


class SeatClaim(db.Model):  # type: ignore[name-defined]
    """A seat on a leg, held until `expires_at` or sold."""

    __tablename__ = "seat_claim"
    __table_args__ = (
        CheckConstraint(_one_of("state", CLAIM_STATES), name="state"),
        CheckConstraint("NOT isempty(segments)", name="segments"),
        ExcludeConstraint(
            (literal_column("run_id"), "="),
            (literal_column("seat_id"), "="),
            (literal_column("segments"), "&&"),
            where=literal_column("state IN ('held', 'sold')"),
            name=SEAT_OVERLAP,
            using="gist",
        ),
        Index(
            PASSENGER_TWICE,
            "run_id",
            "passenger_digest",
            unique=True,
            postgresql_where="state IN ('held', 'sold')",
        ),
        Index("ix_seat_claim_order_id", "order_id"),
    )

    claim_id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    run_id: Mapped[UUID] = mapped_column(Uuid)
    seat_id: Mapped[int]
    segments: Mapped[Range[int]] = mapped_column(INT4RANGE)
    order_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("orders.order_id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(SmallInteger)
    passenger_digest: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Ticket(db.Model):  # type: ignore[name-defined]
    """Proof to ride for one passenger on one leg; issued, then perhaps void."""

    __tablename__ = "ticket"
    __table_args__ = (CheckConstraint(_one_of("state", ("issued", "void")), name="state"),)

    ticket_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    order_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("orders.order_id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ClosedRun(db.Model):  # type: ignore[name-defined]
    """A run that the catalogue has cancelled: nothing on it is sold or confirmed any more."""

    __tablename__ = "closed_run"

    run_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    closed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FollowedChange(db.Model):  # type: ignore[name-defined]
    """How far the catalogue's list of changes was read; one row."""

    __tablename__ = "followed_change"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    cursor: Mapped[int] = mapped_column(BigInteger)


class Outbox(OutboxColumns, db.Model):  # type: ignore[name-defined]
    """What leaves order: `ticket_mail` and `refund`."""
