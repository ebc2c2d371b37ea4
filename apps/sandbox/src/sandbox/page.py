"""The hosted payment page: plain forms that work without a script."""

import functools
import time
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit, urlunsplit

from flask import Blueprint, get_template_attribute, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from sandbox import sessions
from sandbox.cards import CARDS, card_of
from sandbox.routes import settings, store
from sandbox.sessions import Session

page = Blueprint("page", __name__)
POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:"
WITHOUT_MINOR = frozenset({"JPY", "KRW", "VND", "CLP", "ISK"})


@page.after_request
def add_headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@page.get("/")
def home() -> str:
    return render_template("home.html", cards=CARDS)


@page.get("/pay/<session_id>")
def show(session_id: str) -> str:
    return _page(sessions.session_of(store(), session_id, now=time.time()))


@page.post("/pay/<session_id>")
def pay(session_id: str) -> Response | tuple[str, int]:
    """Pay and go back to the shop; where the bank keeps silent, say so instead."""
    card = card_of(request.form.get("card", ""))
    if card is None:
        known = sessions.session_of(store(), session_id, now=time.time())
        return _page(known, typed=request.form.get("card", "")[:40], has_error=True), 422
    session = sessions.pay(store(), session_id, card, now=time.time())
    if session.state in {"open", "expired"}:
        return redirect(url_for("page.show", session_id=session_id), 303)
    return redirect(way_back(session), 303)


def way_back(session: Session) -> str:
    parts = urlsplit(session.return_url)
    added = urlencode({"session_id": session.session_id})
    query = f"{parts.query}&{added}" if parts.query else added
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", query, parts.fragment))


def _page(session: Session, *, typed: str = "", has_error: bool = False) -> str:
    return render_template(
        "pay.html" if session.state == "open" and not session.card else "over.html",
        session=session,
        price=price(session.amount_minor, session.currency),
        seconds_left=max(0, round(session.expires_at - time.time())),
        expires_at=datetime.fromtimestamp(session.expires_at, UTC),
        late_seconds=settings().late_seconds,
        back_url=way_back(session),
        choices=_choices(),
        typed=typed,
        has_error=has_error,
    )


@functools.cache
def _choices() -> Markup:
    """The same on every page, and most of what there is to render on one."""
    rendered: Markup = get_template_attribute("cards.html", "choices")(CARDS)
    return rendered


def price(amount_minor: int, currency: str) -> str:
    if currency in WITHOUT_MINOR:
        return f"{currency} {amount_minor:,}"
    return f"{currency} {amount_minor // 100:,}.{amount_minor % 100:02}"
