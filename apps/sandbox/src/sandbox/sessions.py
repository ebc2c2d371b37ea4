"""
The life of a payment session: opened by the shop, paid by a card on the hosted page, then captured,
voided or refunded by the shop. Everything may be repeated; nothing is done twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sandbox.cards import BY_NUMBER, CARDS, Card
from sandbox.notices import Event, announce
from sandbox.refusals import Refusal
from sandbox.store import Connection, Store


class SessionNotFound(Refusal):
    status, code, title = 404, "session_not_found", "There is no such session."


class IdReused(Refusal):
    code, title = "id_reused", "This id was used before for something else."


class NotCapturable(Refusal):
    code, title = "not_capturable", "There is no authorised money to capture."


class CaptureRefused(Refusal):
    code, title = "capture_refused", "The bank refuses to hand the money over."


class BankDown(Refusal):
    status, code, title = 503, "bank_down", "The bank does not answer; please repeat this."


class AmountDiffers(Refusal):
    code, title = "amount_differs", "The amount does not fit what was authorised or captured."


class NotVoidable(Refusal):
    code, title = "not_voidable", "There is nothing left that could be voided."


class NotRefundable(Refusal):
    code, title = "not_refundable", "Nothing was captured, so nothing can be given back."


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the shop asks for when it opens a session; times are Unix seconds."""

    session_id: str
    amount_minor: int
    currency: str
    reference: str
    description: str
    return_url: str
    webhook_url: str
    expires_at: float


@dataclass(frozen=True, kw_only=True)
class Session(Asked):
    """
    `wakes_at` is when something happens by itself: the session expires, or a late bank says yes.
    """

    state: str = "open"
    card: str = ""
    reason: str = ""
    authorised_minor: int = 0
    captured_minor: int = 0
    capture_attempts: int = 0
    wakes_at: float | None = None

    @property
    def paid_with(self) -> Card:
        return BY_NUMBER.get(self.card, CARDS[0])

    def is_over(self, now: float) -> bool:
        return self.state == "open" and self.expires_at <= now


@dataclass(frozen=True, kw_only=True)
class Refund:
    refund_id: str
    session_id: str
    amount_minor: int
    state: str = "succeeded"


def open_session(store: Store, asked: Asked, *, now: float) -> tuple[Session, bool]:
    """
    Give the session and whether it is new.

    Raises:
        IdReused: the same id asked for something else.
    """
    with store.writing() as db:
        known = _find(db, asked.session_id, now=now)
        if known is None:
            session = Session(**vars(asked), wakes_at=asked.expires_at)
            columns = ", ".join(vars(session))
            marks = ", ".join(f":{column}" for column in vars(session))
            # Field names only: what was asked for stays in the values.
            insert = f"INSERT INTO session ({columns}) VALUES ({marks})"  # noqa: S608  # nosec B608
            db.execute(insert, vars(session))
            return session, True
        if any(getattr(known, name) != value for name, value in vars(asked).items()):
            raise IdReused
        return known, False


def session_of(store: Store, session_id: str, *, now: float) -> Session:
    """Reading is enough, unless its time is over and nobody has noticed yet."""
    with store.reading() as db:
        known = _stored(db, session_id)
    if known is not None and not known.is_over(now):
        return known
    with _session(store, session_id, now=now) as (_, session):
        return session


def refunds_of(store: Store, session_id: str) -> list[Refund]:
    with store.reading() as db:
        return _refunds(db, session_id)


def pay(store: Store, session_id: str, card: Card, *, now: float) -> Session:
    """Let a card pay an open session. One that is paid already or over stays as it is."""
    with _session(store, session_id, now=now) as (db, session):
        if session.state != "open" or session.card:
            return session
        tried = replace(session, card=card.number)
        if card.verdict == "approve":
            return _approve(db, tried, now=now)
        if card.verdict == "decline":
            return _end(db, tried, "declined", reason=card.decline_reason, now=now)
        _save(db, tried)
        return tried


def capture(store: Store, session_id: str, amount_minor: int, *, now: float) -> Session:
    """
    Take what was authorised, all of it or less; taking the same again changes nothing.

    Raises:
        NotCapturable, CaptureRefused, AmountDiffers, BankDown
    """
    with _session(store, session_id, now=now) as (db, session):
        if session.state == "captured" and session.captured_minor == amount_minor:
            return session
        tried = replace(session, capture_attempts=session.capture_attempts + 1)
        refusal = _refusal_to_capture(tried, amount_minor)
        if refusal is None:
            return _end(db, replace(tried, captured_minor=amount_minor), "captured", now=now)
        # An attempt that fails counts as well, so it is committed before it is refused.
        _save(db, tried)
    raise refusal


def _refusal_to_capture(session: Session, amount_minor: int) -> type[Refusal] | None:
    if session.state != "authorised":
        return AmountDiffers if session.state == "captured" else NotCapturable
    if session.paid_with.is_capture_refused:
        return CaptureRefused
    if session.capture_attempts <= session.paid_with.capture_failures:
        return BankDown
    return AmountDiffers if amount_minor > session.authorised_minor else None


def void(store: Store, session_id: str, *, now: float) -> Session:
    """
    Let go of what was set aside, or close a session that nobody has paid.

    Raises:
        NotVoidable: captured, declined or expired.
    """
    with _session(store, session_id, now=now) as (db, session):
        if session.state == "voided":
            return session
        if session.state not in {"open", "authorised"}:
            raise NotVoidable
        return _end(db, session, "voided", now=now)


def refund(
    store: Store, session_id: str, refund_id: str, amount_minor: int, *, now: float
) -> tuple[Refund, bool]:
    """
    Give money back, never more than was captured; the same id gives it once.

    Raises:
        NotRefundable, AmountDiffers, IdReused
    """
    asked = Refund(refund_id=refund_id, session_id=session_id, amount_minor=amount_minor)
    with _session(store, session_id, now=now) as (db, session):
        known = db.execute(
            "SELECT refund_id, session_id, amount_minor, state FROM refund WHERE refund_id = ?",
            (refund_id,),
        ).fetchone()
        if known is not None:
            if Refund(**known) != asked:
                raise IdReused
            return asked, False
        if session.state != "captured":
            raise NotRefundable
        given = sum(earlier.amount_minor for earlier in _refunds(db, session_id))
        if given + amount_minor > session.captured_minor:
            raise AmountDiffers
        db.execute(
            "INSERT INTO refund VALUES (?, ?, ?, ?, ?)",
            (refund_id, session_id, amount_minor, asked.state, now),
        )
        _announce(db, session, "refund.succeeded", amount_minor, now=now)
        return asked, True


def wake_due(store: Store, *, late_seconds: float, now: float) -> int:
    """Let happen what happens by itself, and return how many sessions it concerned."""
    is_due = "SELECT EXISTS (SELECT 1 FROM session WHERE wakes_at <= ?)"
    with store.reading() as db:
        if not db.execute(is_due, (now,)).fetchone()[0]:
            return 0
    with store.writing() as db:
        due = db.execute(
            "SELECT * FROM session WHERE wakes_at <= ? ORDER BY wakes_at LIMIT 50", (now,)
        ).fetchall()
        for row in due:
            _woken(db, Session(**row), late_seconds=late_seconds, now=now)
    return len(due)


@contextmanager
def _session(store: Store, session_id: str, *, now: float) -> Iterator[tuple[Connection, Session]]:
    with store.writing() as db:
        session = _find(db, session_id, now=now)
        if session is None:
            raise SessionNotFound
        yield db, session


def _find(db: Connection, session_id: str, *, now: float) -> Session | None:
    """An open session whose time is over has expired, whether or not anybody noticed."""
    session = _stored(db, session_id)
    if session is not None and session.is_over(now):
        return _expire(db, session, now=now)
    return session


def _stored(db: Connection, session_id: str) -> Session | None:
    row = db.execute("SELECT * FROM session WHERE session_id = ?", (session_id,)).fetchone()
    return None if row is None else Session(**row)


def _expire(db: Connection, session: Session, *, now: float) -> Session:
    """The clock of a late card goes on: it wakes again, at once, to learn when it shall approve."""
    is_late = session.paid_with.verdict == "approve_late"
    _announce(db, session, "payment.expired", session.amount_minor, now=now)
    expired = replace(session, state="expired", wakes_at=session.expires_at if is_late else None)
    _save(db, expired)
    return expired


def _woken(db: Connection, session: Session, *, late_seconds: float, now: float) -> None:
    if session.state == "open":
        session = _expire(db, session, now=now)
    if session.state != "expired" or session.wakes_at is None:
        return
    approves_at = session.expires_at + late_seconds
    if approves_at <= now:
        _approve(db, session, now=now)
    else:
        _save(db, replace(session, wakes_at=approves_at))


def _approve(db: Connection, session: Session, *, now: float) -> Session:
    card = session.paid_with
    given = max(session.amount_minor - card.shortfall_minor, 1)
    session = replace(session, authorised_minor=given)
    if card.is_one_step:
        return _end(db, replace(session, captured_minor=given), "captured", now=now)
    return _end(db, session, "authorised", now=now)


def _end(db: Connection, session: Session, state: str, *, now: float, reason: str = "") -> Session:
    session = replace(session, state=state, reason=reason, wakes_at=None)
    _save(db, session)
    amount_minor = session.captured_minor or session.authorised_minor or session.amount_minor
    _announce(db, session, f"payment.{state}", amount_minor, now=now)
    return session


def _save(db: Connection, session: Session) -> None:
    db.execute(
        "UPDATE session SET state = :state, card = :card, reason = :reason, wakes_at = :wakes_at,"
        " authorised_minor = :authorised_minor, captured_minor = :captured_minor,"
        " capture_attempts = :capture_attempts WHERE session_id = :session_id",
        vars(session),
    )


def _announce(
    db: Connection, session: Session, event_type: str, amount_minor: int, *, now: float
) -> None:
    event = Event(
        type=event_type,
        session_id=session.session_id,
        reference=session.reference,
        amount_minor=amount_minor,
        currency=session.currency,
        webhook_url=session.webhook_url,
    )
    announce(db, event, session.paid_with.notice, now=now)


def _refunds(db: Connection, session_id: str) -> list[Refund]:
    rows = db.execute(
        "SELECT refund_id, session_id, amount_minor, state FROM refund"
        " WHERE session_id = ? ORDER BY created_at, refund_id",
        (session_id,),
    )
    return [Refund(**row) for row in rows]
