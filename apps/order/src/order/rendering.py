"""An order as passengers and payment see it."""

from datetime import datetime
from typing import Any

import orjson
from flask import Response

from order.cancellation import Quote
from order.order_life import CONFIRMED, state_at
from order.queries import Record

SHOWN_OF_PASSENGER = (
    "name",
    "identity_kind",
    "identity_masked",
    "seat_id",
    "seat_number",
    "coach_letter",
    "seat_class",
    "price_minor",
)
SHOWN_OF_JOURNEY = (
    "train_number",
    "train_name",
    "train_name_bn",
    "service_date",
    "from",
    "to",
    "departs_at",
    "arrives_at",
)


def as_json(body: Any) -> bytes:
    """Times in UTC to the second, as every service shows them."""
    return orjson.dumps(body, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)


def json_response(body: Any, status: int = 200) -> Response:
    return Response(as_json(body), status, content_type="application/json")


def order_body(order: Record, now: datetime) -> dict[str, Any]:
    state = state_at(order["state"], order["expires_at"], now)
    return {
        "order_id": order["order_id"],
        "state": state,
        "run_id": order["run_id"],
        **{key: order["journey"][key] for key in SHOWN_OF_JOURNEY},
        "passengers": [
            {key: passenger[key] for key in SHOWN_OF_PASSENGER} for passenger in order["passengers"]
        ],
        "amount_minor": order["amount_minor"],
        "online_charge_minor": order["online_charge_minor"],
        "currency": order["currency"],
        "expires_at": None if state == CONFIRMED else order["expires_at"],
        "payment_id": order["payment_id"],
        "pnr": order["pnr"],
        "tickets": order["tickets"],
        "created_at": order["created_at"],
        "confirmed_at": order["confirmed_at"],
        "ended_reason": order["ended_reason"],
    }


def pin_body(order: Record) -> dict[str, Any]:
    """What payment needs to charge the right amount and to write to the right person."""
    journey, riders = order["journey"], len(order["passengers"])
    start, end = journey["from"]["name"], journey["to"]["name"]
    return {
        "order_id": order["order_id"],
        "payment_id": order["payment_id"],
        "account_id": order["account_id"],
        "amount_minor": order["amount_minor"],
        "currency": order["currency"],
        "pinned_until": order["expires_at"],
        "contact_email": order["contact_email"],
        "contact_name": order["contact_name"],
        "description": f"{journey['train_name']}, {start} to {end}, {riders} passenger(s)",
    }


def confirmation_body(order: Record) -> dict[str, Any]:
    return {key: order[key] for key in ("order_id", "state", "pnr", "confirmed_at")}


def quote_body(quote: Quote, currency: str) -> dict[str, Any]:
    return {
        "refund_minor": quote.refund_minor,
        "deduction_minor": quote.deduction_minor,
        "online_charge_minor": quote.online_charge_minor,
        "currency": currency,
    }
