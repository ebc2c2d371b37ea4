"""
The tables of the waiting room. No row is written for a place: places are signed, and what must
outlive Redis is how many numbers were given out, at most.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    Identity,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import UtcDateTime, new_database

db = new_database()


class WaitingWindow(db.Model):  # type: ignore[name-defined]
    """
    `numbers_reserved` is the end of the last block of late numbers given to Redis; until
    `lease_until` Redis may give numbers of that block out, and nobody else may give any.
    `early_sketch` is a copy of Redis's HyperLogLog of early accounts. An `is_automatic` window
    follows the catalogue until staff change it; it is withdrawn when nothing opens then any more.
    """

    __tablename__ = "waiting_window"
    __table_args__ = (
        CheckConstraint("opens_at < closes_at", name="opens_before_it_closes"),
        CheckConstraint("stock IN ('open', 'sold_out', 'held_by_others')", name="stock"),
        CheckConstraint("octet_length(seed) = 32", name="seed"),
        CheckConstraint("serving >= 0 AND numbers_reserved >= 0", name="numbers"),
    )

    window_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    run_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    opens_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    seats_total: Mapped[int] = mapped_column(Integer)
    seed: Mapped[bytes] = mapped_column(LargeBinary)
    early_places: Mapped[int | None] = mapped_column(BigInteger)
    early_counted: Mapped[int] = mapped_column(BigInteger, server_default="0")
    early_sketch: Mapped[bytes | None] = mapped_column(LargeBinary)
    numbers_reserved: Mapped[int] = mapped_column(BigInteger, server_default="0")
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    serving: Mapped[int] = mapped_column(BigInteger, server_default="0")
    stock: Mapped[str] = mapped_column(Text, server_default="open")
    people_per_second: Mapped[float] = mapped_column(Float, server_default="0")
    calm_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cooled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_automatic: Mapped[bool] = mapped_column(server_default="false")
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Inlet(db.Model):  # type: ignore[name-defined]
    """The one pace at which people are let in to order, whatever window they wait in."""

    __tablename__ = "inlet"
    __table_args__ = (CheckConstraint("inlet_id = 1", name="only_one"),)

    inlet_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    people_per_second: Mapped[float] = mapped_column(Float)
    ticked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StaffChange(db.Model):  # type: ignore[name-defined]
    """Who of the staff wrote which window, and what it was before and after."""

    __tablename__ = "staff_change"

    change_id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    window_id: Mapped[UUID] = mapped_column(Uuid, index=True)
    account_id: Mapped[UUID] = mapped_column(Uuid)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)
