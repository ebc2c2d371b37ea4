"""Fields take what a database can store, and refuse the rest."""

from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from chassis.fields import Instant


@pytest.mark.parametrize(
    "text", ["2026-11-25T14:00:00+06:00", "2026-11-25T08:00:00Z", "2026-11-26T03:24:00+19:24"]
)
def test_a_moment_is_kept_in_utc_whatever_its_offset(text):
    moment = Instant().deserialize(text)

    assert moment == datetime(2026, 11, 25, 8, tzinfo=UTC)
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-11-25T08:00:00", "soon"],
)
def test_a_moment_outside_the_calendar_or_without_a_zone_is_refused(text):
    with pytest.raises(ValidationError):
        Instant().deserialize(text)
