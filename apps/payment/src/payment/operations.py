"""Payment's use cases for its callers: open a payment, hear the provider, owe a refund."""

import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import read_rows, transaction
from chassis.peers import PeerUnavailable
from chassis.problems import IdReused, InvalidRequest, NotFound, Problem
from payment import queries, statements
from payment.advancing import advance
from payment.clients.order import ORDER_NOT_FOUND, Pin, Refusal
from payment.clients.provider import ProviderRefused
from payment.models import Payment, Refund, db
from payment.parts import Parts
from payment.payment_life import (
    CAPTURED,
    CREATED,
    DECLINED,
    MONEY_MAY_COME,
    NOT_NEEDED,
    PENDING,
    REFUNDED,
    REQUESTED,
    UNPIN,
    is_own_page,
)
from payment.queries import Record
from payment.records import change, move_alone

ASK_SECONDS_MIN = 2.0
EVENT_GRACE_SECONDS = 5.0
# The states in which an event can be news.
WAITING = sorted(MONEY_MAY_COME - {CAPTURED} | {DECLINED})
_log = logging.getLogger(__name__)


class PaymentNotFound(NotFound):
    code, title = "payment_not_found", "There is no such payment."


class RefundNotFound(NotFound):
    code, title = "refund_not_found", "There is no such refund."


class OrderNotFound(NotFound):
    code, title = ORDER_NOT_FOUND, "There is no such order."


class HoldExpired(Problem):
    status, code, title = 409, "hold_expired", "The time to pay for these seats is over."


class AlreadyPaying(Problem):
    status, code, title = 409, "already_paying", "Another payment for this order is under way."


class OrderNotHeld(Problem):
    status, code, title = 409, "order_not_held", "There is nothing to pay for in this order."


class RefundExceedsPayment(Problem):
    status, code, title = 409, "refund_exceeds_payment", "No more goes back than has come in."


class CurrencyDiffers(Problem):
    status, code, title = 409, "currency_differs", "The payment was made in another currency."


PIN_REFUSALS: dict[str, type[Problem]] = {
    refusal.code: refusal for refusal in (OrderNotFound, HoldExpired, AlreadyPaying, OrderNotHeld)
}


@dataclass(frozen=True)
class Opened:
    payment: Record
    is_new: bool


@dataclass(frozen=True)
class RecordedRefund:
    refund: Record
    is_new: bool


def open_payment(
    *,
    parts: Parts,
    payment_id: UUID,
    account_id: UUID,
    order_id: UUID,
    return_url: str | None,
    now: datetime,
) -> Opened:
    """
    Record the payment, pin its order, open the provider's session.

    Each part is done once, however often this is called and by how many at once; a repetition
    takes up what an earlier call left undone, and later asks how the payment stands.

    Raises:
        InvalidRequest: `return_url` leads away from the product.
        IdReused, OrderNotFound, HoldExpired, AlreadyPaying, OrderNotHeld
        PeerUnavailable: order or the provider is silent; the same request may be repeated.
    """
    public_url = parts.settings.public_url.rstrip("/") + "/"
    return_url = return_url or public_url
    if not is_own_page(return_url, public_url):
        raise InvalidRequest(errors={"return_url": ["It has to lead back to this site."]})
    payment, is_new = _record_payment(parts, payment_id, account_id, order_id, return_url, now)
    asked = (account_id, order_id, return_url)
    if asked != (payment.account_id, payment.order_id, payment.return_url):
        raise IdReused
    if payment.state == CREATED and payment.amount_minor is None:
        payment = _pin(parts, payment, now)
    if payment.state == CREATED:
        payment = _open_session(parts, payment, now)
    elif payment.state == PENDING:
        payment = _ask_how_it_stands(parts, payment, now)
    if payment.amount_minor is None and payment.reason in PIN_REFUSALS:
        raise PIN_REFUSALS[payment.reason]
    return Opened(payment, is_new)


def receive_event(
    *,
    parts: Parts,
    event_id: str,
    event_type: str,
    session_id: str,
    occurred_at: datetime,
    now: datetime,
) -> None:
    """
    Keep a genuine event once, then look at its payment. That this fails is no reason to refuse
    the event: the reconciler has been told of it in the statement that keeps it.
    """
    event = {
        "event_id": event_id,
        "event_type": event_type,
        "session_id": session_id,
        "occurred_at": occurred_at,
        "now": now,
        "payment_id": _payment_id_of(session_id),
        "waiting": WAITING,
        "soon": now + timedelta(seconds=EVENT_GRACE_SECONDS),
    }
    for payment in read_rows(db, statements.KEEP_EVENT, event):
        try:
            advance(parts=parts, payment=payment, now=now)
        except PeerUnavailable as silence:
            _log.warning("payment %s waits: %s", payment.payment_id, silence)
        except Exception:  # noqa: BLE001 - the event is safe, and the reconciler comes back to it
            _log.exception("payment %s could not be advanced", payment.payment_id)


def request_refund(
    *,
    refund_id: UUID,
    payment_id: UUID,
    amount_minor: int,
    currency: str,
    reason: str,
    now: datetime,
) -> RecordedRefund:
    """
    Put a refund on record, for the worker to execute once the money has been taken.

    Where no money was or will be taken none goes back, and the record says so. The sum of all
    refunds is kept with the payment, whose check constraint has the last word.

    Raises:
        PaymentNotFound, CurrencyDiffers, RefundExceedsPayment, IdReused
    """
    payment = queries.payment_by_id(payment_id)
    if payment is None:
        raise PaymentNotFound
    has_money = payment.state in MONEY_MAY_COME | {REFUNDED}
    asked = {
        "refund_id": refund_id,
        "payment_id": payment_id,
        "amount_minor": amount_minor,
        "currency": currency,
        "reason": reason,
    }
    state = REQUESTED if has_money else NOT_NEEDED
    written = {**asked, "state": state, "created_at": now, "due_at": now}
    insertion = insert(Refund).values(written).on_conflict_do_nothing().returning(Refund.refund_id)
    with transaction(db) as session:
        is_new = session.execute(insertion).first() is not None
        if is_new and payment.currency not in {None, currency}:
            raise CurrencyDiffers
        if is_new and has_money:
            _owe(payment_id, amount_minor)
    refund = queries.refund_by_id(refund_id)
    if refund is None or any(getattr(refund, name) != value for name, value in asked.items()):
        raise IdReused
    return RecordedRefund(refund, is_new)


def _payment(payment_id: UUID) -> Record:
    payment = queries.payment_by_id(payment_id)
    if payment is None:
        raise PaymentNotFound
    return payment


def _record_payment(
    parts: Parts, payment_id: UUID, account_id: UUID, order_id: UUID, return_url: str, now: datetime
) -> tuple[Record, bool]:
    """Of two at once, the second waits for the first and may find it only by looking again."""
    values = {
        "payment_id": payment_id,
        "order_id": order_id,
        "account_id": account_id,
        "return_url": return_url,
        "now": now,
        "look_at": now + timedelta(seconds=parts.settings.abandon_after_seconds),
    }
    recorded = read_rows(db, statements.RECORD_PAYMENT, values)
    return (recorded[0], recorded[0].is_new) if recorded else (_payment(payment_id), False)


def _pin(parts: Parts, payment: Record, now: datetime) -> Record:
    """Let order fix the amount; what it says first is what counts."""
    pin = parts.order.pin(payment.order_id, payment.payment_id)
    if isinstance(pin, Refusal) and pin.code == AlreadyPaying.code:
        _tell_order_of_declined(parts, payment, now)
        pin = parts.order.pin(payment.order_id, payment.payment_id)
    if not isinstance(pin, Pin):
        reason = pin.code if pin.code in PIN_REFUSALS else OrderNotHeld.code
        return _decline_unpinned(parts, payment, reason, now)
    if pin.account_id != payment.account_id or pin.amount_minor <= 0:
        is_own = pin.account_id == payment.account_id
        reason = OrderNotHeld.code if is_own else OrderNotFound.code
        return _decline_unpinned(parts, payment, reason, now, owed_to_order=UNPIN)
    ends_at = pin.pinned_until - timedelta(seconds=parts.settings.session_margin_seconds)
    values = {
        "payment_id": payment.payment_id,
        "amount_minor": pin.amount_minor,
        "currency": pin.currency,
        "description": pin.description,
        "contact_email": pin.contact_email,
        "contact_name": pin.contact_name,
        "session_expires_at": ends_at if ends_at > now else pin.pinned_until,
    }
    fixed = read_rows(db, statements.FIX_AMOUNT, values)
    return fixed[0] if fixed else _payment(payment.payment_id)


def _tell_order_of_declined(parts: Parts, payment: Record, now: datetime) -> None:
    """
    A passenger sees that a card was declined a moment before order hears of it, and may be back
    with another one by then.
    """
    for declined in queries.payments_owing_unpin(payment.account_id, payment.order_id):
        advance(parts=parts, payment=declined, now=now)


def _decline_unpinned(
    parts: Parts, payment: Record, reason: str, now: datetime, *, owed_to_order: str | None = None
) -> Record:
    declined = move_alone(
        parts, payment, DECLINED, now=now, reason=reason, owed_to_order=owed_to_order
    )
    if declined is not None:
        with contextlib.suppress(PeerUnavailable):
            advance(parts=parts, payment=declined, now=now)
    return _payment(payment.payment_id)


def _open_session(parts: Parts, payment: Record, now: datetime) -> Record:
    try:
        session = parts.provider.open_session(
            payment.payment_id,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            description=payment.description,
            return_url=payment.return_url,
            expires_at=payment.session_expires_at,
        )
    except ProviderRefused as no:
        reason = str(no) or "provider_refused"
        return _decline_unpinned(parts, payment, reason, now, owed_to_order=UNPIN)
    opened = move_alone(
        parts, payment, PENDING, now=now, redirect_url=session.page_url, asked_at=now
    )
    if opened is not None:
        return opened
    current = _payment(payment.payment_id)
    if current.state == DECLINED:
        # It was given up while the provider was slow: nobody shall pay on that page.
        with contextlib.suppress(ProviderRefused, PeerUnavailable):
            parts.provider.void(payment.payment_id)
    return current


def _ask_how_it_stands(parts: Parts, payment: Record, now: datetime) -> Record:
    """A passenger who comes back asks at most every two seconds, and is answered in any case."""
    recently = now - timedelta(seconds=ASK_SECONDS_MIN)
    if payment.asked_at is not None and payment.asked_at > recently:
        return payment
    with transaction(db):
        asking = change(payment, asked_at=now)
    if asking is not None:
        with contextlib.suppress(PeerUnavailable):
            advance(parts=parts, payment=asking, now=now)
    return _payment(payment.payment_id)


def _payment_id_of(session_id: str) -> UUID | None:
    try:
        return UUID(session_id)
    except ValueError:
        return None


def _owe(payment_id: UUID, amount_minor: int) -> None:
    """
    Raises:
        RefundExceedsPayment: the sum would be above what was captured or is going to be.
    """
    there_is = func.coalesce(func.nullif(Payment.captured_minor, 0), Payment.amount_minor, 0)
    owed = (
        update(Payment)
        .where(
            Payment.payment_id == payment_id, Payment.refund_owed_minor + amount_minor <= there_is
        )
        .values(refund_owed_minor=Payment.refund_owed_minor + amount_minor)
        .returning(Payment.payment_id)
        .execution_options(synchronize_session=False)
    )
    if db.session.execute(owed).first() is None:
        raise RefundExceedsPayment
