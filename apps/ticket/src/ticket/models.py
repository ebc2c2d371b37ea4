"""
The catalogue's tables.

What a train offers is dated: stops, coaches and fares come in sets, each in force from its
`from_date` until the next set's. What a run offers is written down once a version and never
changed, so that whoever sold by a version can read it for ever.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import UtcDateTime, new_database

db = new_database()


class Catalogue(db.Model):  # type: ignore[name-defined]
    """
    One row. Every writer raises its version first and so holds the row until it commits: writers
    come one after the other, and readers see by one number whether anything changed.
    """

    __tablename__ = "catalogue"
    __table_args__ = (CheckConstraint("catalogue_id = 1", name="one_row"),)

    catalogue_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)


class Station(db.Model):  # type: ignore[name-defined]
    """`timezone` is NULL where the station keeps the clock of the train's railway."""

    __tablename__ = "station"

    station_code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_bn: Mapped[str] = mapped_column(Text)
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    zone: Mapped[str] = mapped_column(Text)
    timezone: Mapped[str | None] = mapped_column(Text)


class SeatClass(db.Model):  # type: ignore[name-defined]
    __tablename__ = "seat_class"
    __table_args__ = (
        CheckConstraint("refund_category IN ('ac', 'first', 'other')", name="refund_category"),
    )

    seat_class: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_bn: Mapped[str] = mapped_column(Text)
    refund_category: Mapped[str] = mapped_column(Text)


class Train(db.Model):  # type: ignore[name-defined]
    """`is_imported` trains end when a newer timetable leaves them out; those of staff do not."""

    __tablename__ = "train"

    train_number: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_bn: Mapped[str] = mapped_column(Text)
    running_days: Mapped[str] = mapped_column(Text)
    zone: Mapped[str] = mapped_column(Text)
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]
    timezone: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    is_imported: Mapped[bool]


class TrainDate(db.Model):  # type: ignore[name-defined]
    """An exception to a train's running days."""

    __tablename__ = "train_date"

    train_number: Mapped[str] = mapped_column(ForeignKey("train.train_number"), primary_key=True)
    service_date: Mapped[date] = mapped_column(primary_key=True)
    runs: Mapped[bool]


class TrainStop(db.Model):  # type: ignore[name-defined]
    __tablename__ = "train_stop"

    train_number: Mapped[str] = mapped_column(ForeignKey("train.train_number"), primary_key=True)
    from_date: Mapped[date] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    station_code: Mapped[str] = mapped_column(ForeignKey("station.station_code"))
    arrives_minute: Mapped[int | None]
    departs_minute: Mapped[int | None]


class Coach(db.Model):  # type: ignore[name-defined]
    __tablename__ = "coach"
    __table_args__ = (
        CheckConstraint(
            "rows > 0 AND left_seats >= 0 AND right_seats >= 0 AND left_seats + right_seats > 0",
            name="has_seats",
        ),
    )

    train_number: Mapped[str] = mapped_column(ForeignKey("train.train_number"), primary_key=True)
    from_date: Mapped[date] = mapped_column(primary_key=True)
    coach_number: Mapped[int] = mapped_column(primary_key=True)
    letter: Mapped[str] = mapped_column(Text)
    letter_bn: Mapped[str] = mapped_column(Text)
    seat_class: Mapped[str] = mapped_column(ForeignKey("seat_class.seat_class"))
    rows: Mapped[int]
    left_seats: Mapped[int]
    right_seats: Mapped[int]


class Fare(db.Model):  # type: ignore[name-defined]
    __tablename__ = "fare"
    __table_args__ = (CheckConstraint("0 <= vat_minor AND vat_minor <= price_minor", name="price"),)

    train_number: Mapped[str] = mapped_column(ForeignKey("train.train_number"), primary_key=True)
    from_date: Mapped[date] = mapped_column(primary_key=True)
    seat_class: Mapped[str] = mapped_column(ForeignKey("seat_class.seat_class"), primary_key=True)
    from_code: Mapped[str] = mapped_column(ForeignKey("station.station_code"), primary_key=True)
    to_code: Mapped[str] = mapped_column(ForeignKey("station.station_code"), primary_key=True)
    price_minor: Mapped[int]
    vat_minor: Mapped[int]


class Run(db.Model):  # type: ignore[name-defined]
    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint("state IN ('scheduled', 'cancelled')", name="state"),
        Index("uq_run_train_number_service_date", "train_number", "service_date", unique=True),
        Index("ix_run_service_date", "service_date"),
    )

    run_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    train_number: Mapped[str] = mapped_column(ForeignKey("train.train_number"))
    service_date: Mapped[date]
    state: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    cancellation_reason: Mapped[str | None] = mapped_column(Text)


class Plan(db.Model):  # type: ignore[name-defined]
    """
    The part of a definition that does not depend on the date (classes, coaches, seats, fares),
    stored once under the hash of its text: eleven days of a train share one row. Kept as text,
    so that the bytes served are the bytes written.
    """

    __tablename__ = "plan"

    plan_id: Mapped[str] = mapped_column(Text, primary_key=True)
    content: Mapped[str] = mapped_column(Text)


class RunVersion(db.Model):  # type: ignore[name-defined]
    """`head` is the rest of the definition; a trigger refuses every UPDATE of a row."""

    __tablename__ = "run_version"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.run_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plan.plan_id"))
    head: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RunChange(db.Model):  # type: ignore[name-defined]
    """Written only by a holder of the catalogue's row: cursors become visible in their order."""

    __tablename__ = "run_change"

    cursor: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("run.run_id"))
    version: Mapped[int]
    state: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SalesWindow(db.Model):  # type: ignore[name-defined]
    """For one run, or for a train's or a zone's runs of `[from_date, until_date)`."""

    __tablename__ = "sales_window"
    __table_args__ = (
        CheckConstraint("num_nonnulls(run_id, train_number, zone) = 1", name="one_scope"),
        CheckConstraint("run_id IS NOT NULL OR from_date < until_date", name="dates"),
    )

    sales_window_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("run.run_id"))
    train_number: Mapped[str | None] = mapped_column(ForeignKey("train.train_number"))
    zone: Mapped[str | None] = mapped_column(Text)
    from_date: Mapped[date | None]
    until_date: Mapped[date | None]
    opens_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class StaffChange(db.Model):  # type: ignore[name-defined]
    """Who changed what, and how it was before; never updated."""

    __tablename__ = "staff_change"

    change_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(Uuid)
    email: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    before: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[Any] = mapped_column(JSONB)


class TimetableLoad(db.Model):  # type: ignore[name-defined]
    __tablename__ = "timetable_load"

    load_id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    content_hash: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    licence: Mapped[str] = mapped_column(Text)
    retrieved_date: Mapped[date | None]
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
