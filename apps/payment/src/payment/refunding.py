"""Executes the refunds on record at the provider: each once, and only of money that was taken."""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from chassis.database import run_statement, transaction
from chassis.peers import PeerUnavailable
from payment import mails, queries
from payment.clients.provider import ProviderRefused
from payment.ledger import refund_postings
from payment.models import Refund, db
from payment.parts import Parts
from payment.payment_life import (
    CAPTURED,
    MONEY_MAY_COME,
    NOT_NEEDED,
    REFUNDED,
    REFUSED,
    REQUESTED,
    SUCCEEDED,
)
from payment.queries import Record
from payment.records import move, note, post, write_mail
from payment.statements import IS_ANY_REFUND_DUE

LEASE_SECONDS = 60
WAIT_SECONDS_MAX = 300
BATCH = 5
_log = logging.getLogger(__name__)


def execute_due(*, parts: Parts, now: datetime) -> int:
    """
    Execute what is due and give how many refunds came to an end. A refund is leased first, so that
    two workers do not share it; what the provider did before a crash it does not do again.
    """
    if not run_statement(db, IS_ANY_REFUND_DUE, {"now": now}).is_any_due:
        return 0
    ended = 0
    for refund in _lease(now):
        try:
            ended += _execute(parts, refund, now)
        except Exception as error:  # noqa: BLE001 - any failure means "later again", never "lost"
            _log.warning("refund %s waits: %s", refund.refund_id, error)
            _put_back(refund, str(error), now)
    return ended


def _lease(now: datetime) -> list[Record]:
    due = (
        select(Refund.refund_id)
        .where(Refund.state == REQUESTED, Refund.due_at <= now)
        .order_by(Refund.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    lease = (
        update(Refund)
        .where(Refund.refund_id.in_(due.scalar_subquery()))
        .values(due_at=now + timedelta(seconds=LEASE_SECONDS), attempts=Refund.attempts + 1)
        .returning(*Refund.__table__.c)
        .execution_options(synchronize_session=False)
    )
    with transaction(db) as session:
        return list(session.execute(lease).all())


def _execute(parts: Parts, refund: Record, now: datetime) -> bool:
    payment = queries.payment_by_id(refund.payment_id)
    if payment is None or payment.state not in MONEY_MAY_COME | {REFUNDED}:
        with transaction(db):
            return _end(refund.refund_id, NOT_NEEDED, now)
    if payment.state not in {CAPTURED, REFUNDED}:
        raise PeerUnavailable("The money has not been taken yet.")
    try:
        has_left = parts.provider.refund(payment.payment_id, refund.refund_id, refund.amount_minor)
    except ProviderRefused as no:
        return _give_up(refund, str(no), now)
    if not has_left:
        raise PeerUnavailable("The provider has not sent the money yet.")
    return _book(parts, payment, refund, now)


def _book(parts: Parts, payment: Record, refund: Record, now: datetime) -> bool:
    amount_minor, currency = refund.amount_minor, refund.currency
    words = mails.refunded_unasked if payment.state == REFUNDED else mails.refunded
    with transaction(db):
        if not _end(refund.refund_id, SUCCEEDED, now):
            return False
        post(
            payment.payment_id, refund.refund_id, refund_postings(amount_minor),
            currency=currency, now=now, refund_id=refund.refund_id,
        )  # fmt: skip
        write_mail(
            payment, words, fact_id=refund.refund_id,
            amount_minor=amount_minor, currency=currency, now=now,
        )  # fmt: skip
        if payment.state == CAPTURED and _given_back(payment.payment_id) == payment.captured_minor:
            move(parts, payment, REFUNDED, now=now)
        return True


def _given_back(payment_id: UUID) -> int:
    given = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment_id, Refund.state == SUCCEEDED
    )
    return int(db.session.execute(given).scalar_one())


def _give_up(refund: Record, why: str, now: datetime) -> bool:
    """The provider will never do it: a person has to pay in another way."""
    with transaction(db):
        if not _end(refund.refund_id, REFUSED, now, last_error=why):
            return False
        note(refund.payment_id, "refund_refused", f"{refund.refund_id}: {why}", now=now)
        return True


def _end(refund_id: UUID, state: str, now: datetime, **values: Any) -> bool:
    ended = (
        update(Refund)
        .where(Refund.refund_id == refund_id, Refund.state == REQUESTED)
        .values(state=state, ended_at=now, **values)
        .returning(Refund.refund_id)
        .execution_options(synchronize_session=False)
    )
    return db.session.execute(ended).first() is not None


def _put_back(refund: Record, why: str, now: datetime) -> None:
    wait = timedelta(seconds=min(2 ** min(refund.attempts, 16), WAIT_SECONDS_MAX))
    with transaction(db) as session:
        session.execute(
            update(Refund)
            .where(Refund.refund_id == refund.refund_id, Refund.state == REQUESTED)
            .values(due_at=now + wait, last_error=why[:500])
            .execution_options(synchronize_session=False)
        )
