"""A notice counts only if the provider signed these very bytes within the last five minutes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment.signatures import is_genuine, signature_of

SECRET, NOW, BODY = "secret", 1_795_593_600.0, b'{"event_id": "1"}'
GOOD = signature_of("1795593600", BODY, SECRET)


def test_a_signature_has_this_form():
    """Fixed here so that both sides keep to it: HMAC-SHA256 over "<t>.<body>"."""
    expected = "3dd49b2593d0f9a349e9e71c4bde3e2b862c2be4003fe9b4ba81332029310158"
    assert signature_of("1", b"{}", "k") == expected


@pytest.mark.parametrize(
    "header",
    [
        f"t=1795593600,v1={GOOD}",
        f"v1={GOOD},t=1795593600",
        f"t=1795593600, v1={'0' * 64}, v1={GOOD}",
        f"t=1795593600,v0=x,v1={GOOD}",
    ],
)
def test_a_genuine_header_is_taken(header):
    assert is_genuine(header, BODY, SECRET, NOW)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_five_minutes_either_way_are_taken(seconds):
    assert is_genuine(f"t=1795593600,v1={GOOD}", BODY, SECRET, NOW + seconds)


@pytest.mark.parametrize("seconds", [-301, 301, 10**9])
def test_more_than_five_minutes_are_not(seconds):
    assert not is_genuine(f"t=1795593600,v1={GOOD}", BODY, SECRET, NOW + seconds)


@pytest.mark.parametrize(
    "header",
    ["", "t=1795593600", f"v1={GOOD}", f"t=1795593600,t=1795593600,v1={GOOD}",
     f"t=1795593601,v1={GOOD}", f"t=1795593600,v1={GOOD.upper()}", f"t=1795593600,v1={GOOD}0",
     f"t= ,v1={GOOD}", f"t=1e9,v1={GOOD}", "t=1795593600,v1=", ",,,===", "t=1795593600,v1=é"],
)  # fmt: skip
def test_anything_else_is_not(header):
    assert not is_genuine(header, BODY, SECRET, NOW)


@given(st.text(max_size=200), st.binary(max_size=50))
def test_no_header_ends_in_an_error(header, body):
    assert not is_genuine(header, body, SECRET, NOW)


def test_another_body_or_secret_is_not():
    header = f"t=1795593600,v1={GOOD}"
    assert not is_genuine(header, BODY + b" ", SECRET, NOW)
    assert not is_genuine(header, BODY, "other", NOW)
