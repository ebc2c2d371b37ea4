"""
Reads. Each is a transaction of its own that has ended when the row is there, so that no
connection is held while a neighbour is asked.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select, tuple_

from chassis.database import Statement, read_rows
from payment.models import Irregularity, Payment, Refund, db
from payment.payment_life import REQUESTED, UNPIN

Record = Row[Any]
PAYMENTS_MAX = 100


def with_columns(statement: str) -> str:
    """
    Name the columns where PAYMENT_COLUMNS stands: a prepared statement that says `*` breaks when
    a migration adds one.
    """
    return statement.replace("PAYMENT_COLUMNS", ", ".join(Payment.__table__.columns.keys()))


PAYMENT_BY_ID = Statement(
    "payment_by_id",
    {"payment_id": "uuid"},
    with_columns("SELECT PAYMENT_COLUMNS FROM payment WHERE payment_id = :payment_id"),
)


def payment_by_id(payment_id: UUID) -> Record | None:
    rows = read_rows(db, PAYMENT_BY_ID, {"payment_id": payment_id})
    return rows[0] if rows else None


def payment_of(account_id: UUID, payment_id: UUID) -> Record | None:
    payment = payment_by_id(payment_id)
    return payment if payment is not None and payment.account_id == account_id else None


def payments_of(account_id: UUID, order_id: UUID | None) -> list[Record]:
    """The account's payments, the newest first."""
    wanted = select(Payment.__table__).where(Payment.account_id == account_id)
    if order_id is not None:
        wanted = wanted.where(Payment.order_id == order_id)
    return _rows(wanted.order_by(Payment.created_at.desc()).limit(PAYMENTS_MAX))


def payments_owing_unpin(account_id: UUID, order_id: UUID) -> list[Record]:
    """Payments that were given up and of which order has not been told yet."""
    wanted = select(Payment.__table__).where(
        Payment.account_id == account_id,
        Payment.order_id == order_id,
        Payment.owed_to_order == UNPIN,
    )
    return _rows(wanted.limit(PAYMENTS_MAX))


def refund_by_id(refund_id: UUID) -> Record | None:
    rows = _rows(select(Refund.__table__).where(Refund.refund_id == refund_id))
    return rows[0] if rows else None


def refunds_of(payment_ids: list[UUID]) -> dict[UUID, list[Record]]:
    """The refunds by payment, the oldest first."""
    if not payment_ids:
        return {}
    found: dict[UUID, list[Record]] = {payment_id: [] for payment_id in payment_ids}
    wanted = select(Refund.__table__).where(Refund.payment_id.in_(payment_ids))
    for refund in _rows(wanted.order_by(Refund.created_at, Refund.refund_id)):
        found[refund.payment_id].append(refund)
    return found


def is_refund_asked(payment_id: UUID) -> bool:
    """Only order asks for refunds of money that is still on its way, so it did confirm."""
    asked = select(Refund.refund_id).where(
        Refund.payment_id == payment_id, Refund.state == REQUESTED
    )
    return bool(_rows(asked.limit(1)))


def irregularities(*, before: UUID | None, limit: int) -> list[Record]:
    """The newest first; after an unknown `before` there is nothing."""
    place = (Irregularity.noted_at, Irregularity.irregularity_id)
    wanted = select(Irregularity.__table__)
    if before is not None:
        reached = select(*place).where(Irregularity.irregularity_id == before)
        wanted = wanted.where(tuple_(*place) < reached.scalar_subquery())
    return _rows(wanted.order_by(*(column.desc() for column in place)).limit(limit))


def _rows(wanted: Select[Any]) -> list[Record]:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return list(connection.execute(wanted).all())
