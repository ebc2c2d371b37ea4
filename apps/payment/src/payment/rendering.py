"""A payment with its refunds, as passengers see it."""

from typing import Any

import orjson
from flask import Response

from payment.queries import Record

SHOWN_OF_PAYMENT = (
    "payment_id",
    "order_id",
    "state",
    "reason",
    "amount_minor",
    "currency",
    "redirect_url",
    "created_at",
)
SHOWN_OF_REFUND = (
    "refund_id",
    "payment_id",
    "amount_minor",
    "currency",
    "reason",
    "state",
    "created_at",
    "ended_at",
)


def json_response(body: Any, status: int = 200) -> Response:
    """Times in UTC to the second, as every service shows them."""
    written = orjson.dumps(body, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)
    return Response(written, status, content_type="application/json")


def payment_body(payment: Record, refunds: list[Record]) -> dict[str, Any]:
    return {
        **{name: getattr(payment, name) for name in SHOWN_OF_PAYMENT},
        "expires_at": payment.session_expires_at,
        "refunds": [
            {name: getattr(refund, name) for name in SHOWN_OF_REFUND} for refund in refunds
        ],
    }
