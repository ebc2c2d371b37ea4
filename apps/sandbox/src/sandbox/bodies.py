"""Reads the API's request bodies, and says for each field what is wrong with it."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import request

from sandbox.refusals import InvalidBody, MalformedBody
from sandbox.sessions import Asked

AMOUNT_MINOR_MAX = 10**12
URL_LENGTH_MAX = 2_000
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def read_session(session_id: str) -> Asked:
    """
    Raises:
        MalformedBody, InvalidBody
    """
    read = _read(
        amount_minor=_amount,
        currency=_currency,
        reference=_line(100),
        description=_line(300),
        return_url=_web_address,
        webhook_url=_web_address,
        expires_at=_moment,
    )
    if not _ID.fullmatch(session_id):
        raise InvalidBody(errors={"session_id": ["8 to 64 letters, digits, - or _."]})
    return Asked(session_id=session_id, **read)


def read_amount(*, refund_id: str | None = None) -> int:
    if refund_id is not None and not _ID.fullmatch(refund_id):
        raise InvalidBody(errors={"refund_id": ["8 to 64 letters, digits, - or _."]})
    return int(_read(amount_minor=_amount)["amount_minor"])


def _read(**readers: Callable[[Any], Any]) -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise MalformedBody
    values: dict[str, Any] = {}
    errors = {name: ["Unknown field."] for name in body.keys() - readers.keys()}
    for name, reader in readers.items():
        try:
            values[name] = reader(body.get(name))
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise InvalidBody(errors=errors)
    return values


def _amount(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= AMOUNT_MINOR_MAX:
        raise ValueError("A whole number above zero is needed.")
    return value


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueError("Three capital letters are needed.")
    return value


def _line(length_max: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if (
            not isinstance(value, str)
            or not 0 < len(value) <= length_max
            or not value.isprintable()
        ):
            raise ValueError(f"A line of 1 to {length_max} characters is needed.")
        return value

    return read


def _web_address(value: Any) -> str:
    fault = ValueError("An http or https address is needed.")
    if not isinstance(value, str) or len(value) > URL_LENGTH_MAX:
        raise fault
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise fault
    try:
        parts = urlsplit(value)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        raise fault from None
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.username
        or not has_port
    ):
        raise fault
    return value


def _moment(value: Any) -> float:
    fault = ValueError("A time with a zone is needed, such as 2026-11-25T08:00:00Z.")
    if not isinstance(value, str):
        raise fault
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise fault
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise fault from None
