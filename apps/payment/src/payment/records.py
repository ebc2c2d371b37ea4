"""
The writes that the use cases share. Each belongs inside its caller's transaction; each change of
state is one UPDATE that finds the row as it was read, or does nothing.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import insert, update

from chassis.outbox import enqueue
from payment.ledger import Posting
from payment.mails import Mail
from payment.models import Irregularity, LedgerEntry, Outbox, Payment, db
from payment.parts import Parts
from payment.payment_life import demand_allowed, look_again_at
from payment.queries import Record


def move(parts: Parts, payment: Record, state: str, *, now: datetime, **values: Any) -> bool:
    """
    Give whether the payment went from the state in which it was read to `state`; somebody else
    may have been quicker, and then nothing is written.
    """
    demand_allowed(payment.state, state)
    values = {"reason": payment.reason, "owed_to_order": None, **values}
    again = next_look(
        parts, payment, state=state, reason=values["reason"],
        owes_order=values["owed_to_order"] is not None, checks=0, now=now,
    )  # fmt: skip
    return change(payment, state=state, changed_at=now, look_at=again, checks=0, **values)


def change(payment: Record, **values: Any) -> bool:
    """Write `values` if the payment still is as it was read."""
    guarded = (
        update(Payment)
        .where(
            Payment.payment_id == payment.payment_id,
            Payment.state == payment.state,
            Payment.refusal.is_not_distinct_from(payment.refusal),
            Payment.owed_to_order.is_not_distinct_from(payment.owed_to_order),
            Payment.refund_owed_minor == payment.refund_owed_minor,
        )
        .values(values)
        .returning(Payment.payment_id)
        .execution_options(synchronize_session=False)
    )
    return db.session.execute(guarded).first() is not None


def next_look(
    parts: Parts,
    payment: Record,
    *,
    state: str,
    reason: str | None,
    owes_order: bool,
    checks: int,
    now: datetime,
) -> datetime | None:
    return look_again_at(
        state,
        reason=reason,
        owes_order=owes_order,
        checks=checks,
        created_at=payment.created_at,
        session_expires_at=payment.session_expires_at,
        now=now,
        first_seconds=parts.settings.reconcile_after_seconds,
        late_hours=parts.settings.late_money_hours,
    )


def post(
    payment_id: UUID,
    transfer_id: UUID,
    postings: tuple[Posting, ...],
    *,
    currency: str,
    now: datetime,
    refund_id: UUID | None = None,
) -> None:
    """The entries' ids come from the transfer's, so that one transfer cannot be posted twice."""
    entries = [
        {
            "entry_id": uuid5(transfer_id, posting.account),
            "transfer_id": transfer_id,
            "account": posting.account,
            "amount_minor": posting.amount_minor,
            "currency": currency,
            "posted_at": now,
            "payment_id": payment_id,
            "refund_id": refund_id,
        }
        for posting in postings
    ]
    db.session.execute(insert(LedgerEntry), entries)


def note(payment_id: UUID, kind: str, detail: str, *, now: datetime) -> None:
    """Leave something for a person to look at."""
    values = {
        "irregularity_id": uuid4(),
        "payment_id": payment_id,
        "kind": kind,
        "detail": detail,
        "noted_at": now,
    }
    db.session.execute(insert(Irregularity).values(values))


def write_mail(
    payment: Record,
    words: Callable[..., Mail],
    *,
    fact_id: UUID,
    amount_minor: int,
    currency: str,
    now: datetime,
) -> None:
    """`fact_id` is what the mail tells of: a fact is told once."""
    mail = words(
        name=payment.contact_name,
        description=payment.description,
        amount_minor=amount_minor,
        currency=currency,
    )
    payload = {"to": payment.contact_email, "subject": mail.subject, "text": mail.text}
    enqueue(db, Outbox, "mail", payload, now=now, message_id=uuid5(fact_id, "mail"))
