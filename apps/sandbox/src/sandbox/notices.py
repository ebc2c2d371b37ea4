"""
Webhooks: written beside the change they tell of, signed when they leave, repeated with growing
pauses until the shop answers 2xx, over restarts of the sandbox.
"""

import hashlib
import hmac
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from uuid import uuid4

from sandbox.cards import Notice
from sandbox.posting import Poster
from sandbox.store import Connection, Store

SEND_SECONDS = 5.0
LEASE_SECONDS = 12.0
RETRY_SECONDS_MAX = 60.0
ATTEMPTS_MAX = 200
LOST_ATTEMPTS = 2
OUT_OF_ORDER_SECONDS = 0.4
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    type: str
    session_id: str
    reference: str
    amount_minor: int
    currency: str
    webhook_url: str


@dataclass(frozen=True)
class Due:
    notice_id: int
    url: str
    body: str
    attempts: int
    attempts_lost: int


def signature(secret: str, body: bytes, *, now: float) -> str:
    """Sign the time with the body, so that an overheard notice grows old."""
    stamp = str(int(now))
    signed = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
    return f"t={stamp},v1={signed.hexdigest()}"


def announce(db: Connection, event: Event, notice: Notice, *, now: float) -> None:
    """Write the notices of an event, in the transaction of the change it tells of."""
    if notice == "never":
        return
    lost = LOST_ATTEMPTS if notice == "lost" else 0
    body = _body(event, event.type, now=now)
    if notice == "out_of_order" and event.type == "payment.authorised":
        early, stale = (
            _body(event, f"payment.{word}", now=now) for word in ("captured", "declined")
        )
        for turn, words in enumerate((early, body, stale)):
            _write(db, event, words, due_at=now + turn * OUT_OF_ORDER_SECONDS)
        return
    for _ in range(2 if notice == "twice" else 1):
        _write(db, event, body, due_at=now, attempts_lost=lost)


def _body(event: Event, event_type: str, *, now: float) -> str:
    return json.dumps(
        {
            "event_id": str(uuid4()),
            "type": event_type,
            "session_id": event.session_id,
            "reference": event.reference,
            "amount_minor": event.amount_minor,
            "currency": event.currency,
            "occurred_at": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
        }
    )


def _write(
    db: Connection, event: Event, body: str, *, due_at: float, attempts_lost: int = 0
) -> None:
    db.execute(
        "INSERT INTO notice (session_id, url, body, due_at, attempts_lost) VALUES (?, ?, ?, ?, ?)",
        (event.session_id, event.webhook_url, body, due_at, attempts_lost),
    )
    db.has_notices = True


def is_any_due(store: Store, *, now: float) -> bool:
    with store.reading() as db:
        return bool(
            db.execute("SELECT EXISTS (SELECT 1 FROM notice WHERE due_at <= ?)", (now,)).fetchone()[
                0
            ]
        )


def take_due(store: Store, *, now: float) -> Due | None:
    """Lease the notice that waits longest; a sandbox that dies with it delays it by the lease."""
    with store.writing() as db:
        row = db.execute(
            "SELECT notice_id, url, body, attempts + 1 AS attempts, attempts_lost FROM notice"
            " WHERE due_at <= ? ORDER BY due_at, notice_id LIMIT 1",
            (now,),
        ).fetchone()
        if row is None:
            return None
        db.execute(
            "UPDATE notice SET attempts = attempts + 1, due_at = ? WHERE notice_id = ?",
            (now + LEASE_SECONDS, row["notice_id"]),
        )
        return Due(**row)


def deliver(
    store: Store, due: Due, poster: Poster, *, secret: str, retry_seconds: float, now: float
) -> bool:
    """Send one leased notice and write down whether it arrived."""
    error = _send(due, poster, secret=secret, now=now)
    wait = min(retry_seconds * 2 ** min(due.attempts - 1, 16), RETRY_SECONDS_MAX)
    later = None if not error or due.attempts >= ATTEMPTS_MAX else now + wait
    with store.writing() as db:
        db.execute(
            "UPDATE notice SET due_at = ?, last_error = ?, delivered_at = ? WHERE notice_id = ?",
            (later, error, None if error else now, due.notice_id),
        )
    if error:
        _log.warning("notice %s, attempt %s: %s", due.notice_id, due.attempts, error)
    return not error


def _send(due: Due, poster: Poster, *, secret: str, now: float) -> str | None:
    """Give what went wrong, or nothing."""
    if due.attempts <= due.attempts_lost:
        return "lost on purpose"
    body = due.body.encode()
    headers = {
        "Content-Type": "application/json",
        "Railgate-Signature": signature(secret, body, now=now),
    }
    try:
        status = poster.post(due.url, body, headers)
    except (OSError, HTTPException, ValueError) as error:
        return type(error).__name__
    return None if 200 <= status < 300 else f"answered {status}"
