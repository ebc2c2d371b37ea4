"""The waiting room for passengers: a place, now serving, and a pass."""

from typing import Any
from uuid import UUID

import orjson
from flask import Response, g
from flask_smorest import Blueprint

from chassis.addresses import client_address
from chassis.application import utc_now
from chassis.cache import TooManyRequests
from chassis.identity import Unauthenticated, account_required, public
from chassis.refusals import refuses
from waitingroom import limits, operations, schemas
from waitingroom.numbers import NumbersPaused
from waitingroom.operations import (
    NotYetServed,
    WindowClosed,
    WindowHeldByOthers,
    WindowSoldOut,
)
from waitingroom.parts import current_parts
from waitingroom.rendering import admission_body, now_serving_body, place_body, window_body
from waitingroom.signing import PlaceNotValid
from waitingroom.windows import WindowNotFound

blueprint = Blueprint("waiting room", __name__, description="The line before the ticket office.")
EVERYBODY = "public, max-age=1"
JWKS_SECONDS = 300


def _json(body: Any, status: int = 200, *, caching: str = "no-store") -> Response:
    headers = {"Cache-Control": caching}
    return Response(orjson.dumps(body), status, headers, content_type="application/json")


@blueprint.get("/windows")
@public
@blueprint.response(200, schemas.WindowsSchema)
def list_windows() -> Response:
    """
    List the windows that are not closed

    While one `is_hot`, orders for its runs need an admission pass.
    """
    parts, now = current_parts(), utc_now()
    bodies = [window_body(parts, window, now) for window in parts.windows.all()]
    return _json({"windows": bodies}, caching=EVERYBODY)


@blueprint.get("/windows/<uuid:window_id>")
@public
@blueprint.response(200, schemas.WindowSchema)
@refuses(WindowNotFound)
def read_window(window_id: UUID) -> Response:
    """Read one window, with the commitment to its shuffle and, later, the seed"""
    parts = current_parts()
    body = window_body(parts, parts.windows.get(window_id), utc_now())
    return _json(body, caching=EVERYBODY)


@blueprint.get("/windows/<uuid:window_id>/now-serving")
@public
@blueprint.response(200, schemas.NowServingSchema)
@refuses(WindowNotFound)
def read_now_serving(window_id: UUID) -> Response:
    """
    See which number is served

    The one thing to poll while waiting. It is meant to be answered by whatever stands in front.
    """
    parts = current_parts()
    body = now_serving_body(parts, parts.windows.get(window_id), utc_now())
    return _json(body, caching=EVERYBODY)


@blueprint.put("/windows/<uuid:window_id>/places/me")
@account_required
@blueprint.arguments(schemas.JoinSchema, required=False)
@blueprint.response(201, schemas.PlaceSchema)
@blueprint.alt_response(200, schema=schemas.PlaceSchema, description="You had it before.")
@refuses(
    Unauthenticated, WindowNotFound, WindowClosed, PlaceNotValid, TooManyRequests, NumbersPaused
)
def take_place(body: dict[str, Any], window_id: UUID) -> Response:
    """
    Take one's place in the line

    One place an account, however often and from wherever you ask. Before the opening it is a
    lottery ticket; from the opening on, the number after the last one.
    """
    parts, now, account_id = current_parts(), utc_now(), g.identity.account_id
    limits.count_join(parts, account_id=account_id, address=client_address(), now=now)
    joined = operations.take_place(
        parts=parts, window_id=window_id, account_id=account_id, shown=body["place"], now=now
    )
    return _json(place_body(joined, now), 201 if joined.is_new else 200)


@blueprint.put("/windows/<uuid:window_id>/admission")
@account_required
@blueprint.arguments(schemas.AdmissionWishSchema)
@blueprint.response(201, schemas.AdmissionSchema)
@blueprint.alt_response(200, schema=schemas.AdmissionSchema, description="You were let in before.")
@refuses(
    Unauthenticated, WindowNotFound, WindowClosed, PlaceNotValid, TooManyRequests, NotYetServed,
    WindowSoldOut, WindowHeldByOthers,
)  # fmt: skip
def admit(body: dict[str, str], window_id: UUID) -> Response:
    """
    Be let in when one's number is served

    The pass is good for minutes, for you and for this window's runs only. Send it with your order
    as the header `Admission-Pass`.
    """
    parts, now, account_id = current_parts(), utc_now(), g.identity.account_id
    limits.count_admission(parts, account_id=account_id, address=client_address(), now=now)
    admission = operations.admit(
        parts=parts, window_id=window_id, account_id=account_id, token=body["place"], now=now
    )
    return _json(admission_body(admission), 201 if admission.is_new else 200)


@blueprint.get("/jwks.json")
@public
@blueprint.response(200, schemas.JwksSchema)
def show_keys() -> Response:
    """Show the public keys of admission passes, the one in use first (RFC 7517)"""
    keys = [key.jwk for key in current_parts().settings.published_keys]
    return _json({"keys": keys}, caching=f"public, max-age={JWKS_SECONDS}")
