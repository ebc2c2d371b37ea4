"""
Which passwords are refused, after NIST SP 800-63B: short ones, common ones, and those that hold
the person's own name or address. No rule asks for a capital or a sign.
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files

LENGTH_MIN, LENGTH_MAX = 10, 128
DISTINCT_CHARACTERS_MIN = 5
TELLING_LENGTH_MIN = 4


def normalised(password: str) -> str:
    """The same keys give the same password on every keyboard that composes letters its own way."""
    return unicodedata.normalize("NFC", password)


def faults_of(password: str, *, email: str, name: str) -> list[str]:
    """Say what is wrong with a password of allowed length; empty when nothing is."""
    folded = normalised(password).casefold()
    faults = []
    if _is_common(folded):
        faults.append("This password is among the first that anybody would guess.")
    if any(word in folded for word in _telling_words(email, name)):
        faults.append("The password must not contain your name or e-mail address.")
    return faults


def _telling_words(email: str, name: str) -> list[str]:
    mailbox = email.partition("@")[0]
    words = [mailbox, *re.split(r"[\W_]+", mailbox), *re.split(r"[\W_]+", name)]
    return [word.casefold() for word in words if len(word) >= TELLING_LENGTH_MIN]


def _is_common(folded: str) -> bool:
    """A common word stays common with a year or a sign behind it."""
    stem = re.sub(r"[\W\d_]+$", "", folded)
    if len(set(folded)) < DISTINCT_CHARACTERS_MIN:
        return True
    return folded in _common_passwords() or stem in _common_passwords()


@cache
def _common_passwords() -> frozenset[str]:
    listed = files("registration").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in listed.splitlines() if line and not line.startswith("#"))
