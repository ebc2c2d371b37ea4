"""The API that the shop calls, guarded by its key."""

import hmac
import time
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request, url_for

from sandbox import sessions
from sandbox.bodies import read_amount, read_session
from sandbox.refusals import BadKey
from sandbox.sessions import Refund, Session
from sandbox.settings import Settings
from sandbox.store import Store

api = Blueprint("api", __name__)


def store() -> Store:
    kept: Store = current_app.extensions["store"]
    return kept


def settings() -> Settings:
    kept: Settings = current_app.extensions["settings"]
    return kept


@api.before_request
def demand_key() -> None:
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {settings().key}".encode()):
        raise BadKey


@api.put("/sessions/<session_id>")
def put_session(session_id: str) -> tuple[Response, int]:
    asked = read_session(session_id)
    session, is_new = sessions.open_session(store(), asked, now=time.time())
    return jsonify(_shown(session)), 201 if is_new else 200


@api.get("/sessions/<session_id>")
def get_session(session_id: str) -> Response:
    return jsonify(_shown(sessions.session_of(store(), session_id, now=time.time())))


@api.put("/sessions/<session_id>/capture")
def put_capture(session_id: str) -> Response:
    session = sessions.capture(store(), session_id, read_amount(), now=time.time())
    return jsonify(_shown(session))


@api.put("/sessions/<session_id>/void")
def put_void(session_id: str) -> Response:
    return jsonify(_shown(sessions.void(store(), session_id, now=time.time())))


@api.put("/sessions/<session_id>/refunds/<refund_id>")
def put_refund(session_id: str, refund_id: str) -> tuple[Response, int]:
    amount_minor = read_amount(refund_id=refund_id)
    refund, is_new = sessions.refund(store(), session_id, refund_id, amount_minor, now=time.time())
    return jsonify(_shown_refund(refund)), 201 if is_new else 200


def _shown(session: Session) -> dict[str, Any]:
    expires_at = datetime.fromtimestamp(session.expires_at, UTC).isoformat()
    page_path = url_for("page.show", session_id=session.session_id)
    return {
        "session_id": session.session_id,
        "state": session.state,
        "reason": session.reason or None,
        "page_url": settings().public_url + page_path,
        "reference": session.reference,
        "amount_minor": session.amount_minor,
        "currency": session.currency,
        "authorised_minor": session.authorised_minor,
        "captured_minor": session.captured_minor,
        "expires_at": expires_at.replace("+00:00", "Z"),
        "refunds": [_shown_refund(one) for one in _refunds_of(session)],
    }


def _refunds_of(session: Session) -> list[Refund]:
    return sessions.refunds_of(store(), session.session_id) if session.captured_minor else []


def _shown_refund(refund: Refund) -> dict[str, Any]:
    return {
        "refund_id": refund.refund_id,
        "amount_minor": refund.amount_minor,
        "state": refund.state,
    }
