"""Fields for requests that refuse what no database can store or no person can mean."""

import unicodedata
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate


def _refuse_control_characters(text: str) -> None:
    """PostgreSQL stores no NUL, and no name has a use for the others (categories Cc, Cs)."""
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValidationError("Control characters are not allowed.")


class Text(fields.String):
    """A line of text, trimmed, of `length_min` to `length_max` characters."""

    def __init__(self, *, length_max: int, length_min: int = 1, **kwargs: Any) -> None:
        extra = kwargs.pop("validate", [])
        rules = [
            validate.Length(min=length_min, max=length_max),
            _refuse_control_characters,
            *(extra if isinstance(extra, list) else [extra]),
        ]
        super().__init__(validate=rules, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        return text.strip() if isinstance(text, str) else text


class Instant(fields.AwareDateTime):
    """
    A moment, shown in UTC to the second as `2026-11-25T08:00:00Z`; read with any offset and kept
    in UTC, since PostgreSQL takes none beyond 16 hours.
    """

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        moment: datetime = super()._deserialize(value, *args, **kwargs)
        try:
            return moment.astimezone(UTC)
        except OverflowError as error:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from error

    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        if value is None:
            return None
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
