"""Payment for passengers, for order, for staff, and for the provider's webhooks."""

from typing import Any
from uuid import UUID

from flask import Response, g, request
from flask_smorest import Blueprint

from chassis.application import utc_now
from chassis.identity import account_required, public, service_required, staff_required
from chassis.problems import ProblemSchema
from payment import operations, queries, schemas
from payment.incoming import read_event
from payment.operations import PaymentNotFound, RefundNotFound
from payment.parts import current_parts
from payment.payment_life import can_have_refunds
from payment.queries import Record
from payment.rendering import json_response, payment_body
from payment.signatures import HEADER

blueprint = Blueprint("payments", __name__, description="Payments, refunds, provider's events.")
CONFLICT = {"schema": ProblemSchema, "content_type": "application/problem+json"}
SIGNATURE = {
    "in": "header",
    "name": HEADER,
    "required": True,
    "description": 'The hex HMAC-SHA256 of "<t>.<body>" with the shared secret.',
    "schema": {"type": "string", "maxLength": 500},
    "example": "t=1795593600,v1=5f1d…",
}
EVENT_BODY = {
    "required": True,
    "content": {"application/json": {"schema": schemas.ProviderEvent}},
}


def _shown(payments: list[Record]) -> list[dict[str, Any]]:
    refunds = queries.refunds_of(
        [
            one.payment_id
            for one in payments
            if can_have_refunds(one.state, owed_minor=one.refund_owed_minor)
        ]
    )
    return [payment_body(one, refunds.get(one.payment_id, [])) for one in payments]


@blueprint.route("/payments/<uuid:payment_id>", methods=["PUT"])
@account_required
@blueprint.arguments(schemas.PAYMENT_WISH)
@blueprint.response(201, schemas.Payment)
@blueprint.alt_response(200, schema=schemas.Payment, description="The same request again.")
@blueprint.alt_response(404, **CONFLICT, description="There is no such order of yours.")
@blueprint.alt_response(409, **CONFLICT, description="The order cannot be paid, or id_reused.")
@blueprint.alt_response(503, **CONFLICT, description="Silence behind us; repeat the request.")
def put_payment(wish: dict[str, Any], payment_id: UUID) -> Response:
    """Begin to pay for an order, and be told where. The id is yours; repeating is harmless."""
    opened = operations.open_payment(
        parts=current_parts(), payment_id=payment_id, account_id=g.identity.account_id,
        order_id=wish["order_id"], return_url=wish.get("return_url"), now=utc_now(),
    )  # fmt: skip
    return json_response(_shown([opened.payment])[0], 201 if opened.is_new else 200)


@blueprint.route("/payments/<uuid:payment_id>")
@account_required
@blueprint.response(200, schemas.Payment)
@blueprint.alt_response(404, **CONFLICT, description="There is no such payment of yours.")
def get_payment(payment_id: UUID) -> Response:
    """One of your payments."""
    payment = queries.payment_of(g.identity.account_id, payment_id)
    if payment is None:
        raise PaymentNotFound
    return json_response(_shown([payment])[0])


@blueprint.route("/payments")
@account_required
@blueprint.arguments(schemas.PaymentsQuery, location="query")
@blueprint.response(200, schemas.Payments)
def list_payments(query: dict[str, Any]) -> Response:
    """Your payments, the newest first; with `order_id`, those of an order."""
    found = queries.payments_of(g.identity.account_id, query.get("order_id"))
    return json_response({"payments": _shown(found)})


@blueprint.route("/provider-events", methods=["POST"])
@public
@blueprint.doc(parameters=[SIGNATURE], requestBody=EVENT_BODY)
@blueprint.response(200, schemas.EventReceipt)
@blueprint.alt_response(400, **CONFLICT, description="Forged, stale or malformed.")
@blueprint.alt_response(422, **CONFLICT, description="Signed, but not an event.")
def receive_event() -> Response:
    """The provider's webhook. A repeated event gets the same answer."""
    parts, now = current_parts(), utc_now()
    secret = parts.settings.provider_webhook_secret
    event = read_event(request.headers.get(HEADER, ""), request.get_data(), secret=secret, now=now)
    operations.receive_event(parts=parts, now=now, **event)
    return json_response({"is_received": True})


@blueprint.route("/refunds/<uuid:refund_id>", methods=["PUT"])
@service_required("order")
@blueprint.arguments(schemas.RefundWish)
@blueprint.response(201, schemas.Refund)
@blueprint.alt_response(200, schema=schemas.Refund, description="The same request again.")
@blueprint.alt_response(404, **CONFLICT, description="There is no such payment.")
@blueprint.alt_response(409, **CONFLICT, description="Above what was paid, or id_reused.")
def put_refund(wish: dict[str, Any], refund_id: UUID) -> tuple[Record, int]:
    """Owe money to a passenger; it leaves through the worker."""
    recorded = operations.request_refund(refund_id=refund_id, now=utc_now(), **wish)
    return recorded.refund, 201 if recorded.is_new else 200


@blueprint.route("/refunds/<uuid:refund_id>")
@service_required("order")
@blueprint.response(200, schemas.Refund)
@blueprint.alt_response(404, **CONFLICT, description="There is no such refund.")
def get_refund(refund_id: UUID) -> Record:
    """How far a refund has come."""
    refund = queries.refund_by_id(refund_id)
    if refund is None:
        raise RefundNotFound
    return refund


@blueprint.route("/staff/irregularities")
@staff_required
@blueprint.arguments(schemas.IrregularitiesQuery, location="query")
@blueprint.response(200, schemas.Irregularities)
@blueprint.alt_response(403, **CONFLICT, description="This is for staff.")
def list_irregularities(query: dict[str, Any]) -> dict[str, Any]:
    """What a person should look at, the newest first; the money is already safe."""
    return {"irregularities": queries.irregularities(**query)}
