"""The rules that need no server: numbers, passwords, digests."""

import pytest

from registration import identity_number, mobile_number, passwords
from registration.keyed_hash import HashKey
from registration.one_time_code import new_code


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("01712345678", "+8801712345678"),
        ("01712-345678", "+8801712345678"),
        ("+880 1712 345678", "+8801712345678"),
        ("8801712345678", "+8801712345678"),
        ("008801712345678", "+8801712345678"),
        ("\u09e6\u09e7\u09ed\u09e7\u09e8\u09e9\u09ea\u09eb\u09ec\u09ed\u09ee", "+8801712345678"),
        ("+44 (7911) 123456", "+447911123456"),
        ("0091 98765 43210", "+919876543210"),
    ],
)
def test_mobiles_are_kept_in_one_form(typed, kept):
    assert mobile_number.normalised(typed) == kept


@pytest.mark.parametrize(
    "typed",
    ["", "0171234567", "017123456789", "01112345678", "+8801112345678", "+0123456789", "+1", "abc"],
)
def test_what_is_no_mobile_is_refused(typed):
    with pytest.raises(ValueError, match="Not a mobile number"):
        mobile_number.normalised(typed)


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        ("nid", "123 456 7890", "1234567890"),
        ("nid", "1234567890123", "1234567890123"),
        ("nid", "19901234567890123", "19901234567890123"),
        ("birth_certificate", "1990-1234567890123", "19901234567890123"),
        ("passport", "bx0123456", "BX0123456"),
        ("passport", "A01234567", "A01234567"),
        ("passport", "123456789", "123456789"),
    ],
)
def test_plausible_documents_are_kept_in_one_form(kind, typed, kept):
    assert identity_number.normalised(kind, typed) == kept


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        ("nid", "12345678901"),
        ("nid", "12345A7890"),
        ("nid", "0000000000"),
        ("birth_certificate", "1234567890"),
        ("passport", "ABCDEFGHI"),
        ("passport", "12345"),
        ("passport", "BX01234567"),
        ("passport", "B\u00d60123456"),
    ],
)
def test_implausible_documents_are_refused(kind, typed):
    with pytest.raises(ValueError, match=r"\."):
        identity_number.normalised(kind, typed)


def test_a_mask_shows_four_characters():
    assert identity_number.masked("1234567890") == "••••••7890"


@pytest.mark.parametrize("password", ["1234567890", "Password123!", "qwertyuiop", "ababababab"])
def test_common_passwords_are_refused(password):
    assert passwords.faults_of(password, email="a@example.org", name="B")


@pytest.mark.parametrize("password", ["tangerine-river-42", "কমলা নদীর ধারে", "o8#kf2!qPz"])
def test_good_passwords_are_taken(password):
    assert passwords.faults_of(password, email="rahima@example.org", name="Rahima Khatun") == []


def test_a_password_composed_otherwise_is_the_same():
    assert passwords.normalised("cafe\u0301") == passwords.normalised("caf\u00e9")


def test_the_list_of_common_passwords_holds_what_can_match():
    """A line in capitals could never be found, for passwords are compared in small letters."""
    listed = passwords._common_passwords()
    assert len(listed) > 150
    assert all(word == word.casefold().strip() for word in listed)


def test_digests_of_different_purposes_and_parts_differ():
    key, other = HashKey("a" * 32), HashKey("b" * 32)
    made = {
        key.digest("x", "ab", "c"),
        key.digest("x", "a", "bc"),
        key.digest("y", "ab", "c"),
        other.digest("x", "ab", "c"),
    }
    assert len(made) == 4


def test_a_short_hash_key_is_refused():
    with pytest.raises(ValueError, match="32 characters"):
        HashKey("short")


def test_codes_have_six_digits_and_are_not_alike():
    codes = {new_code() for _ in range(200)}
    assert all(len(code) == 6 and code.isdecimal() for code in codes)
    assert len(codes) > 190
