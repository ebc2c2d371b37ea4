"""Digits as people type them: Bengali or Latin, with spaces and hyphens between."""

import re
import unicodedata

_SEPARATORS = re.compile(r"[\s().\u002d\u2010-\u2015]+")


def plain(text: str) -> str:
    """Take the separators out and write every decimal digit in ASCII."""
    return "".join(_ascii(character) for character in _SEPARATORS.sub("", text))


def _ascii(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)
