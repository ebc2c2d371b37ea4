"""Reads the provider's webhooks: the signature over the raw bytes first, everything else after."""

from datetime import datetime
from typing import Any

import orjson
from marshmallow import ValidationError

from chassis.problems import InvalidRequest, Problem
from payment.schemas import PROVIDER_EVENT
from payment.signatures import is_genuine


class BadSignature(Problem):
    status, code, title = 400, "bad_signature", "The provider has not signed this."


class MalformedJson(Problem):
    status, code, title = 400, "malformed_json", "The body is not JSON."


def read_event(header: str, body: bytes, *, secret: str, now: datetime) -> dict[str, Any]:
    """
    Raises:
        BadSignature: forged, or signed more than five minutes ago.
        MalformedJson, InvalidRequest
    """
    if not is_genuine(header, body, secret, now.timestamp()):
        raise BadSignature
    try:
        return dict(PROVIDER_EVENT.load(orjson.loads(body)))
    except orjson.JSONDecodeError as error:
        raise MalformedJson from error
    except ValidationError as error:
        raise InvalidRequest(errors=error.messages_dict) from error
