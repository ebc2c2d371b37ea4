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
from sqlalchemy import Index, Text, Uuid, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from chassis.database import Statement, UtcDateTime, read_rows, transaction

LEASE_SECONDS = 60
BACKOFF_SECONDS_MAX = 300
_log = logging.getLogger(__name__)

# Asked for several times a second by each worker, mostly in vain.
LEASE = Statement(
    "outbox_lease",
    {"topic": "text", "now": "timestamptz", "until": "timestamptz", "limit": "int"},
    """
WITH due AS MATERIALIZED (
    SELECT message_id FROM outbox
    WHERE topic = :topic AND delivered_at IS NULL AND due_at <= :now
    ORDER BY due_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox SET due_at = :until, attempts = attempts + 1
FROM due WHERE outbox.message_id = due.message_id
RETURNING outbox.message_id, outbox.topic, outbox.payload, outbox.attempts
""",
)
MARK_DELIVERED = Statement(
    "outbox_mark_delivered",
    {"message_id": "uuid", "now": "timestamptz"},
    """
UPDATE outbox SET delivered_at = :now, last_error = NULL
WHERE message_id = :message_id
RETURNING message_id
""",
)


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
    arrived. A message is leased first, in a statement by itself, so no network call happens
    inside a transaction and a worker that dies only delays it by the lease.

    After half of the lease no message is begun; what is left goes back at once, so that a slow
    receiver is not told the same by two workers. One call of `handler` has the other half.
    """
    leased_until = now + timedelta(seconds=lease_seconds)
    messages = _lease(db, topic, now=now, until=leased_until, limit=limit)
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
            read_rows(
                db, MARK_DELIVERED, {"message_id": message.message_id, "now": _after(now, began)}
            )
            delivered += 1
    return delivered


def _after(now: datetime, began: float) -> datetime:
    return now + timedelta(seconds=time.monotonic() - began)


def _lease(
    db: SQLAlchemy, topic: str, *, now: datetime, until: datetime, limit: int
) -> list[Message]:
    values = {"topic": topic, "now": now, "until": until, "limit": limit}
    return [
        Message(row.message_id, row.topic, row.payload, row.attempts)
        for row in read_rows(db, LEASE, values)
    ]


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
