"""
Codes on their way out and back: sealed into the outbox, guessed at no more than five times.
"""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, update

from chassis.database import transaction
from chassis.outbox import enqueue
from chassis.problems import NotFound, Problem
from registration.models import Outbox, PasswordReset, PendingRegistration, db
from registration.one_time_code import (
    CODE_LIFETIME,
    TRIES_MAX,
    code_hash,
    fits,
    new_code,
    unguessable_hash,
)
from registration.settings import settings

NOTICE_LIFETIME = timedelta(days=1)


class WrongCode(Problem):
    status, code, title = 422, "wrong_code", "This is not the code that was sent."


class CodeExpired(Problem):
    status, code, title = 410, "code_expired", "The code has expired; please ask for a new one."


class TooManyTries(Problem):
    status, code, title = 410, "too_many_tries", "The code was tried too often; ask for a new one."


@dataclass(frozen=True)
class FreshCode:
    """`code` is empty for a mailbox that gets none; `kept_hash` fits nothing then."""

    code: str
    kept_hash: bytes
    expires_at: datetime

    def columns(self) -> dict[str, Any]:
        return {
            "code_hash": self.kept_hash,
            "code_expires_at": self.expires_at,
            "code_tries": 0,
        }


def fresh_code(subject_id: UUID, *, is_for_real: bool, now: datetime) -> FreshCode:
    """Whether there is a code to be guessed or not takes the same steps."""
    code = new_code()
    kept = code_hash(settings().hash_key, subject_id, code)
    if is_for_real:
        return FreshCode(code, kept, now + CODE_LIFETIME)
    return FreshCode("", unguessable_hash(), now + CODE_LIFETIME)


def enqueue_mail(mail: Any, *, to: str, now: datetime, lifetime: timedelta, code: str = "") -> None:
    """
    Write a mail (one of `mails.MAILS`) in the caller's transaction. The code is sealed: who
    reads the table reads no code, and a repeated delivery still sends the same one.
    """
    message_id = uuid4()
    sealed = settings().identity_key.seal(code, owner=f"mail:{message_id}")
    payload = {
        "mail": mail.__name__,
        "to": to,
        "code_sealed": base64.b64encode(sealed).decode(),
        "drop_at": (now + lifetime).isoformat(),
    }
    enqueue(db, Outbox, "mail", payload, now=now, message_id=message_id)


def count_try(
    model: type[PendingRegistration] | type[PasswordReset],
    subject_id: UUID,
    code: str,
    *,
    now: datetime,
) -> None:
    """
    Count one try, then compare. The count and its limit are one statement that is committed
    before the comparison, so however many guess at once, five are looked at.

    Raises:
        NotFound, CodeExpired, TooManyTries: there is no code to compare with.
        WrongCode: with the tries that are left; nothing else is changed by it.
    """
    is_subject = model.__mapper__.primary_key[0] == subject_id
    counted = (
        update(model)
        .where(is_subject, model.code_tries < TRIES_MAX, model.code_expires_at > now)
        .values(code_tries=model.code_tries + 1)
        .returning(model.code_hash, model.code_tries)
        .execution_options(synchronize_session=False)
    )
    with transaction(db) as session:
        found = session.execute(counted).one_or_none()
    if found is None:
        raise _why_none(is_subject, model, now)
    if not fits(settings().hash_key, subject_id, code, found.code_hash):
        raise WrongCode(tries_left=TRIES_MAX - found.code_tries)


def _why_none(
    is_subject: Any, model: type[PendingRegistration] | type[PasswordReset], now: datetime
) -> Problem:
    asking = select(model.code_expires_at, model.code_tries).where(is_subject)
    found = db.session.execute(asking).one_or_none()
    if found is None:
        return NotFound()
    return CodeExpired() if found.code_expires_at <= now else TooManyTries()
