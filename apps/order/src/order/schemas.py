"""What requests to order must look like, and what it answers, as its API describes them."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from chassis.fields import Instant, Text
from order.wish import (
    IDENTITY_KINDS,
    IDENTITY_NUMBER,
    NAME_LENGTH_MAX,
    PASSENGERS_MAX,
    SEAT_ID_MAX,
    Wish,
    WishedPassenger,
)

EXAMPLE_RUN = "5a8f0d7e-3e9c-5d7b-9c53-0c7a7d0e4a11"
STATION_EXAMPLE = {"example": "DA"}


class PassengerWish(Schema):
    name = Text(length_max=NAME_LENGTH_MAX, required=True, metadata={"example": "Rahima Khatun"})
    identity_kind = fields.String(required=True, validate=validate.OneOf(IDENTITY_KINDS))
    identity_number = fields.String(
        required=True,
        validate=validate.Regexp(IDENTITY_NUMBER),
        metadata={"example": "1990123456789"},
    )

    @post_load
    def _build(self, loaded: dict[str, Any], **_: Any) -> WishedPassenger:
        return WishedPassenger(**loaded)


class OrderWish(Schema):
    """Seats by their ids, one for each passenger, or a class in which they are chosen."""

    run_id = fields.UUID(required=True, metadata={"example": EXAMPLE_RUN})
    from_station = Text(length_max=8, required=True, data_key="from", metadata={"example": "DA"})
    to_station = Text(length_max=8, required=True, data_key="to", metadata={"example": "CTG"})
    passengers = fields.List(
        fields.Nested(PassengerWish),
        required=True,
        validate=validate.Length(min=1, max=PASSENGERS_MAX),
    )
    seat_ids = fields.List(
        fields.Integer(strict=True, validate=validate.Range(min=1, max=SEAT_ID_MAX)),
        validate=validate.Length(min=1, max=PASSENGERS_MAX),
        metadata={"example": [1001, 1002]},
    )
    seat_class = Text(length_max=16, metadata={"example": "S_CHAIR"})

    @validates_schema
    def _check_choice(self, loaded: dict[str, Any], **_: Any) -> None:
        if ("seat_ids" in loaded) == ("seat_class" in loaded):
            raise ValidationError("Give seat_ids or seat_class, not both.", "seat_ids")

    @post_load
    def _build(self, loaded: dict[str, Any], **_: Any) -> Wish:
        return Wish(
            run_id=loaded["run_id"],
            from_station=loaded["from_station"],
            to_station=loaded["to_station"],
            passengers=tuple(loaded["passengers"]),
            seat_ids=tuple(loaded.get("seat_ids", ())),
            seat_class=loaded.get("seat_class", ""),
        )


class StationOfOrder(Schema):
    station_code = fields.String(metadata=STATION_EXAMPLE)
    name = fields.String(metadata={"example": "Dhaka"})
    name_bn = fields.String(metadata={"example": "ঢাকা"})


class PassengerOfOrder(Schema):
    name = fields.String(metadata={"example": "Rahima Khatun"})
    identity_kind = fields.String(validate=validate.OneOf(IDENTITY_KINDS))
    identity_masked = fields.String(metadata={"example": "•••••••••6789"})
    seat_id = fields.Integer(metadata={"example": 1001})
    seat_number = fields.String(metadata={"example": "1"})
    coach_letter = fields.String(metadata={"example": "KA"})
    seat_class = fields.String(metadata={"example": "S_CHAIR"})
    price_minor = fields.Integer(metadata={"example": 40500})


class TicketOfOrder(Schema):
    ticket_id = fields.UUID()
    position = fields.Integer(metadata={"example": 1})
    state = fields.String(validate=validate.OneOf(["issued", "void"]))


class Order(Schema):
    order_id = fields.UUID()
    state = fields.String(
        validate=validate.OneOf(["held", "paying", "confirmed", "released", "expired", "cancelled"])
    )
    run_id = fields.UUID(metadata={"example": EXAMPLE_RUN})
    train_number = fields.String(metadata={"example": "702"})
    train_name = fields.String(metadata={"example": "Subarna Express"})
    train_name_bn = fields.String()
    service_date = fields.Date()
    from_ = fields.Nested(StationOfOrder, data_key="from")
    to = fields.Nested(StationOfOrder)
    departs_at = fields.AwareDateTime()
    arrives_at = fields.AwareDateTime()
    passengers = fields.List(fields.Nested(PassengerOfOrder))
    amount_minor = fields.Integer(metadata={"example": 85000})
    online_charge_minor = fields.Integer(metadata={"example": 4000})
    currency = fields.String(metadata={"example": "BDT"})
    expires_at = fields.AwareDateTime(allow_none=True)
    payment_id = fields.UUID(allow_none=True)
    pnr = fields.String(allow_none=True, metadata={"example": "C7KD9QXM"})
    tickets = fields.List(fields.Nested(TicketOfOrder))
    created_at = fields.AwareDateTime()
    confirmed_at = fields.AwareDateTime(allow_none=True)
    ended_reason = fields.String(allow_none=True)


class Orders(Schema):
    orders = fields.List(fields.Nested(Order))


class OrdersQuery(Schema):
    pnr = Text(length_max=8)
    before = Instant(metadata={"description": "Only orders placed before this time."})
    limit = fields.Integer(load_default=20, validate=validate.Range(min=1, max=100))


class ClassAvailability(Schema):
    seat_class = fields.String(metadata={"example": "S_CHAIR"})
    name = fields.String(metadata={"example": "Shovan Chair"})
    name_bn = fields.String()
    price_minor = fields.Integer(metadata={"example": 40500})
    vat_minor = fields.Integer(metadata={"example": 0})
    currency = fields.String(metadata={"example": "BDT"})
    seats_total = fields.Integer(metadata={"example": 300})
    seats_free = fields.Integer(metadata={"example": 12})
    seats_held = fields.Integer(
        metadata={"example": 8, "description": "Held by others; some may come back."}
    )
    seats_sold = fields.Integer(metadata={"example": 280})


class Availability(Schema):
    run_id = fields.UUID(metadata={"example": EXAMPLE_RUN})
    from_ = fields.String(data_key="from", metadata=STATION_EXAMPLE)
    to = fields.String(metadata={"example": "CTG"})
    as_of = fields.AwareDateTime(metadata={"description": "A second old at most."})
    sales_open = fields.Boolean()
    classes = fields.List(fields.Nested(ClassAvailability))


class SeatOfMap(Schema):
    seat_id = fields.Integer(metadata={"example": 1001})
    number = fields.String(metadata={"example": "1"})
    row = fields.Integer(metadata={"example": 1})
    column = fields.Integer(metadata={"example": 1})
    is_window = fields.Boolean()
    state = fields.String(validate=validate.OneOf(["free", "held", "sold"]))


class CoachOfMap(Schema):
    coach_number = fields.Integer(metadata={"example": 1})
    letter = fields.String(metadata={"example": "KA"})
    seat_class = fields.String(metadata={"example": "S_CHAIR"})
    price_minor = fields.Integer(metadata={"example": 40500})
    seats = fields.List(fields.Nested(SeatOfMap))


class SeatMap(Schema):
    run_id = fields.UUID(metadata={"example": EXAMPLE_RUN})
    from_ = fields.String(data_key="from", metadata=STATION_EXAMPLE)
    to = fields.String(metadata={"example": "CTG"})
    as_of = fields.AwareDateTime()
    currency = fields.String(metadata={"example": "BDT"})
    coaches = fields.List(fields.Nested(CoachOfMap))


class CancellationQuote(Schema):
    refund_minor = fields.Integer(metadata={"example": 36500})
    deduction_minor = fields.Integer(metadata={"example": 4000})
    online_charge_minor = fields.Integer(
        metadata={"example": 2000, "description": "Paid and not refunded."}
    )
    currency = fields.String(metadata={"example": "BDT"})


class CancellationWish(Schema):
    refund_minor = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(min=0, max=10**9),
        metadata={"example": 36500, "description": "The refund that was quoted and agreed to."},
    )


class Pin(Schema):
    order_id = fields.UUID()
    payment_id = fields.UUID()
    account_id = fields.UUID()
    amount_minor = fields.Integer(metadata={"example": 85000})
    currency = fields.String(metadata={"example": "BDT"})
    pinned_until = fields.AwareDateTime()
    contact_email = fields.String()
    contact_name = fields.String()
    description = fields.String()


class ConfirmationWish(Schema):
    payment_id = fields.UUID(required=True)
    amount_minor = fields.Integer(
        required=True, strict=True, validate=validate.Range(min=0, max=10**9)
    )
    currency = Text(length_min=3, length_max=3, required=True, metadata={"example": "BDT"})


class ConfirmedOrder(Schema):
    order_id = fields.UUID()
    state = fields.String(metadata={"example": "confirmed"})
    pnr = fields.String(metadata={"example": "C7KD9QXM"})
    confirmed_at = fields.AwareDateTime()


class FailureWish(Schema):
    payment_id = fields.UUID(required=True)
    reason = Text(length_max=200, required=True)


_PASSENGER_EXAMPLE = {
    "name": "Rahima Khatun",
    "identity_kind": "nid",
    "identity_number": "1990123456789",
}
_RIDE_EXAMPLE = {
    "run_id": EXAMPLE_RUN,
    "from": "DA",
    "to": "CTG",
    "passengers": [_PASSENGER_EXAMPLE],
}
EXAMPLE_PAYMENT = "0d5b8f0e-52a7-4f0e-9d6e-5c8a3d3f1b57"
ORDER_WISH_EXAMPLES = {
    "named_seats": {"value": {**_RIDE_EXAMPLE, "seat_ids": [1001]}},
    "any_seat_of_a_class": {"value": {**_RIDE_EXAMPLE, "seat_class": "S_CHAIR"}},
}
CANCELLATION_EXAMPLE = {"refund_minor": 36500}
CONFIRMATION_EXAMPLE = {
    "payment_id": EXAMPLE_PAYMENT,
    "amount_minor": 42500,
    "currency": "BDT",
}
FAILURE_EXAMPLE = {"payment_id": EXAMPLE_PAYMENT, "reason": "capture_refused"}

# Built once: a schema's fields are copied each time it is made, which costs more than a load.
ORDER_WISH = OrderWish()
CONFIRMATION_WISH = ConfirmationWish()
