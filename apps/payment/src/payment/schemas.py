"""The forms of payment's requests and answers."""

from marshmallow import EXCLUDE, Schema, fields, validate

from chassis.fields import Instant, Text

ORDER_ID = "0f8c4c1e-51d5-4a6f-9d0e-6a0f6d3b8f10"
PAYMENT_ID = "9f0f5a52-8d5e-4f6b-9b57-0c5a3c7b2e11"
REFUND_ID = "3c1f7a68-2b0f-4c3c-8a7e-5d4f6b2a9c12"
IRREGULARITY_ID = "5b2e9c04-7d1a-4f7e-8c3b-1a9d6e4f0c13"
IRREGULARITIES_MAX = 200
AMOUNT_MINOR_MAX = 10**12
EXAMPLE_TIME = "2026-11-25T08:05:00Z"


class PaymentWish(Schema):
    order_id = fields.UUID(required=True, metadata={"example": ORDER_ID})
    return_url = Text(
        length_max=1_000,
        metadata={
            "description": "Where the passenger comes back to; on this site.",
            "example": f"http://127.0.0.1:8080/orders/{ORDER_ID}",
        },
    )


class PaymentsQuery(Schema):
    order_id = fields.UUID(metadata={"example": ORDER_ID})


class Refund(Schema):
    refund_id = fields.UUID(metadata={"example": REFUND_ID})
    payment_id = fields.UUID(metadata={"example": PAYMENT_ID})
    amount_minor = fields.Integer(metadata={"example": 52_250})
    currency = fields.String(metadata={"example": "BDT"})
    reason = fields.String(metadata={"example": "cancelled_by_passenger"})
    state = fields.String(
        metadata={
            "description": "requested, succeeded, not_needed (nothing was taken) or refused.",
            "example": "succeeded",
        }
    )
    created_at = Instant(metadata={"example": EXAMPLE_TIME})
    ended_at = Instant(allow_none=True, metadata={"example": EXAMPLE_TIME})


class Payment(Schema):
    payment_id = fields.UUID(metadata={"example": PAYMENT_ID})
    order_id = fields.UUID(metadata={"example": ORDER_ID})
    state = fields.String(
        metadata={
            "description": "created, pending (the provider's page is open), authorised, confirmed "
            "(the seats are sold, the money is being taken), captured, declined, voided, "
            "refunded or failed.",
            "example": "pending",
        }
    )
    reason = fields.String(
        allow_none=True,
        metadata={"description": "Why it was declined, voided, refunded or has failed."},
    )
    amount_minor = fields.Integer(allow_none=True, metadata={"example": 71_000})
    currency = fields.String(allow_none=True, metadata={"example": "BDT"})
    redirect_url = fields.String(
        allow_none=True,
        metadata={
            "description": "The provider's page.",
            "example": f"http://127.0.0.1:8090/pay/{PAYMENT_ID}",
        },
    )
    expires_at = Instant(
        attribute="session_expires_at", allow_none=True, metadata={"example": EXAMPLE_TIME}
    )
    created_at = Instant(metadata={"example": "2026-11-25T08:00:00Z"})
    refunds = fields.List(fields.Nested(Refund))


class Payments(Schema):
    payments = fields.List(fields.Nested(Payment))


class RefundWish(Schema):
    payment_id = fields.UUID(required=True, metadata={"example": PAYMENT_ID})
    amount_minor = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(min=1, max=AMOUNT_MINOR_MAX),
        metadata={"example": 52_250},
    )
    currency = fields.String(
        required=True, validate=validate.Regexp(r"[A-Z]{3}\Z"), metadata={"example": "BDT"}
    )
    reason = Text(required=True, length_max=200, metadata={"example": "cancelled_by_passenger"})


class ProviderEvent(Schema):
    """Of what the provider says only this is kept; its amounts are asked for, never believed."""

    class Meta:
        unknown = EXCLUDE

    event_id = Text(required=True, length_max=100, metadata={"example": "evt-1"})
    event_type = Text(
        required=True,
        length_max=60,
        data_key="type",
        metadata={"example": "payment.authorised"},
    )
    session_id = Text(required=True, length_max=100, metadata={"example": PAYMENT_ID})
    occurred_at = Instant(required=True, format="iso", metadata={"example": EXAMPLE_TIME})


# Built once: a schema copies its fields each time one is made of it.
PAYMENT_WISH = PaymentWish()
PROVIDER_EVENT = ProviderEvent()


class IrregularitiesQuery(Schema):
    before = fields.UUID(
        load_default=None,
        metadata={
            "description": "Only what was noted before this irregularity.",
            "example": IRREGULARITY_ID,
        },
    )
    limit = fields.Integer(
        load_default=50, validate=validate.Range(1, IRREGULARITIES_MAX), metadata={"example": 50}
    )


class Irregularity(Schema):
    irregularity_id = fields.UUID(metadata={"example": IRREGULARITY_ID})
    payment_id = fields.UUID(metadata={"example": PAYMENT_ID})
    kind = fields.String(
        metadata={"description": "What it is, in one stable word.", "example": "refund_refused"}
    )
    detail = fields.String(metadata={"example": "Asked for 71000 BDT, given 7100 BDT."})
    noted_at = Instant(metadata={"example": EXAMPLE_TIME})


class Irregularities(Schema):
    irregularities = fields.List(fields.Nested(Irregularity))


class EventReceipt(Schema):
    is_received = fields.Boolean(metadata={"example": True})
