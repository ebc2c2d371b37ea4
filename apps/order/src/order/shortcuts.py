"""
The two requests of the rush, answered before Flask is asked: what is free on a leg, and an order,
refused or placed. Whatever is unusual about them is left to their routes.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Flask

from chassis.application import utc_now
from chassis.identity import identify_bearer
from chassis.shortcuts import Answer, Environ, Shortcut, json_body
from order import operations
from order.admission import HEADER, NotAdmitted
from order.availability import availability_body
from order.parts import Parts, parts_of
from order.refusals import may_be_a_repetition, refuse_what_is_taken
from order.rendering import as_json, order_body
from order.wish import plain_wish

# Only a query that needs no decoding.
_LEG = re.compile(r"from=([A-Z0-9_]{1,8})&to=([A-Z0-9_]{1,8})", re.ASCII)
_PASS_KEY = "HTTP_" + HEADER.upper().replace("-", "_")


def shortcuts_of(app: Flask) -> tuple[Shortcut, ...]:
    prefix = "/api/order"
    return (
        Shortcut("GET", f"{prefix}/runs/<uuid:run_id>/availability", _availability(app)),
        Shortcut("PUT", f"{prefix}/orders/<uuid:order_id>", _order(app)),
    )


def _availability(app: Flask) -> Callable[[Environ, UUID], Answer | None]:
    def answer(environ: Environ, run_id: UUID) -> Answer | None:
        asked = _LEG.fullmatch(environ.get("QUERY_STRING", ""))
        if asked is None:
            return None
        parts = parts_of(app)
        run = parts.definitions.get(run_id)
        leg = run.leg_between(asked[1], asked[2])
        return Answer(200, availability_body(parts, run, leg, now=utc_now())) if leg else None

    return answer


def _order(app: Flask) -> Callable[[Environ, UUID], Answer | None]:
    """In the route's order: who asks, whether they were admitted, whether the seats are gone."""

    def answer(environ: Environ, order_id: UUID) -> Answer | None:
        buyer = identify_bearer(app.extensions["verifier"], environ.get("HTTP_AUTHORIZATION", ""))
        body = json_body(environ)
        if not isinstance(body, dict):
            return None
        parts, pass_, now = parts_of(app), environ.get(_PASS_KEY, ""), utc_now()
        if not _is_admitted(parts, order_id, body, buyer.account_id, pass_, now):
            return None
        refuse_what_is_taken(parts, order_id, body, now=now)
        wish = plain_wish(body)
        if wish is None:
            return None
        with app.app_context():
            placed = operations.place_order(
                parts=parts, order_id=order_id, buyer=buyer, wish=wish, now=now
            )
        return Answer(201 if placed.is_new else 200, as_json(order_body(placed.record, now)))

    return answer


def _is_admitted(
    parts: Parts, order_id: UUID, body: dict[str, Any], account_id: UUID, pass_: str, now: datetime
) -> bool:
    """
    False where the route has to find out.

    Raises:
        NotAdmitted.
    """
    try:
        run_id = UUID(body["run_id"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    try:
        parts.admission.require(run_id, account_id, pass_, now=now)
    except NotAdmitted as refused:
        if not may_be_a_repetition(parts, order_id, run_id, refused):
            raise
        return False
    return True
