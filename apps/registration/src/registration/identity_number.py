"""
Identity documents: which numbers are plausible, and how much of one is ever shown.

Lengths: a Bangladesh NID has 10 digits (smart card), 13, or 17 (13 after the year of birth); a
birth registration number has 17; a passport number 6 to 9 letters and digits, most of them digits.
"""

import re

from registration.plain_digits import plain

NID, PASSPORT, BIRTH_CERTIFICATE = KINDS = ("nid", "passport", "birth_certificate")
SHOWN_CHARACTERS = 4
_FORMATS = {
    NID: (re.compile(r"\d{10}|\d{13}|\d{17}", re.ASCII), "An NID has 10, 13 or 17 digits."),
    BIRTH_CERTIFICATE: (
        re.compile(r"\d{17}", re.ASCII),
        "A birth registration number has 17 digits.",
    ),
    PASSPORT: (
        re.compile(r"(?=(?:[A-Z]*\d){5})[A-Z0-9]{6,9}", re.ASCII),
        "A passport number has 6 to 9 letters and digits.",
    ),
}


def normalised(kind: str, text: str) -> str:
    """
    Give the number without separators, digits in ASCII, letters in capitals.

    Raises:
        ValueError: no number of this kind looks so; the message is for the person.
    """
    number = plain(text).upper()
    shape, message = _FORMATS[kind]
    if not shape.fullmatch(number):
        raise ValueError(message)
    if len(set(number)) == 1:
        raise ValueError("One digit repeated is no document's number.")
    return number


def masked(number: str) -> str:
    return "•" * (len(number) - SHOWN_CHARACTERS) + number[-SHOWN_CHARACTERS:]
