"""Where staff say which runs have a waiting room. Every PUT may be repeated and is kept."""

from typing import Any
from uuid import UUID

from flask import g
from flask_smorest import Blueprint

from chassis.application import utc_now
from chassis.identity import Forbidden, Unauthenticated, staff_required
from chassis.refusals import refuses
from waitingroom import queries, schemas, staffing
from waitingroom.parts import current_parts
from waitingroom.rendering import window_body
from waitingroom.staffing import WindowHasOpened, WindowTerms

blueprint = Blueprint("staff", __name__, description="For staff: windows of the waiting room.")


@blueprint.put("/staff/windows/<uuid:window_id>")
@staff_required
@blueprint.arguments(schemas.WindowWishSchema)
@blueprint.response(201, schemas.WindowSchema)
@blueprint.alt_response(200, schema=schemas.WindowSchema, description="It was there before.")
@refuses(Unauthenticated, Forbidden, WindowHasOpened)
def put_window(terms: WindowTerms, window_id: UUID) -> Any:
    """
    Make or change a window

    Orders for its runs need a pass from now on. After the opening it cannot be moved any more;
    a `closes_at` in the past ends the window. Runs of an automatic window are taken out of it;
    an automatic window that is written itself follows the catalogue no more.
    """
    parts, now = current_parts(), utc_now()
    is_new = staffing.put_window(
        parts=parts, window_id=window_id, terms=terms, account_id=g.identity.account_id, now=now
    )
    body = window_body(parts, queries.window_by_id(window_id), now)
    return body, 201 if is_new else 200


@blueprint.get("/staff/changes")
@staff_required
@blueprint.arguments(schemas.StaffChangesQuerySchema, location="query")
@blueprint.response(200, schemas.StaffChangesSchema)
@refuses(Unauthenticated, Forbidden)
def list_changes(query: dict[str, int]) -> Any:
    """Read what staff changed, newest first"""
    return {"changes": queries.staff_changes(**query)}
