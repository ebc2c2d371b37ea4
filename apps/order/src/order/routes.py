"""Order for passengers: what is free, and their orders."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Response, g, request
from flask_smorest import Blueprint

from chassis.application import utc_now
from chassis.identity import account_required, public
from chassis.problems import InvalidRequest
from order import cancelling, operations, queries, schemas
from order.admission import HEADER
from order.availability import availability_body, seat_map_body
from order.operations import NoSuchLeg
from order.parts import current_parts
from order.refusals import require_pass
from order.rendering import json_response, order_body, quote_body
from order.run import Leg, Run
from order.wish import Wish

blueprint = Blueprint("orders", __name__, description="Seats and orders, for passengers.")

PASS_PARAMETER = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "schema": {"type": "string", "maxLength": 2_000},
    "description": "The waiting room's pass, while the run's window is hot.",
}
LEG_PARAMETERS = [
    {
        "in": "query",
        "name": name,
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 8},
        "example": example,
    }
    for name, example in (("from", "DA"), ("to", "CTG"))
]


def _run_and_leg(run_id: UUID) -> tuple[Run, Leg]:
    """Two words of the query, read by hand: this is the path that everybody takes in the rush."""
    start, end = request.args.get("from"), request.args.get("to")
    if not start or not end:
        raise InvalidRequest(errors={"from": ["from and to are required."]})
    run = current_parts().definitions.get(run_id)
    leg = run.leg_between(start, end)
    if leg is None:
        raise NoSuchLeg
    return run, leg


@blueprint.route("/runs/<uuid:run_id>/availability")
@public
@blueprint.doc(parameters=LEG_PARAMETERS)
@blueprint.response(200, schemas.Availability)
def read_availability(run_id: UUID) -> Response:
    """What is free on a leg, by class."""
    body = availability_body(current_parts(), *_run_and_leg(run_id), now=utc_now())
    return Response(body, content_type="application/json")


@blueprint.route("/runs/<uuid:run_id>/seat-map")
@public
@blueprint.doc(parameters=LEG_PARAMETERS)
@blueprint.response(200, schemas.SeatMap)
def read_seat_map(run_id: UUID) -> Response:
    """Every seat on sale for a leg, with its place and state."""
    body = seat_map_body(current_parts(), *_run_and_leg(run_id), now=utc_now())
    return Response(body, content_type="application/json")


@blueprint.route("/orders/<uuid:order_id>", methods=["PUT"])
@account_required
@blueprint.arguments(schemas.ORDER_WISH, examples=schemas.ORDER_WISH_EXAMPLES)
@blueprint.response(201, schemas.Order)
@blueprint.alt_response(200, schema=schemas.Order, description="The same request again.")
def place_order(wish: Wish, order_id: UUID) -> Response:
    """
    Hold seats and price them.

    The id is yours; repeating the request is harmless. While the run's waiting room is hot, the
    header `Admission-Pass` must carry its pass; otherwise the answer is 403 `not_admitted`, with
    where to wait. A repetition may come with a pass that has ended.
    """
    now = utc_now()
    parts, buyer, pass_ = current_parts(), g.identity, request.headers.get(HEADER, "")
    require_pass(parts, order_id, wish.run_id, account_id=buyer.account_id, pass_=pass_, now=now)
    placed = operations.place_order(parts=parts, order_id=order_id, buyer=buyer, wish=wish, now=now)
    return json_response(order_body(placed.record, now), 201 if placed.is_new else 200)


@blueprint.route("/orders/<uuid:order_id>")
@account_required
@blueprint.response(200, schemas.Order)
def read_order(order_id: UUID) -> Response:
    """One of your orders."""
    order = operations.read_order(order_id=order_id, buyer=g.identity)
    return json_response(order_body(order, utc_now()))


@blueprint.route("/orders")
@account_required
@blueprint.arguments(schemas.OrdersQuery, location="query")
@blueprint.response(200, schemas.Orders)
def list_orders(query: dict[str, Any]) -> Response:
    """Your orders, the newest first; with `pnr`, that one."""
    now = utc_now()
    before = query.get("before", now + timedelta(seconds=1))
    found = queries.orders_of(
        g.identity.account_id, pnr=query.get("pnr"), before=before, limit=query["limit"]
    )
    return json_response({"orders": [order_body(order, now) for order in found]})


@blueprint.route("/orders/<uuid:order_id>/release", methods=["PUT"])
@account_required
@blueprint.response(200, schemas.Order)
def release_order(order_id: UUID) -> Response:
    """Give the seats back before they are paid for."""
    now = utc_now()
    order = operations.release_order(
        parts=current_parts(), order_id=order_id, buyer=g.identity, now=now
    )
    return json_response(order_body(order, now))


@blueprint.route("/orders/<uuid:order_id>/cancellation-quote")
@account_required
@blueprint.response(200, schemas.CancellationQuote)
def quote_cancellation(order_id: UUID) -> Response:
    """What a cancellation would give back now."""
    quote, currency = cancelling.quote_of_order(order_id=order_id, buyer=g.identity, now=utc_now())
    return json_response(quote_body(quote, currency))


@blueprint.route("/orders/<uuid:order_id>/cancellation", methods=["PUT"])
@account_required
@blueprint.arguments(schemas.CancellationWish, example=schemas.CANCELLATION_EXAMPLE)
@blueprint.response(200, schemas.Order)
def cancel_order(wish: dict[str, Any], order_id: UUID) -> Response:
    """Cancel a confirmed order for the refund that was quoted."""
    now = utc_now()
    order = cancelling.cancel_order(
        parts=current_parts(), order_id=order_id, buyer=g.identity, now=now, **wish
    )
    return json_response(order_body(order, now))
