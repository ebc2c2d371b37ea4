"""What comes in and what goes out, with examples."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from chassis.fields import Instant, Text
from waitingroom.signing import PLACE_LENGTH_MAX
from waitingroom.staffing import WindowTerms

RUN_ID = "00c29b1e-6c42-5a3c-8d6c-8ad9d2b0a3b4"
WINDOW_ID = "5f0a7c1e-2f0b-4d53-9a3b-6f0d6a0c7b11"
ACCOUNT_ID = "0b8e7a52-3a1f-4b0e-9d25-7c2b0f3f6a11"
SIGNED = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwYjhlIn0.q1w2e3"
SEED = "9d7c1b0a3f5e2d4c6b8a79e0f1d2c3b4a5968778695a4b3c2d1e0f1a2b3c4d5e"
MOMENT = "2026-11-15T08:00:00.000Z"
INSTANTS = validate.Range(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
RUNS_MAX = 1_000
SEATS_MAX = 10_000_000


def shown(example: Any, description: str = "") -> dict[str, Any]:
    return {"example": example, **({"description": description} if description else {})}


class JoinSchema(Schema):
    place = Text(
        length_max=PLACE_LENGTH_MAX,
        load_default=None,
        metadata=shown(SIGNED, "A place of yours from before; it is kept. Leave it out otherwise."),
    )


class AdmissionWishSchema(Schema):
    place = Text(length_max=PLACE_LENGTH_MAX, required=True, metadata=shown(SIGNED))


class NowServingSchema(Schema):
    window_id = fields.UUID(metadata=shown(WINDOW_ID))
    state = fields.String(
        metadata=shown("open", "before, open, sold_out, held_by_others or closed")
    )
    is_hot = fields.Boolean(metadata=shown(example=True, description="Whether orders need a pass."))
    serving = fields.Integer(metadata=shown(5_200, "Who has this number or a lower is served."))
    people_per_second = fields.Float(metadata=shown(60.0))
    early_places = fields.Integer(
        allow_none=True, metadata=shown(48_211, "Numbers of those who came before the opening.")
    )
    seed = fields.String(
        allow_none=True, metadata=shown(SEED, "Of the shuffle, in hexadecimal; from the opening.")
    )
    opens_at = fields.String(metadata=shown(MOMENT))
    closes_at = fields.String(metadata=shown("2026-11-25T10:30:00.000Z"))
    as_of = fields.String(metadata=shown("2026-11-15T08:01:30.250Z"))


class WindowSchema(NowServingSchema):
    run_ids = fields.List(fields.UUID(), metadata=shown([RUN_ID]))
    seats_total = fields.Integer(metadata=shown(1_375))
    seed_commitment = fields.String(
        metadata=shown(SEED[::-1], "SHA-256 of the seed, published from the beginning.")
    )
    is_automatic = fields.Boolean(
        metadata=shown(example=True, description="Made from the catalogue, not by staff.")
    )


class WindowsSchema(Schema):
    windows = fields.List(fields.Nested(WindowSchema))


class PlaceSchema(Schema):
    window_id = fields.UUID(metadata=shown(WINDOW_ID))
    account_id = fields.UUID(metadata=shown(ACCOUNT_ID))
    arrival = fields.String(metadata=shown("early", "early or late"))
    number = fields.Integer(
        allow_none=True, metadata=shown(5_213, "Of an early place it is drawn at the opening.")
    )
    state = fields.String(metadata=shown("open"))
    serving = fields.Integer(metadata=shown(5_200))
    opens_at = fields.String(metadata=shown(MOMENT))
    place = fields.String(metadata=shown(SIGNED, "Signed; keep it, it is yours alone."))


class AdmissionSchema(Schema):
    window_id = fields.UUID(metadata=shown(WINDOW_ID))
    admission_pass = fields.String(metadata=shown(SIGNED, "For the header Admission-Pass."))
    expires_at = fields.String(metadata=shown("2026-11-15T08:06:30.000Z"))


class JwkSchema(Schema):
    kty = fields.String(metadata=shown("OKP"))
    crv = fields.String(metadata=shown("Ed25519"))
    kid = fields.String(metadata=shown("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"))
    alg = fields.String(metadata=shown("EdDSA"))
    use = fields.String(metadata=shown("sig"))
    x = fields.String(metadata=shown("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))


class JwksSchema(Schema):
    keys = fields.List(fields.Nested(JwkSchema))


class WindowWishSchema(Schema):
    run_ids = fields.List(
        fields.UUID(),
        required=True,
        validate=validate.Length(1, RUNS_MAX),
        metadata=shown([RUN_ID]),
    )
    opens_at = Instant(required=True, validate=INSTANTS, metadata=shown("2026-11-15T08:00:00Z"))
    closes_at = Instant(required=True, validate=INSTANTS, metadata=shown("2026-11-25T10:30:00Z"))
    seats_total = fields.Integer(
        required=True, strict=True, validate=validate.Range(0, SEATS_MAX), metadata=shown(1_375)
    )

    @validates_schema(skip_on_field_errors=True)
    def _check(self, values: dict[str, Any], **_: Any) -> None:
        if values["opens_at"] >= values["closes_at"]:
            raise ValidationError("It must be after opens_at.", "closes_at")

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> WindowTerms:
        run_ids = sorted(set(values.pop("run_ids")))
        return WindowTerms(run_ids=run_ids, **values)


class StaffChangesQuerySchema(Schema):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200), metadata=shown(50))


class StaffChangeSchema(Schema):
    change_id = fields.Integer(metadata=shown(17))
    window_id = fields.UUID(metadata=shown(WINDOW_ID))
    account_id = fields.UUID(metadata=shown(ACCOUNT_ID))
    changed_at = Instant(metadata=shown("2026-11-14T10:00:00Z"))
    before = fields.Dict(allow_none=True, metadata=shown(None))
    after = fields.Dict(metadata=shown({"seats_total": 1_375}))


class StaffChangesSchema(Schema):
    changes = fields.List(fields.Nested(StaffChangeSchema))
