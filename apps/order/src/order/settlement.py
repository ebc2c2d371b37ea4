"""
What payment asks of an order: keep the seats while the passenger pays, confirm, let go.

Payment succeeds if the lock is still available, otherwise not: order says yes only if the hold
lives, or the same seats are still free and can be claimed again in that very transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from chassis.database import refusing_constraint, run_statement
from chassis.problems import Problem
from order import claims, models, queries
from order.models import db
from order.operations import OrderNotFound, OrderNotHeld, end_order
from order.order_life import (
    CANCELLED,
    CONFIRMED,
    EXPIRED,
    HELD,
    PAYING,
    pinned_until,
    state_at,
)
from order.parts import Parts
from order.pnr import new_pnr
from order.queries import Record

PNR_CLASHES_MAX = 5
PIN_TRIES = 3


class HoldExpired(Problem):
    status, code, title = 409, "hold_expired", "The time to pay for these seats is over."


class AlreadyPaying(Problem):
    status, code, title = 409, "already_paying", "Another payment for this order is under way."


class HoldLost(Problem):
    """Final: whoever holds the passenger's money gives it back."""

    status, code, title = 409, "hold_lost", "The seats have gone to somebody else."


class OrderAlreadyConfirmed(Problem):
    status, code, title = 409, "order_already_confirmed", "Another payment has paid for this order."


class AmountDiffers(Problem):
    status, code, title = 409, "amount_differs", "This is not the amount of the order."


@dataclass(frozen=True)
class Confirmation:
    record: Record
    is_new: bool


def pin_order(
    *, parts: Parts, order_id: UUID, payment_id: UUID, now: datetime
) -> tuple[Record, bool]:
    """
    Give the order to one payment and keep the seats for the time of the provider's page.
    True when this request pinned it, False when the payment had it already.

    Raises:
        OrderNotFound, HoldExpired, AlreadyPaying, OrderNotHeld.
    """
    order = _order(order_id)
    until = pinned_until(
        created_at=order["created_at"],
        expires_at=order["expires_at"],
        now=now,
        pin_seconds=parts.settings.pin_seconds,
        hold_seconds=parts.settings.hold_seconds,
    )
    values = {"order_id": order_id, "payment_id": payment_id, "pinned_until": until, "now": now}
    for _ in range(PIN_TRIES):
        pinned = run_statement(db, claims.PIN_ORDER, values).pinned == 1
        order = _order(order_id)
        if order["payment_id"] == payment_id and order["state"] in {PAYING, CONFIRMED}:
            parts.snapshots.note_claimed(order["run_id"])
            return order, pinned
        # Another payment may have given it up between the two.
        if order["state"] != HELD:
            break
    raise _pin_refusal(order, now)


def _pin_refusal(order: Record, now: datetime) -> Problem:
    if order["state"] == PAYING and order["expires_at"] > now:
        return AlreadyPaying(headers={"Retry-After": "5"})
    has_left = order["state"] == HELD and order["departs_at"] <= now
    if has_left or state_at(order["state"], order["expires_at"], now) == EXPIRED:
        return HoldExpired()
    return OrderNotHeld("There is nothing to pay for in this order.")


def unpin_order(*, order_id: UUID, payment_id: UUID) -> None:
    """
    The payment was declined or abandoned: the seats stay held while time is left. Repeatable; a
    payment that has no pin loses nothing.
    """
    run_statement(db, claims.UNPIN_ORDER, {"order_id": order_id, "payment_id": payment_id})


def confirm_order(
    *, order_id: UUID, payment_id: UUID, amount_minor: int, currency: str, now: datetime
) -> Confirmation:
    """
    Sell the seats to the payment that has the order, with a PNR and tickets, in one statement
    that is a transaction of its own.

    Repeating it gives the same confirmation. Everything that it refuses is final, so the payment
    voids or refunds at once.

    Raises:
        HoldLost: the order was released, its seats or passengers are elsewhere by now, or the
            train has left.
        OrderAlreadyConfirmed: by another payment.
        AmountDiffers: the amount is not the order's.
        OrderNotFound.
    """
    values = {
        "order_id": order_id,
        "payment_id": payment_id,
        "amount_minor": amount_minor,
        "currency": currency,
        "now": now,
    }
    for _ in range(PNR_CLASHES_MAX):
        try:
            outcome = run_statement(db, claims.CONFIRM_ORDER, {**values, "pnr": new_pnr()})
        except IntegrityError as error:
            if refusing_constraint(error) == models.ORDER_PNR:
                continue
            raise HoldLost from error
        return _explain_confirmation(values, is_new=bool(outcome.confirmed))
    raise AssertionError("Five PNRs in a row were taken.")


def _explain_confirmation(values: dict[str, Any], *, is_new: bool) -> Confirmation:
    order = _order(values["order_id"])
    if order["payment_id"] != values["payment_id"]:
        raise OrderAlreadyConfirmed if order["state"] == CONFIRMED else HoldLost
    if (order["amount_minor"], order["currency"]) != (values["amount_minor"], values["currency"]):
        raise AmountDiffers
    if order["state"] != CONFIRMED:
        raise HoldLost
    return Confirmation(order, is_new)


def take_back_confirmation(
    *, parts: Parts, order_id: UUID, payment_id: UUID, now: datetime
) -> Record:
    """
    The authorised money could not be captured: the order is not paid, so it is not sold.

    Raises:
        OrderNotFound: no such order, or another payment's.
    """
    order = _order(order_id)
    if order["payment_id"] != payment_id:
        raise OrderNotFound
    end_order(
        parts,
        order,
        from_states=[CONFIRMED, PAYING, HELD],
        to_state=CANCELLED,
        reason="payment_not_captured",
        now=now,
    )
    return _order(order_id)


def _order(order_id: UUID) -> Record:
    order = queries.order_by_id(order_id)
    if order is None:
        raise OrderNotFound
    return order
