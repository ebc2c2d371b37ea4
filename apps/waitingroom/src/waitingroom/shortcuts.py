"""
Taking a place, answered before Flask is asked: in the minute of the opening nearly everybody does.
Whatever is unusual about it is left to the route.
"""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

import orjson
from flask import Flask

from chassis.addresses import address_of
from chassis.application import utc_now
from chassis.identity import identify_bearer
from chassis.shortcuts import Answer, Environ, Shortcut, json_body
from waitingroom import limits, operations
from waitingroom.parts import Parts
from waitingroom.rendering import place_body
from waitingroom.signing import PLACE_LENGTH_MAX

NOT_KEPT = (("Cache-Control", "no-store"),)


def shortcuts_of(app: Flask) -> tuple[Shortcut, ...]:
    rule = "/api/waitingroom/windows/<uuid:window_id>/places/me"
    return (Shortcut("PUT", rule, _place(app)),)


def _place(app: Flask) -> Callable[[Environ, UUID], Answer | None]:
    trusted_proxies = app.extensions["settings"].trusted_proxies

    def answer(environ: Environ, window_id: UUID) -> Answer | None:
        identity = identify_bearer(
            app.extensions["verifier"], environ.get("HTTP_AUTHORIZATION", "")
        )
        wish = json_body(environ)
        if not _is_plain(wish):
            return None
        parts, now = cast("Parts", app.extensions["parts"]), utc_now()
        address = address_of(environ, trusted_proxies=trusted_proxies)
        limits.count_join(parts, account_id=identity.account_id, address=address, now=now)
        with app.app_context():
            joined = operations.take_place(
                parts=parts,
                window_id=window_id,
                account_id=identity.account_id,
                shown=wish.get("place"),
                now=now,
            )
        body = orjson.dumps(place_body(joined, now))
        return Answer(201 if joined.is_new else 200, body, headers=NOT_KEPT)

    return answer


def _is_plain(wish: Any) -> bool:
    """Nothing, or a place as it was given: what the route would take as it is."""
    if wish == {}:
        return True
    if not isinstance(wish, dict) or wish.keys() != {"place"}:
        return False
    place = wish["place"]
    return (
        isinstance(place, str)
        and 0 < len(place) <= PLACE_LENGTH_MAX
        and place.isascii()
        and place.isprintable()
        and " " not in place
    )
