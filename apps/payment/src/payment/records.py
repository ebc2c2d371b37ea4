"""
The writes that the use cases share. Each belongs inside its caller's transaction; each change of
state is one UPDATE that finds the row as it was read, or does nothing.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import insert, update

from chassis.database import execute, read_rows
from chassis.outbox import enqueue
from payment import statements
from payment.ledger import Posting
from payment.mails import Mail
from payment.models import Irregularity, LedgerEntry, Outbox, Payment, db
from payment.parts import Parts
from payment.payment_life import demand_allowed, look_again_at
from payment.queries import Record


def move(
    parts: Parts, payment: Record, state: str, *, now: datetime, **values: Any
) -> Record | None:
    """
    Give the payment as it is after it went from the state in which it was read to `state`;
    somebody else may have been quicker, and then nothing is written and nothing given.
    """
    values = _values_of_move(parts, payment, state, now=now, **values)
    return execute(db.session.connection(), statements.MOVE_PAYMENT, values).first()


def move_alone(
    parts: Parts, payment: Record, state: str, *, now: datetime, **values: Any
) -> Record | None:
    """The same as a transaction of its own, where nothing else is written with it."""
    values = _values_of_move(parts, payment, state, now=now, **values)
    return _first(read_rows(db, statements.MOVE_PAYMENT, values))


def move_and_post(
    parts: Parts,
    payment: Record,
    state: str,
    postings: tuple[Posting, ...],
    *,
    transfer_id: UUID,
    now: datetime,
    **values: Any,
) -> Record | None:
    """Also a transaction of its own; the postings are written only if the payment moves."""
    values = _values_of_move(parts, payment, state, now=now, **values)
    entries = {
        "transfer_id": transfer_id,
        "entry_ids": [_entry_id(transfer_id, posting) for posting in postings],
        "accounts": [posting.account for posting in postings],
        "amounts": [posting.amount_minor for posting in postings],
    }
    return _first(read_rows(db, statements.MOVE_AND_POST, {**values, **entries}))


def _first(rows: Sequence[Record]) -> Record | None:
    return rows[0] if rows else None


def _values_of_move(
    parts: Parts, payment: Record, state: str, *, now: datetime, **values: Any
) -> dict[str, Any]:
    """
    What is not given stays: `redirect_url` and `captured_minor` change with the state only, and
    the others are among what the payment is found by.
    """
    demand_allowed(payment.state, state)
    wanted = {
        "reason": payment.reason,
        "owed_to_order": None,
        "refusal": payment.refusal,
        "redirect_url": payment.redirect_url,
        "captured_minor": payment.captured_minor,
        "refund_owed_minor": payment.refund_owed_minor,
        "asked_at": None,
        **values,
    }
    again = next_look(
        parts, payment, state=state, reason=wanted["reason"],
        owes_order=wanted["owed_to_order"] is not None, checks=0, now=now,
    )  # fmt: skip
    return {
        **{f"to_{name}": value for name, value in wanted.items()},
        "to_state": state,
        "now": now,
        "look_at": again,
        "payment_id": payment.payment_id,
        "state": payment.state,
        "refusal": payment.refusal,
        "owed_to_order": payment.owed_to_order,
        "refund_owed_minor": payment.refund_owed_minor,
    }


def change(payment: Record, **values: Any) -> Record | None:
    """Write `values` if the payment still is as it was read, and give it as it is then."""
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
        .returning(*Payment.__table__.c)
        .execution_options(synchronize_session=False)
    )
    return db.session.execute(guarded).first()


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
    entries = [
        {
            "entry_id": _entry_id(transfer_id, posting),
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


def _entry_id(transfer_id: UUID, posting: Posting) -> UUID:
    """From the transfer's id, so that one transfer cannot be posted twice."""
    return uuid5(transfer_id, posting.account)


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
