"""
Signing in and out, and staying signed in: one session a sign-in, whose refresh tokens are each
used once. A token used again ends its session, for one of its two holders is a thief.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

from flask import current_app
from sqlalchemy import select, update

from chassis.database import DbSession, transaction
from chassis.identity import TokenVerifier, Unauthenticated
from chassis.problems import Problem
from registration import queries, refresh_token
from registration.limits import count_sign_in
from registration.models import Account, RefreshToken, Session, db
from registration.password_hashing import (
    hash_password,
    is_outdated,
    is_password,
    nobodys_hash,
)
from registration.settings import settings
from registration.signing import LIFETIME, access_token, published


class WrongCredentials(Problem):
    status, code, title = 401, "wrong_credentials", "Address or password is not right."


class InvalidRefreshToken(Problem):
    status, code, title = 401, "invalid_refresh_token", "Please sign in again."


class RefreshTokenReused(Problem):
    status, code = 401, "refresh_token_reused"
    title = "This sign-in was used twice and has been ended; please sign in again."


@dataclass(frozen=True)
class SignedIn:
    account: Account
    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int = int(LIFETIME.total_seconds())


def sign_in(*, email: str, password: str, address: str, now: datetime) -> SignedIn:
    """
    Open a session. An unknown address takes as long to refuse as a wrong password.

    Raises:
        TooManyRequests: too many tries.
        WrongCredentials: address or password; which of them is not said.
    """
    count_sign_in(email=email, address=address, now=now)
    with transaction(db):
        account = queries.account_of(email)
    kept_hash = account.password_hash if account else nobodys_hash()
    if not is_password(password, kept_hash) or account is None:
        raise WrongCredentials
    session_id, token = _open_session(account, kept_hash, now)
    if is_outdated(kept_hash):
        _renew_hash(account.account_id, kept_hash, hash_password(password))
    return _signed_in(account, session_id, token, now)


def _open_session(account: Account, kept_hash: str, now: datetime) -> tuple[UUID, str]:
    """The lock keeps a reset of the password from missing a session that the old one opens."""
    session_id, token = uuid4(), refresh_token.new_token()
    is_unchanged = (
        select(Account.account_id)
        .where(Account.account_id == account.account_id, Account.password_hash == kept_hash)
        .with_for_update(read=True)
    )
    with transaction(db) as session:
        if session.scalar(is_unchanged) is None:
            raise WrongCredentials
        session.add(
            Session(
                session_id=session_id,
                account_id=account.account_id,
                created_at=now,
                expires_at=now + refresh_token.LIFETIME,
            )
        )
        session.flush()
        _add_token(session, token, session_id, now)
    return session_id, token


def _add_token(session: DbSession, token: str, session_id: UUID, now: datetime) -> None:
    session.add(
        RefreshToken(
            token_hash=refresh_token.token_hash(settings().hash_key, token),
            session_id=session_id,
            issued_at=now,
            expires_at=now + refresh_token.LIFETIME,
        )
    )


def _renew_hash(account_id: UUID, kept_hash: str, new_hash: str) -> None:
    """Nobody else's change is overwritten."""
    unchanged = (Account.account_id == account_id, Account.password_hash == kept_hash)
    with transaction(db) as session:
        session.execute(update(Account).where(*unchanged).values(password_hash=new_hash))


def _signed_in(account: Account, session_id: UUID, token: str, now: datetime) -> SignedIn:
    access = access_token(
        settings().access_token_key,
        account_id=account.account_id,
        session_id=session_id,
        email=account.email,
        name=account.name,
        roles=account.roles,
        now=now,
    )
    return SignedIn(account, access, token)


def refresh(*, token: str, now: datetime) -> SignedIn:
    """
    Exchange a refresh token for the next one and an access token.

    Raises:
        InvalidRefreshToken: unknown, expired, or its session has ended.
        RefreshTokenReused: it was used before; its session has ended now.
    """
    key, salt = settings().hash_key, refresh_token.new_salt()
    with transaction(db) as session:
        session_id = session.scalar(_use(token, salt, now))
        if session_id is not None:
            account = _account_of_live(session_id, now)
            following = refresh_token.successor(key, token, salt)
            _add_token(session, following, session_id, now)
            _prolong(session, session_id, now)
            return _signed_in(account, session_id, following, now)
    return _repeat(token, now)


def _use(token: str, salt: str, now: datetime) -> Any:
    """One statement decides who of two users of a token is the first."""
    return (
        update(RefreshToken)
        .where(
            RefreshToken.token_hash == refresh_token.token_hash(settings().hash_key, token),
            RefreshToken.rotated_at.is_(None),
            RefreshToken.expires_at > now,
        )
        .values(rotated_at=now, successor_salt=salt)
        .returning(RefreshToken.session_id)
        .execution_options(synchronize_session=False)
    )


def _account_of_live(session_id: UUID, now: datetime) -> Account:
    live = (
        select(Account)
        .join(Session, Session.account_id == Account.account_id)
        .where(
            Session.session_id == session_id,
            Session.revoked_at.is_(None),
            Session.expires_at > now,
        )
    )
    account = db.session.scalar(live)
    if account is None:
        raise InvalidRefreshToken
    return account


def _prolong(session: DbSession, session_id: UUID, now: datetime) -> None:
    session.execute(
        update(Session)
        .where(Session.session_id == session_id)
        .values(expires_at=now + refresh_token.LIFETIME)
        .execution_options(synchronize_session=False)
    )


def _repeat(token: str, now: datetime) -> SignedIn:
    """
    A token that was used before. Within seconds, and while its successor is unused, this is a
    repetition and gets that same successor: the family keeps one branch, so a thief who is as
    quick is still found out when either of the two goes on. Anything else ends the session.
    """
    key = settings().hash_key
    with transaction(db) as session:
        used = session.get(RefreshToken, refresh_token.token_hash(key, token))
        if used is None or used.rotated_at is None or used.successor_salt is None:
            raise InvalidRefreshToken
        account = _account_of_live(used.session_id, now)
        following = refresh_token.successor(key, token, used.successor_salt)
        successor = session.get(RefreshToken, refresh_token.token_hash(key, following))
        is_unused = successor is not None and successor.rotated_at is None
        if is_unused and now < used.rotated_at + refresh_token.REPEAT_GRACE:
            return _signed_in(account, used.session_id, following, now)
        _revoke(session, used.session_id, "refresh token used twice", now)
    raise RefreshTokenReused


def _revoke(session: DbSession, session_id: UUID, because: str, now: datetime) -> None:
    session.execute(
        update(Session)
        .where(Session.session_id == session_id, Session.revoked_at.is_(None))
        .values(revoked_at=now, revoked_because=because)
        .execution_options(synchronize_session=False)
    )


def sign_out(*, session_id: str, now: datetime) -> None:
    """End the session, so that its refresh token is worth nothing; repeatable."""
    parsed = _as_uuid(session_id)
    if parsed is not None:
        with transaction(db) as session:
            _revoke(session, parsed, "signed out", now)


def verify(*, token: str, now: datetime) -> dict[str, Any]:
    """Stricter than the signature alone: a token is not active once its session has ended."""
    verifier = cast("TokenVerifier", current_app.extensions["verifier"])
    try:
        identity = verifier.identity_of(token, now.timestamp())
    except Unauthenticated:
        return {"active": False}
    session_id = _as_uuid(identity.session_id)
    if session_id is None or not queries.is_live(session_id, now):
        return {"active": False}
    return {
        "active": True,
        "account_id": identity.account_id,
        "roles": list(identity.roles),
        "expires_at": datetime.fromtimestamp(identity.expires_at, UTC),
    }


def published_keys() -> list[dict[str, Any]]:
    return published(settings().access_token_key, settings().access_token_previous_key)


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
