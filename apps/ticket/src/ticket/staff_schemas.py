"""What staff send and get. Figures are bounded here; what depends on the catalogue is not."""

import re
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from chassis.fields import Instant, Text
from ticket.definition import FareRule, StopTimes
from ticket.schemas import CURSOR_MAX, LIMIT_MAX, RUN_STATE
from ticket.seatplan import CoachPlan

TRAIN_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z -]{0,31}")
DATES = validate.Range(date(2000, 1, 1), date(2100, 1, 1))
INSTANTS = validate.Range(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
MINUTES = validate.Range(0, 10 * 1440)
AMOUNTS = validate.Range(0, 1_000_000_000)
ZONES = ("west", "east")


class FromDateSchema(Schema):
    from_date = fields.Date(
        load_default=None,
        allow_none=True,
        validate=DATES,
        metadata={"description": "In force from here; by default the day after its last run."},
    )


class StaffStopSchema(Schema):
    station_code = Text(required=True, length_max=64)
    arrives_minute = fields.Integer(strict=True, required=True, allow_none=True, validate=MINUTES)
    departs_minute = fields.Integer(strict=True, required=True, allow_none=True, validate=MINUTES)

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> StopTimes:
        return StopTimes(**values)


class StaffTrainSchema(FromDateSchema):
    name = Text(required=True, length_max=120)
    name_bn = Text(load_default="", length_min=0, length_max=120)
    zone = fields.String(load_default="", validate=validate.OneOf(("", *ZONES)))
    running_days = fields.String(
        required=True,
        validate=validate.Regexp(r"^1?2?3?4?5?6?7?\Z"),
        metadata={"description": 'ISO weekdays in order: "1234567".'},
    )
    valid_from = fields.Date(load_default=None, allow_none=True, validate=DATES)
    valid_until = fields.Date(load_default=None, allow_none=True, validate=DATES)
    stops = fields.List(
        fields.Nested(StaffStopSchema), required=True, validate=validate.Length(2, 200)
    )


class StaffCoachSchema(Schema):
    coach_number = fields.Integer(strict=True, required=True, validate=validate.Range(1, 99))
    letter = Text(required=True, length_max=10)
    letter_bn = Text(load_default="", length_min=0, length_max=10)
    seat_class = Text(required=True, length_max=32)
    rows = fields.Integer(strict=True, required=True, validate=validate.Range(1, 100))
    left_seats = fields.Integer(strict=True, required=True, validate=validate.Range(0, 6))
    right_seats = fields.Integer(strict=True, required=True, validate=validate.Range(0, 6))

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> CoachPlan:
        return CoachPlan(**values)


class CoachPlanSchema(FromDateSchema):
    coaches = fields.List(
        fields.Nested(StaffCoachSchema), required=True, validate=validate.Length(1, 60)
    )


class StaffFareSchema(Schema):
    seat_class = Text(required=True, length_max=32)
    from_code = Text(required=True, length_max=64)
    to_code = Text(required=True, length_max=64)
    price_minor = fields.Integer(strict=True, required=True, validate=AMOUNTS)
    vat_minor = fields.Integer(strict=True, required=True, validate=AMOUNTS)

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> FareRule:
        return FareRule(**values)


class FaresSchema(FromDateSchema):
    fares = fields.List(
        fields.Nested(StaffFareSchema), required=True, validate=validate.Length(1, 8_000)
    )


class OutcomeSchema(Schema):
    from_date = fields.Date(required=True)
    runs_changed = fields.Integer(
        required=True, metadata={"description": "Existing runs that got a new version."}
    )


class StaffRunSchema(Schema):
    train_number = Text(required=True, length_max=32)
    service_date = fields.Date(required=True, validate=DATES)


class CancellationSchema(Schema):
    reason = Text(required=True, length_max=500)


class RunOutcomeSchema(Schema):
    run_id = fields.UUID(required=True)
    version = fields.Integer(required=True)
    state = fields.String(required=True, validate=RUN_STATE)
    cancellation_reason = fields.String(required=True, allow_none=True)


class SalesWindowSchema(Schema):
    run_id = fields.UUID(load_default=None, allow_none=True)
    train_number = Text(load_default=None, allow_none=True, length_max=32)
    zone = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(ZONES))
    from_date = fields.Date(load_default=None, allow_none=True, validate=DATES)
    until_date = fields.Date(
        load_default=None,
        allow_none=True,
        validate=DATES,
        metadata={"description": "Exclusive; service dates, for a train or a zone."},
    )
    opens_at = Instant(load_default=None, allow_none=True, validate=INSTANTS)
    closes_at = Instant(load_default=None, allow_none=True, validate=INSTANTS)

    @validates_schema(skip_on_field_errors=True)
    def _refuse_what_means_nothing(self, values: dict[str, Any], **_: Any) -> None:
        if sum(values[name] is not None for name in ("run_id", "train_number", "zone")) != 1:
            raise ValidationError("Name one of run_id, train_number and zone.", "run_id")
        first, until = values["from_date"], values["until_date"]
        if values["run_id"] is not None and (first or until):
            raise ValidationError("A run has its date.", "from_date")
        if values["run_id"] is None and not (first and until and first < until):
            raise ValidationError("Name from_date and a later until_date.", "from_date")
        if values["opens_at"] is None and values["closes_at"] is None:
            raise ValidationError("Name opens_at or closes_at.", "opens_at")


class WindowOutcomeSchema(Schema):
    sales_window_id = fields.UUID(required=True)
    runs_changed = fields.Integer(required=True)


class StaffChangesQuerySchema(Schema):
    before = fields.Integer(
        load_default=None,
        validate=validate.Range(1, CURSOR_MAX),
        metadata={"description": "Only changes with a smaller change_id."},
    )
    subject = Text(
        load_default=None, length_max=64, metadata={"description": "A train's number or an id."}
    )
    limit = fields.Integer(load_default=20, validate=validate.Range(1, LIMIT_MAX))


class StaffChangeSchema(Schema):
    change_id = fields.Integer(required=True)
    account_id = fields.UUID(required=True)
    email = fields.String(required=True)
    changed_at = Instant(required=True)
    kind = fields.String(required=True)
    subject = fields.String(required=True)
    before = fields.Raw(required=True, allow_none=True)
    after = fields.Raw(required=True)


class StaffChangesSchema(Schema):
    changes = fields.List(fields.Nested(StaffChangeSchema), required=True)
