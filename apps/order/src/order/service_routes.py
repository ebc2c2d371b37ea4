"""Order for payment: pin, confirm, let go. Only that service may call here."""

from typing import Any
from uuid import UUID

from flask import Response
from flask_smorest import Blueprint

from chassis.application import utc_now
from chassis.identity import service_required
from order import schemas, settlement
from order.parts import current_parts
from order.rendering import confirmation_body, json_response, order_body, pin_body

blueprint = Blueprint("settlement", __name__, description="For the payment service only.")


@blueprint.route("/orders/<uuid:order_id>/pins/<uuid:payment_id>", methods=["PUT"])
@service_required("payment")
@blueprint.response(201, schemas.Pin)
@blueprint.alt_response(200, schema=schemas.Pin, description="The payment has the order already.")
def pin_order(order_id: UUID, payment_id: UUID) -> Response:
    """Give the order to one payment and keep the seats while the passenger pays."""
    order, is_new = settlement.pin_order(
        parts=current_parts(), order_id=order_id, payment_id=payment_id, now=utc_now()
    )
    return json_response(pin_body(order), 201 if is_new else 200)


@blueprint.route("/orders/<uuid:order_id>/pins/<uuid:payment_id>", methods=["DELETE"])
@service_required("payment")
@blueprint.response(204)
def unpin_order(order_id: UUID, payment_id: UUID) -> None:
    """Take a pin back: the payment was declined or abandoned, and may not confirm any more."""
    settlement.unpin_order(order_id=order_id, payment_id=payment_id)


@blueprint.route("/orders/<uuid:order_id>/confirmation", methods=["PUT"])
@service_required("payment")
@blueprint.arguments(schemas.CONFIRMATION_WISH, example=schemas.CONFIRMATION_EXAMPLE)
@blueprint.response(201, schemas.ConfirmedOrder)
@blueprint.alt_response(200, schema=schemas.ConfirmedOrder, description="Confirmed before.")
def confirm_order(wish: dict[str, Any], order_id: UUID) -> Response:
    """Sell the seats if the hold lives or they are still free. A 409 is final."""
    confirmed = settlement.confirm_order(order_id=order_id, now=utc_now(), **wish)
    current_parts().snapshots.note_claimed(confirmed.record["run_id"])
    return json_response(confirmation_body(confirmed.record), 201 if confirmed.is_new else 200)


@blueprint.route("/orders/<uuid:order_id>/payment-failure", methods=["PUT"])
@service_required("payment")
@blueprint.arguments(schemas.FailureWish, example=schemas.FAILURE_EXAMPLE)
@blueprint.response(200, schemas.Order)
def take_back_confirmation(wish: dict[str, Any], order_id: UUID) -> Response:
    """The authorised money could not be captured: the order is cancelled, the seats are free."""
    now = utc_now()
    order = settlement.take_back_confirmation(
        parts=current_parts(), order_id=order_id, payment_id=wish["payment_id"], now=now
    )
    return json_response(order_body(order, now))
