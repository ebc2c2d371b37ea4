"""
What must leave a service leaves through a table, written in the same transaction as the fact,
and is delivered at least once; whoever receives it tells repetitions by the message's id.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Index, Text, Uuid, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from chassis.database import UtcDateTime, transaction

LEASE_SECONDS = 60
BACKOFF_SECONDS_MAX = 300
_log = logging.getLogger(__name__)


class OutboxColumns:
    """Mix into a service's model: `class Outbox(OutboxColumns, db.Model)`."""

    __tablename__ = "outbox"

    message_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    topic: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    last_error: Mapped[str | None] = mapped_column(Text)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805
        undelivered = Index(
            "ix_outbox_undelivered",
            "topic",
            "due_at",
            postgresql_where="delivered_at IS NULL",
        )
        return (undelivered,)


@dataclass(frozen=True)
class Message:
    message_id: UUID
    topic: str
    payload: dict[str, Any]
    attempts: int


def enqueue(
    db: SQLAlchemy,
    outbox: Any,
    topic: str,
    payload: dict[str, Any],
    *,
    now: datetime,
    message_id: UUID | None = None,
) -> None:
    """
    Write the message in the caller's transaction. With a `message_id` that comes from the fact,
    the same fact never leaves twice under two ids.
    """
    values = {
        "message_id": message_id or uuid4(),
        "topic": topic,
        "payload": payload,
        "created_at": now,
        "due_at": now,
    }
    db.session.execute(insert(outbox).values(values).on_conflict_do_nothing())


def deliver_due(
    db: SQLAlchemy,
    outbox: Any,
    topic: str,
    handler: Callable[[Message], None],
    *,
    now: datetime,
    limit: int = 20,
    lease_seconds: float = LEASE_SECONDS,
) -> int:
    """
    Hand the due messages of a topic to `handler`, one after the other, and return how many
    arrived. A message is leased first, in a transaction of its own, so no network call happens
    inside one and a worker that dies only delays it by the lease.

    After half of the lease no message is begun; what is left goes back at once, so that a slow
    receiver is not told the same by two workers. One call of `handler` has the other half.
    """
    leased_until = now + timedelta(seconds=lease_seconds)
    messages = _lease(db, outbox, topic, now=now, until=leased_until, limit=limit)
    began, delivered = time.monotonic(), 0
    for place, message in enumerate(messages):
        if time.monotonic() - began > lease_seconds / 2:
            _hand_back(db, outbox, messages[place:], leased_until=leased_until, now=now)
            break
        try:
            handler(message)
        except Exception as error:  # noqa: BLE001 - any failure means "later again", never "lost"
            _log.warning("outbox %s %s: %s", topic, message.message_id, error)
            _put_back(db, outbox, message, error, now=_after(now, began))
        else:
            _mark_delivered(db, outbox, message, now=_after(now, began))
            delivered += 1
    return delivered


def _after(now: datetime, began: float) -> datetime:
    return now + timedelta(seconds=time.monotonic() - began)


def _lease(
    db: SQLAlchemy, outbox: Any, topic: str, *, now: datetime, until: datetime, limit: int
) -> list[Message]:
    due = (
        select(outbox.message_id)
        .where(outbox.topic == topic, outbox.delivered_at.is_(None), outbox.due_at <= now)
        .order_by(outbox.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    lease = (
        update(outbox)
        .where(outbox.message_id.in_(due.scalar_subquery()))
        .values(due_at=until, attempts=outbox.attempts + 1)
        .returning(outbox.message_id, outbox.topic, outbox.payload, outbox.attempts)
        .execution_options(synchronize_session=False)
    )
    with transaction(db) as session:
        return [Message(*row) for row in session.execute(lease)]


def _hand_back(
    db: SQLAlchemy, outbox: Any, messages: list[Message], *, leased_until: datetime, now: datetime
) -> None:
    """As if they had never been leased; what another worker has leased since stays his."""
    with transaction(db) as session:
        session.execute(
            update(outbox)
            .where(
                outbox.message_id.in_([message.message_id for message in messages]),
                outbox.due_at == leased_until,
            )
            .values(due_at=now, attempts=outbox.attempts - 1)
            .execution_options(synchronize_session=False)
        )


def _put_back(
    db: SQLAlchemy, outbox: Any, message: Message, error: Exception, *, now: datetime
) -> None:
    wait_seconds = min(2**message.attempts, BACKOFF_SECONDS_MAX)
    with transaction(db) as session:
        session.execute(
            update(outbox)
            .where(outbox.message_id == message.message_id)
            .values(due_at=now + timedelta(seconds=wait_seconds), last_error=str(error)[:500])
            .execution_options(synchronize_session=False)
        )


def _mark_delivered(db: SQLAlchemy, outbox: Any, message: Message, *, now: datetime) -> None:
    with transaction(db) as session:
        session.execute(
            update(outbox)
            .where(outbox.message_id == message.message_id)
            .values(delivered_at=now, last_error=None)
            .execution_options(synchronize_session=False)
        )
