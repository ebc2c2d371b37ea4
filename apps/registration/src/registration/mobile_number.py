"""Mobile numbers in E.164: Bangladesh's in any of the ways people write them, others with a +."""

import re

from registration.plain_digits import plain

_BANGLADESH_LOCAL = re.compile(r"(?:880|0)(1[3-9]\d{8})", re.ASCII)
_INTERNATIONAL = re.compile(r"\+[1-9]\d{7,14}", re.ASCII)
_BANGLADESH_MOBILE = re.compile(r"\+8801[3-9]\d{8}", re.ASCII)


def normalised(text: str) -> str:
    """
    Give `+8801712345678` for 01712-345678, 8801712345678 and the like.

    Raises:
        ValueError: no number that could be a mobile's; the message is for the person.
    """
    number = plain(text)
    if number.startswith("00"):
        number = "+" + number[2:]
    local = _BANGLADESH_LOCAL.fullmatch(number)
    if local:
        number = "+880" + local[1]
    is_foreign = not number.startswith("+880")
    if _BANGLADESH_MOBILE.fullmatch(number) or (is_foreign and _INTERNATIONAL.fullmatch(number)):
        return number
    raise ValueError(
        "Not a mobile number. Write 01712345678, or a foreign one with + and the country's code."
    )
