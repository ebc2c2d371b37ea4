"""What goes in and out of the API, normalised at the edge: digits, addresses, numbers."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from chassis.fields import Instant, Text
from registration import identity_number, mobile_number
from registration.applicant import Applicant, IdentityDocument
from registration.one_time_code import DIGITS
from registration.passwords import LENGTH_MAX, LENGTH_MIN
from registration.plain_digits import plain

NAME = {"example": "Rahima Khatun"}
EMAIL = {"example": "rahima@example.org"}
MOBILE = {
    "example": "+8801712345678",
    "description": "01712345678 is understood too; numbers of other countries start with +.",
}
ACCOUNT_ID = {"example": "0b8e7a52-3a1f-4b0e-9d25-7c2b0f3f6a11"}
LATER = {"example": "2026-11-25T08:05:00Z"}
MASKED = {"example": "••••••7890", "description": "Only the last characters are ever shown."}
REFRESH_TOKEN = {"example": "c2VjcmV0LXJlZnJlc2gtdG9rZW4tb2YtNDMtY2hhcnM"}
ACCESS_TOKEN = {"example": "eyJhbGciOiJFZERTQSIsImtpZCI6Im…"}
_MAILBOX = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_DOMAIN = r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])"


class EmailAddress(Text):
    """An address in small letters, so that one mailbox is one account."""

    def __init__(self, **kwargs: Any) -> None:
        shape = validate.Regexp(f"^{_MAILBOX}@{_DOMAIN}$", error="Not an e-mail address.")
        super().__init__(length_max=254, validate=shape, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return super()._deserialize(value, *args, **kwargs).lower()


class Mobile(Text):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(length_max=40, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        try:
            return mobile_number.normalised(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class Code(Text):
    """Six digits, also with spaces or in Bengali."""

    def __init__(self, **kwargs: Any) -> None:
        shape = validate.Regexp(rf"^[0-9]{{{DIGITS}}}$", error=f"The code has {DIGITS} digits.")
        super().__init__(length_max=20, validate=shape, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return plain(super()._deserialize(value, *args, **kwargs))


class Password(Text):
    """Spaces at the ends belong to a password."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return str(fields.String._deserialize(self, value, *args, **kwargs))  # noqa: SLF001


def _new_password() -> Password:
    hint = {"example": "tangerine-river-42", "description": "Long beats complicated."}
    return Password(length_min=LENGTH_MIN, length_max=LENGTH_MAX, required=True, metadata=hint)


class DocumentSchema(Schema):
    identity_kind = fields.String(
        required=True,
        validate=validate.OneOf(identity_number.KINDS),
        metadata={"example": identity_number.NID},
    )
    identity_number = Text(
        length_max=40,
        required=True,
        metadata={
            "example": "1234567890",
            "description": "NID: 10, 13 or 17 digits; birth certificate: 17; passport: 6 to 9 "
            "letters and digits. Kept encrypted and never shown again.",
        },
    )

    @validates_schema
    def _look_plausible(self, loaded: dict[str, Any], **_: Any) -> None:
        _document(loaded)


def _document(loaded: dict[str, Any]) -> IdentityDocument:
    try:
        number = identity_number.normalised(loaded["identity_kind"], loaded["identity_number"])
    except ValueError as error:
        raise ValidationError(str(error), "identity_number") from error
    return IdentityDocument(loaded["identity_kind"], number)


class RegistrationSchema(DocumentSchema):
    name = Text(length_max=100, required=True, metadata=NAME)
    email = EmailAddress(required=True, metadata=EMAIL)
    mobile = Mobile(required=True, metadata=MOBILE)
    password = _new_password()

    @post_load
    def _as_applicant(self, loaded: dict[str, Any], **_: Any) -> Applicant:
        personal = {name: loaded[name] for name in ("name", "email", "mobile", "password")}
        return Applicant(document=_document(loaded), **personal)


class PendingRegistrationSchema(Schema):
    registration_id = fields.UUID(metadata=ACCOUNT_ID)
    expires_at = Instant(
        attribute="code_expires_at", metadata={**LATER, "description": "Of the code."}
    )
    resend_after_at = Instant(metadata={"example": "2026-11-25T08:01:00Z"})


class CodeSchema(Schema):
    code = Code(required=True, metadata={"example": "042917"})


class BriefAccountSchema(Schema):
    account_id = fields.UUID(metadata=ACCOUNT_ID)
    name = fields.String(metadata=NAME)
    email = fields.String(metadata=EMAIL)
    roles = fields.List(fields.String(), metadata={"example": []})


class AccountSchema(BriefAccountSchema):
    mobile = fields.String(allow_none=True, metadata=MOBILE)
    identity_kind = fields.String(allow_none=True, metadata={"example": identity_number.NID})
    identity_masked = fields.String(allow_none=True, metadata=MASKED)
    created_at = Instant(metadata={"example": "2026-11-25T08:02:11Z"})


class ProfileChangesSchema(Schema):
    name = Text(length_max=100, metadata=NAME)
    mobile = Mobile(metadata=MOBILE)


class CredentialsSchema(Schema):
    email = EmailAddress(required=True, metadata=EMAIL)
    password = Password(
        length_max=LENGTH_MAX, required=True, metadata={"example": "tangerine-river-42"}
    )


class RefreshSchema(Schema):
    refresh_token = Text(length_max=200, required=True, metadata=REFRESH_TOKEN)


class SessionSchema(Schema):
    access_token = fields.String(metadata=ACCESS_TOKEN)
    token_type = fields.String(metadata={"example": "Bearer"})
    expires_in = fields.Integer(metadata={"example": 900, "description": "Seconds."})
    refresh_token = fields.String(
        metadata={**REFRESH_TOKEN, "description": "Good once, for 30 days."}
    )
    account = fields.Nested(BriefAccountSchema)


class NewPassengerSchema(DocumentSchema):
    name = Text(length_max=100, required=True, metadata=NAME)

    @post_load
    def _with_document(self, loaded: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"name": loaded["name"], "document": _document(loaded)}


class PassengerSchema(Schema):
    passenger_id = fields.UUID(metadata={"example": "5f0c8a34-9d0f-4f3a-8a53-9f1f0f7a2f10"})
    name = fields.String(metadata=NAME)
    identity_kind = fields.String(metadata={"example": identity_number.NID})
    identity_masked = fields.String(metadata=MASKED)


class PassengersSchema(Schema):
    passengers = fields.List(fields.Nested(PassengerSchema))


class ResetRequestSchema(Schema):
    email = EmailAddress(required=True, metadata=EMAIL)


class PasswordResetSchema(Schema):
    reset_id = fields.UUID(metadata=ACCOUNT_ID)
    expires_at = Instant(
        attribute="code_expires_at", metadata={**LATER, "description": "Of the code."}
    )


class NewPasswordSchema(CodeSchema):
    password = _new_password()


class TokenSchema(Schema):
    token = Text(length_max=8192, required=True, metadata=ACCESS_TOKEN)


class VerificationSchema(Schema):
    active = fields.Boolean(metadata={"example": True})
    account_id = fields.UUID(metadata=ACCOUNT_ID)
    roles = fields.List(fields.String(), metadata={"example": []})
    expires_at = Instant(metadata={"example": "2026-11-25T08:20:00Z"})


class JwkSchema(Schema):
    kty = fields.String(metadata={"example": "OKP"})
    crv = fields.String(metadata={"example": "Ed25519"})
    x = fields.String(metadata={"example": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    kid = fields.String(metadata={"example": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"})
    alg = fields.String(metadata={"example": "EdDSA"})
    use = fields.String(metadata={"example": "sig"})


class JwksSchema(Schema):
    keys = fields.List(fields.Nested(JwkSchema))
