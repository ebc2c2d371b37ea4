"""
A forgotten password: a code by mail, then a new password that ends every session. Whether the
address has an account shows in its mailbox and nowhere else.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import transaction
from chassis.problems import IdReused, NotFound
from registration import mails, queries
from registration.codes import (
    NOTICE_LIFETIME,
    CodeExpired,
    count_try,
    enqueue_mail,
    fresh_code,
)
from registration.limits import count_asking, count_mail
from registration.models import Account, PasswordReset, Session, db
from registration.one_time_code import CODE_LIFETIME
from registration.operations import refuse_weak
from registration.password_hashing import hash_password, is_password
from registration.settings import settings


def ask_for_reset(*, reset_id: UUID, email: str, address: str, now: datetime) -> PasswordReset:
    """
    Send a code to the address, or a mail that says it has no account.

    Raises:
        IdReused: the id stands for another address.
        TooManyRequests: too many codes for the mailbox or from the address.
    """
    count_asking(why="reset", address=address, now=now)
    digest = settings().hash_key.digest("reset-email", email)
    with transaction(db) as session:
        known = session.get(PasswordReset, reset_id)
    if known is None:
        count_mail(why="reset", email=email, now=now)
        _keep(reset_id, email, digest, now)
        known = db.session.get_one(PasswordReset, reset_id)
    if known.email_digest != digest:
        raise IdReused
    return known


def _keep(reset_id: UUID, email: str, digest: bytes, now: datetime) -> None:
    with transaction(db) as session:
        account = queries.account_of(email)
        code = fresh_code(reset_id, is_for_real=account is not None, now=now)
        values = {
            "reset_id": reset_id,
            "email_digest": digest,
            "account_id": account.account_id if account else None,
            "created_at": now,
            **code.columns(),
        }
        kept = insert(PasswordReset).values(values).on_conflict_do_nothing()
        if session.scalar(kept.returning(PasswordReset.reset_id)) is not None:
            mail = mails.reset_code if code.code else mails.no_account
            enqueue_mail(mail, to=email, code=code.code, now=now, lifetime=CODE_LIFETIME)


def reset_password(*, reset_id: UUID, code: str, password: str, now: datetime) -> None:
    """
    Set the password, sign every device out and tell the owner. A repetition with the same
    password is fine; a used code sets no other.

    Raises:
        NotFound, CodeExpired, TooManyTries, WrongCode: see `count_try`.
        InvalidRequest: the password is refused.
        IdReused: the reset was confirmed with another password.
    """
    count_try(PasswordReset, reset_id, code, now=now)
    with transaction(db) as session:
        reset = session.get(PasswordReset, reset_id)
        account = queries.account(reset.account_id) if reset and reset.account_id else None
    if account is None:
        raise NotFound
    refuse_weak(password, email=account.email, name=account.name)
    if not _use(reset_id, account, hash_password(password), now):
        _refuse_another_password(account.account_id, password)


def _use(reset_id: UUID, account: Account, password_hash: str, now: datetime) -> bool:
    """All or nothing; False when the reset was used before."""
    used = (
        update(PasswordReset)
        .where(PasswordReset.reset_id == reset_id, PasswordReset.confirmed_at.is_(None))
        .values(confirmed_at=now)
        .returning(PasswordReset.reset_id)
    )
    changed = update(Account).where(Account.account_id == account.account_id)
    with transaction(db) as session:
        if session.scalar(used) is None:
            return False
        session.execute(changed.values(password_hash=password_hash, updated_at=now))
        session.execute(
            update(Session)
            .where(Session.account_id == account.account_id, Session.revoked_at.is_(None))
            .values(revoked_at=now, revoked_because="password reset")
        )
        enqueue_mail(mails.password_changed, to=account.email, now=now, lifetime=NOTICE_LIFETIME)
    return True


def _refuse_another_password(account_id: UUID, password: str) -> None:
    account = queries.account(account_id)
    if account is None:
        raise CodeExpired
    db.session.refresh(account)
    if not is_password(password, account.password_hash):
        raise IdReused
