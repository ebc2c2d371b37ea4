"""
Moves a payment on, as far as it goes now: the same code for a webhook, a passenger who comes back
and the reconciler. What was heard is only a hint; the provider and order are asked.

A step asks first, outside any transaction and in a way that may be repeated, and then writes one
guarded change, and gives the payment as it is then. A crash between the two leaves the step to be
done again; of two at once, one writes. Before money is let go of, order's no is put on record, the
pin is given up and order is asked once more: it cannot have said yes to somebody else meanwhile.
"""

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import insert, select

from chassis.database import run_statement, transaction
from chassis.peers import PeerUnavailable
from payment import mails, queries
from payment.clients.provider import ProviderRefused
from payment.ledger import capture_postings
from payment.models import Payment, Refund, db
from payment.parts import Parts
from payment.payment_life import (
    ABANDONED,
    AMOUNT_MISMATCH,
    AUTHORISED,
    CAPTURED,
    CONFIRMED,
    DECLINED,
    FAILED,
    FAILURE,
    PENDING,
    REFUNDED,
    REQUESTED,
    SESSION_EXPIRED,
    SESSION_LOST,
    UNPIN,
    VOIDED,
    ProviderSession,
    Step,
    Verdict,
    next_step,
    verdict_on,
)
from payment.queries import Record
from payment.records import (
    change,
    move,
    move_alone,
    move_and_post,
    next_look,
    note,
    post,
    write_mail,
)
from payment.statements import IS_ANY_DUE

STEPS_MAX = 12
BATCH = 20
_log = logging.getLogger(__name__)


def advance(*, parts: Parts, payment: Record, now: datetime) -> None:
    """
    Do step after step, until one has nothing to do or somebody else was quicker.

    Raises:
        PeerUnavailable: a neighbour did not answer; the reconciler comes back to it.
    """
    for _ in range(STEPS_MAX):
        step = next_step(
            payment.state,
            is_refused=payment.refusal is not None,
            owes_order=payment.owed_to_order is not None,
        )
        after = STEPS[step](parts, payment, now) if step is not None else None
        if after is None:
            break
        payment = after


def reconcile(*, parts: Parts, now: datetime) -> int:
    """
    Look at the payments that wait for something and whose time has come; give how many.

    Each is put off before it is looked at, so that two workers do not share one and a worker that
    dies only delays it.
    """
    if not run_statement(db, IS_ANY_DUE, {"now": now}).is_any_due:
        return 0
    due = _put_off_due(parts, now)
    for payment_id in due:
        try:
            payment = queries.payment_by_id(payment_id)
            if payment is not None:
                advance(parts=parts, payment=payment, now=now)
        except PeerUnavailable as silence:
            _log.warning("payment %s waits: %s", payment_id, silence)
        except Exception:  # noqa: BLE001 - one that fails must not hold up the others
            _log.exception("payment %s could not be advanced", payment_id)
    return len(due)


def _put_off_due(parts: Parts, now: datetime) -> list[UUID]:
    due = (
        select(Payment.__table__)
        .where(Payment.look_at <= now)
        .order_by(Payment.look_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    with transaction(db) as session:
        payments = session.execute(due).all()
        for payment in payments:
            again = next_look(
                parts, payment, state=payment.state, reason=payment.reason,
                owes_order=payment.owed_to_order is not None, checks=payment.checks + 1, now=now,
            )  # fmt: skip
            change(payment, look_at=again, checks=payment.checks + 1)
    return [payment.payment_id for payment in payments]


def _abandon(parts: Parts, payment: Record, now: datetime) -> Record | None:
    """Nobody has been sent to the provider, so nobody can pay."""
    if now < payment.created_at + timedelta(seconds=parts.settings.abandon_after_seconds):
        return None
    return move_alone(parts, payment, DECLINED, now=now, reason=ABANDONED, owed_to_order=UNPIN)


def _ask_provider(parts: Parts, payment: Record, now: datetime) -> Record | None:
    if payment.redirect_url is None:
        return None
    session = parts.provider.session(payment.payment_id)
    if session is None:
        return _give_up_lost(parts, payment, now)
    verdict = verdict_on(session, amount_minor=payment.amount_minor, currency=payment.currency)
    if verdict is Verdict.PAID:
        return move_alone(parts, payment, AUTHORISED, now=now, reason=None)
    if verdict is Verdict.PAID_WRONG:
        return _refuse_wrong_amount(parts, payment, session, now)
    if payment.state != PENDING:
        return None
    if verdict is Verdict.DECLINED:
        reason = session.reason or DECLINED
        return move_alone(parts, payment, DECLINED, now=now, reason=reason, owed_to_order=UNPIN)
    if verdict is Verdict.EXPIRED:
        # The pin lapses by itself; giving it up would shut the door on money that comes late.
        return move_alone(parts, payment, DECLINED, now=now, reason=SESSION_EXPIRED)
    return None


def _give_up_lost(parts: Parts, payment: Record, now: datetime) -> Record | None:
    """A session that the provider does not know can still turn up until its time is over."""
    bound = timedelta(seconds=parts.settings.abandon_after_seconds)
    if payment.state != PENDING or now < payment.session_expires_at + bound:
        return None
    with transaction(db):
        moved = move(parts, payment, DECLINED, now=now, reason=SESSION_LOST, owed_to_order=UNPIN)
        if moved is not None:
            note(payment.payment_id, SESSION_LOST, "The provider knows no such session.", now=now)
        return moved


def _refuse_wrong_amount(
    parts: Parts, payment: Record, session: ProviderSession, now: datetime
) -> Record | None:
    """Order is never asked about money that is not what it fixed."""
    asked = mails.price(payment.amount_minor, payment.currency)
    given = mails.price(session.amount_minor, session.currency)
    with transaction(db):
        moved = move(parts, payment, AUTHORISED, now=now, reason=None, refusal=AMOUNT_MISMATCH)
        if moved is not None:
            told = f"Asked for {asked}, given {given}."
            note(payment.payment_id, AMOUNT_MISMATCH, told, now=now)
        return moved


def _ask_order(parts: Parts, payment: Record, now: datetime) -> Record | None:
    no = _order_refuses(parts, payment)
    if no is None:
        return move_alone(parts, payment, CONFIRMED, now=now)
    with transaction(db):
        return change(payment, refusal=no)


def _order_refuses(parts: Parts, payment: Record) -> str | None:
    """Order's reason, or nothing where it says yes, or said it once and has cancelled since."""
    refusal = parts.order.confirm(
        payment.order_id,
        payment.payment_id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
    )
    if refusal is None or queries.is_refund_asked(payment.payment_id):
        return None
    return refusal.code


def _give_back(parts: Parts, payment: Record, now: datetime) -> Record | None:
    parts.order.unpin(payment.order_id, payment.payment_id)
    if payment.refusal != AMOUNT_MISMATCH and _order_refuses(parts, payment) is None:
        return move_alone(parts, payment, CONFIRMED, now=now, refusal=None)
    session = parts.provider.session(payment.payment_id)
    if session is not None and session.is_captured:
        return _owe_all_of_it(parts, payment, session, now)
    try:
        parts.provider.void(payment.payment_id)
    except ProviderRefused:
        session = parts.provider.session(payment.payment_id)
        if session is not None and session.state in {"authorised", "captured"}:
            raise PeerUnavailable("provider: refuses to void what it has") from None
    with transaction(db):
        moved = move(parts, payment, VOIDED, now=now, reason=payment.refusal)
        if moved is not None:
            _mail(payment, mails.voided, now)
        return moved


def _owe_all_of_it(
    parts: Parts, payment: Record, session: ProviderSession, now: datetime
) -> Record | None:
    """The money is with the provider already: it is booked as taken, and as owed in full."""
    amount_minor, currency = session.amount_minor, session.currency
    refund = {
        "refund_id": uuid5(payment.payment_id, "all of it"),
        "payment_id": payment.payment_id,
        "amount_minor": amount_minor,
        "currency": currency,
        "reason": payment.refusal,
        "state": REQUESTED,
        "created_at": now,
        "due_at": now,
    }
    with transaction(db) as writing:
        moved = move(
            parts, payment, REFUNDED, now=now, reason=payment.refusal,
            captured_minor=amount_minor, refund_owed_minor=amount_minor,
        )  # fmt: skip
        if moved is not None:
            postings = capture_postings(amount_minor)
            post(payment.payment_id, _capture_id(payment), postings, currency=currency, now=now)
            writing.execute(insert(Refund).values(refund))
        return moved


def _capture(parts: Parts, payment: Record, now: datetime) -> Record | None:
    try:
        session = parts.provider.capture(payment.payment_id, payment.amount_minor)
    except ProviderRefused as no:
        return _fail(parts, payment, str(no), now)
    right = ("captured", payment.amount_minor, payment.currency)
    if (session.state, session.amount_minor, session.currency) != right:
        raise PeerUnavailable("provider: captured something else, or nothing yet")
    return move_and_post(
        parts, payment, CAPTURED, capture_postings(payment.amount_minor),
        transfer_id=_capture_id(payment), now=now, captured_minor=payment.amount_minor,
    )  # fmt: skip


def _fail(parts: Parts, payment: Record, why: str, now: datetime) -> Record | None:
    """What the provider refuses to hand over must not stay set aside either."""
    with contextlib.suppress(ProviderRefused):
        parts.provider.void(payment.payment_id)
    reason = why or "capture_refused"
    with transaction(db):
        moved = move(parts, payment, FAILED, now=now, reason=reason, owed_to_order=FAILURE)
        if moved is not None:
            note(payment.payment_id, FAILED, f"The capture was refused: {reason}.", now=now)
            _mail(payment, mails.failed, now)
        return moved


def _tell_order(parts: Parts, payment: Record, now: datetime) -> Record | None:
    if payment.owed_to_order == UNPIN:
        parts.order.unpin(payment.order_id, payment.payment_id)
    else:
        reason = payment.reason or FAILED
        parts.order.report_failure(payment.order_id, payment.payment_id, reason=reason)
    again = next_look(
        parts, payment, state=payment.state, reason=payment.reason,
        owes_order=False, checks=0, now=now,
    )  # fmt: skip
    with transaction(db):
        return change(payment, owed_to_order=None, look_at=again)


def _capture_id(payment: Record) -> UUID:
    return uuid5(payment.payment_id, "capture")


def _mail(payment: Record, words: Callable[..., mails.Mail], now: datetime) -> None:
    write_mail(
        payment, words, fact_id=payment.payment_id,
        amount_minor=payment.amount_minor, currency=payment.currency, now=now,
    )  # fmt: skip


STEPS: dict[Step, Callable[[Parts, Record, datetime], Record | None]] = {
    Step.ABANDON: _abandon,
    Step.ASK_PROVIDER: _ask_provider,
    Step.ASK_ORDER: _ask_order,
    Step.GIVE_BACK: _give_back,
    Step.CAPTURE: _capture,
    Step.TELL_ORDER: _tell_order,
}
