"""What passengers and the other services send and get."""

from marshmallow import Schema, fields, validate

from chassis.fields import Instant, Text

CURSOR_MAX = 2**63 - 1
LIMIT_MAX = 50
CHANGES_MAX = 500
TRAINS_MAX = 500


class NameQuerySchema(Schema):
    q = Text(
        length_min=0,
        length_max=80,
        load_default="",
        metadata={"description": "The beginning of a name, in English or Bengali, or a code."},
    )
    limit = fields.Integer(load_default=20, validate=validate.Range(1, LIMIT_MAX))


class TrainQuerySchema(NameQuerySchema):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, TRAINS_MAX))


class StationSchema(Schema):
    station_code = fields.String(required=True)
    name = fields.String(required=True)
    name_bn = fields.String(required=True)
    latitude = fields.Float(allow_none=True)
    longitude = fields.Float(allow_none=True)
    zone = fields.String(metadata={"description": "west, east, or empty."})
    timezone = fields.String(allow_none=True, metadata={"description": "Null: the railway's."})


class StationsSchema(Schema):
    stations = fields.List(fields.Nested(StationSchema), required=True)


class SeatClassSchema(Schema):
    seat_class = fields.String(required=True)
    name = fields.String(required=True)
    name_bn = fields.String(required=True)
    refund_category = fields.String(
        required=True, validate=validate.OneOf(("ac", "first", "other"))
    )


class SeatClassesSchema(Schema):
    seat_classes = fields.List(fields.Nested(SeatClassSchema), required=True)


class TrainSchema(Schema):
    train_number = fields.String(required=True)
    name = fields.String(required=True)
    name_bn = fields.String(required=True)
    running_days = fields.String(metadata={"description": 'ISO weekdays, "1" is Monday.'})
    zone = fields.String()
    valid_from = fields.Date(allow_none=True)
    valid_until = fields.Date(allow_none=True, metadata={"description": "Exclusive."})
    from_code = fields.String(allow_none=True, metadata={"description": "The first station."})
    to_code = fields.String(allow_none=True, metadata={"description": "The last station."})


class TrainsSchema(Schema):
    trains = fields.List(fields.Nested(TrainSchema), required=True)


class TrainStopSchema(Schema):
    sequence = fields.Integer(required=True)
    station_code = fields.String(required=True)
    name = fields.String(required=True)
    name_bn = fields.String(required=True)
    arrives_minute = fields.Integer(
        allow_none=True, metadata={"description": "Minutes after the service date began."}
    )
    departs_minute = fields.Integer(allow_none=True)


class CoachSchema(Schema):
    coach_number = fields.Integer(required=True)
    letter = fields.String(required=True)
    letter_bn = fields.String(required=True)
    seat_class = fields.String(required=True)
    rows = fields.Integer(required=True)
    left_seats = fields.Integer(required=True)
    right_seats = fields.Integer(required=True)


class TrainDetailSchema(TrainSchema):
    """A train as it runs today."""

    timezone = fields.String(required=True)
    currency = fields.String(required=True)
    stops = fields.List(fields.Nested(TrainStopSchema), required=True)
    coaches = fields.List(fields.Nested(CoachSchema), required=True)


class RunQuerySchema(Schema):
    from_code = Text(
        data_key="from",
        required=True,
        length_max=64,
        metadata={"description": "A station_code.", "example": "DA"},
    )
    to_code = Text(
        data_key="to",
        required=True,
        length_max=64,
        metadata={"description": "A station_code.", "example": "CTG"},
    )
    date = fields.Date(
        required=True,
        metadata={"description": "Of the departure from the boarding station, by its clock."},
    )


class SalesSchema(Schema):
    opens_at = fields.AwareDateTime(required=True)
    closes_at = fields.AwareDateTime(required=True)


class SalesStateSchema(SalesSchema):
    state = fields.String(required=True, validate=validate.OneOf(("not_yet", "open", "closed")))


class BoardingSchema(Schema):
    station_code = fields.String(required=True)
    name = fields.String(required=True)
    name_bn = fields.String(required=True)
    sequence = fields.Integer(required=True)
    departs_at = fields.AwareDateTime(required=True)


class AlightingSchema(Schema):
    station_code = fields.String(required=True)
    name = fields.String(required=True)
    name_bn = fields.String(required=True)
    sequence = fields.Integer(required=True)
    arrives_at = fields.AwareDateTime(required=True)


class ClassOnSaleSchema(Schema):
    seat_class = fields.String(required=True)
    name = fields.String(required=True)
    name_bn = fields.String(required=True)
    seats_total = fields.Integer(required=True)
    price_minor = fields.Integer(required=True, metadata={"description": "With VAT, a passenger."})
    vat_minor = fields.Integer(required=True)
    currency = fields.String(required=True)


RUN_STATE = validate.OneOf(("scheduled", "cancelled"))

FoundRunSchema = Schema.from_dict(
    {
        "run_id": fields.UUID(required=True),
        "train_number": fields.String(required=True),
        "train_name": fields.String(required=True),
        "train_name_bn": fields.String(required=True),
        "service_date": fields.Date(required=True),
        "state": fields.String(required=True, validate=RUN_STATE),
        "from": fields.Nested(BoardingSchema, required=True),
        "to": fields.Nested(AlightingSchema, required=True),
        "duration_minutes": fields.Integer(required=True),
        "sales": fields.Nested(SalesStateSchema, required=True),
        "classes": fields.List(fields.Nested(ClassOnSaleSchema), required=True),
    },
    name="FoundRun",
)


class FoundRunsSchema(Schema):
    runs = fields.List(fields.Nested(FoundRunSchema), required=True)


class StopSchema(Schema):
    sequence = fields.Integer(required=True)
    station_code = fields.String(required=True)
    name = fields.String(required=True)
    name_bn = fields.String(required=True)
    arrives_at = fields.AwareDateTime(required=True, allow_none=True)
    departs_at = fields.AwareDateTime(required=True, allow_none=True)


class SeatSchema(Schema):
    seat_id = fields.Integer(required=True, metadata={"description": "Stable over all versions."})
    number = fields.String(required=True)
    row = fields.Integer(required=True)
    column = fields.Integer(required=True, metadata={"description": "The aisle is a gap."})
    is_window = fields.Boolean(required=True)


class DefinedCoachSchema(Schema):
    coach_number = fields.Integer(required=True)
    letter = fields.String(required=True)
    letter_bn = fields.String(required=True)
    seat_class = fields.String(required=True)
    seats = fields.List(fields.Nested(SeatSchema), required=True)


class DefinedFareSchema(Schema):
    seat_class = fields.String(required=True)
    from_sequence = fields.Integer(required=True)
    to_sequence = fields.Integer(required=True)
    price_minor = fields.Integer(required=True, metadata={"description": "With VAT, a passenger."})
    vat_minor = fields.Integer(required=True)


class RunDefinitionSchema(Schema):
    """All that others need to sell a run. Only pairs of stops with a fare are on sale."""

    run_id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    state = fields.String(required=True, validate=RUN_STATE)
    train_number = fields.String(required=True)
    train_name = fields.String(required=True)
    train_name_bn = fields.String(required=True)
    service_date = fields.Date(required=True)
    timezone = fields.String(required=True)
    currency = fields.String(required=True)
    sales = fields.Nested(SalesSchema, required=True)
    online_charge_minor = fields.Integer(required=True)
    stops = fields.List(fields.Nested(StopSchema), required=True)
    seat_classes = fields.List(fields.Nested(SeatClassSchema), required=True)
    coaches = fields.List(fields.Nested(DefinedCoachSchema), required=True)
    fares = fields.List(fields.Nested(DefinedFareSchema), required=True)


class RunChangesQuerySchema(Schema):
    after = fields.Integer(
        load_default=0,
        validate=validate.Range(0, CURSOR_MAX),
        metadata={"description": "The next_after of the last answer; 0 for all there is."},
    )
    limit = fields.Integer(load_default=100, validate=validate.Range(1, CHANGES_MAX))


class RunChangeSchema(Schema):
    cursor = fields.Integer(required=True)
    run_id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    state = fields.String(required=True, validate=RUN_STATE)
    changed_at = fields.AwareDateTime(required=True)


class RunChangesSchema(Schema):
    changes = fields.List(fields.Nested(RunChangeSchema), required=True)
    next_after = fields.Integer(required=True)


class OpeningsQuerySchema(Schema):
    from_at = Instant(data_key="from", required=True, metadata={"example": "2026-11-20T00:00:00Z"})
    until_at = Instant(
        data_key="until",
        required=True,
        metadata={"description": "Exclusive.", "example": "2026-11-21T00:00:00Z"},
    )


class OpeningRunSchema(Schema):
    run_id = fields.UUID(required=True)
    seats_total = fields.Integer(
        required=True, metadata={"description": "Of the classes that are sold."}
    )


class OpeningSchema(Schema):
    opens_at = fields.AwareDateTime(required=True)
    runs = fields.List(fields.Nested(OpeningRunSchema), required=True)


class OpeningsSchema(Schema):
    openings = fields.List(fields.Nested(OpeningSchema), required=True)
