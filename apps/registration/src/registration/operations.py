"""
Registering: a pending registration, its code by mail, and the account that comes of it. A known
address gets the same answers as an unknown one; only its mail is another.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert

from chassis.cache import TooManyRequests
from chassis.database import transaction
from chassis.problems import IdReused, InvalidRequest, NotFound, Problem
from registration import mails
from registration.applicant import Applicant, IdentityDocument
from registration.codes import FreshCode, count_try, enqueue_mail, fresh_code
from registration.identity_number import masked
from registration.limits import count_asking, count_mail
from registration.models import Account, PendingRegistration, db
from registration.one_time_code import CODE_LIFETIME, RESEND_WAIT
from registration.password_hashing import hash_password, is_password
from registration.passwords import faults_of
from registration.settings import settings

REGISTRATION_LIFETIME = timedelta(days=1)


class EmailTaken(Problem):
    status, code, title = 409, "email_taken", "This address has an account by now; please sign in."


class IdentityNumberTaken(Problem):
    status, code = 409, "identity_number_taken"
    title = "Another account is registered with this identity number."


def register(
    *, registration_id: UUID, applicant: Applicant, address: str, now: datetime
) -> tuple[PendingRegistration, bool]:
    """
    Keep the registration until its code comes back, and say whether it is new.

    Raises:
        InvalidRequest: the password is refused.
        IdReused: the id stands for another registration.
        TooManyRequests: too many codes for the mailbox or from the address.
    """
    count_asking(why="registration", address=address, now=now)
    refuse_weak(applicant.password, email=applicant.email, name=applicant.name)
    with transaction(db) as session:
        known = session.get(PendingRegistration, registration_id)
    if known is None:
        count_mail(why="registration", email=applicant.email, now=now)
        if _keep(registration_id, applicant, hash_password(applicant.password), now):
            return db.session.get_one(PendingRegistration, registration_id), True
        known = db.session.get_one(PendingRegistration, registration_id)
    if not _is_repetition(known, applicant):
        raise IdReused
    return known, False


def refuse_weak(password: str, *, email: str, name: str) -> None:
    """
    Raises:
        InvalidRequest: with what is wrong with the password.
    """
    faults = faults_of(password, email=email, name=name)
    if faults:
        raise InvalidRequest(errors={"password": faults})


def _is_repetition(known: PendingRegistration, applicant: Applicant) -> bool:
    """The password is compared by its slow hash in any case: time shall not tell what differs."""
    is_same_password = is_password(applicant.password, known.password_hash)
    return known.request_digest == applicant.digest(settings().hash_key) and is_same_password


def _keep(registration_id: UUID, applicant: Applicant, password_hash: str, now: datetime) -> bool:
    """Write the pending registration and its mail; False when a twin request was first."""
    account_id = uuid4()
    with transaction(db) as session:
        code = _code_for(registration_id, applicant.email, now)
        values = {
            "registration_id": registration_id,
            "account_id": account_id,
            "request_digest": applicant.digest(settings().hash_key),
            "email": applicant.email,
            "name": applicant.name,
            "mobile": applicant.mobile,
            "password_hash": password_hash,
            "created_at": now,
            "resend_after_at": now + RESEND_WAIT,
            "expires_at": now + REGISTRATION_LIFETIME,
            **code.columns(),
            **document_columns(applicant.document, owner=f"account:{account_id}"),
        }
        kept = insert(PendingRegistration).values(values).on_conflict_do_nothing()
        is_new = session.scalar(kept.returning(PendingRegistration.account_id)) is not None
        if is_new:
            _enqueue_code(applicant.email, code, now)
    return is_new


def document_columns(document: IdentityDocument, *, owner: str) -> dict[str, Any]:
    return {
        "identity_kind": document.kind,
        "identity_sealed": settings().identity_key.seal(document.number, owner=owner),
        "identity_masked": masked(document.number),
        "identity_digest": document.digest(settings().hash_key),
    }


def _code_for(registration_id: UUID, email: str, now: datetime) -> FreshCode:
    is_known = db.session.scalar(select(exists().where(Account.email == email)))
    return fresh_code(registration_id, is_for_real=not is_known, now=now)


def _enqueue_code(email: str, code: FreshCode, now: datetime) -> None:
    mail = mails.registration_code if code.code else mails.already_registered
    enqueue_mail(mail, to=email, code=code.code, now=now, lifetime=CODE_LIFETIME)


def send_another_code(*, registration_id: UUID, address: str, now: datetime) -> PendingRegistration:
    """
    Replace the code by a new one with five tries of its own.

    Raises:
        NotFound: no such registration, or it has expired.
        TooManyRequests: the last mail left less than a minute ago, or too many did.
    """
    with transaction(db) as session:
        pending = session.get(PendingRegistration, registration_id)
    if pending is None or pending.expires_at <= now:
        raise NotFound
    _refuse_before(pending.resend_after_at, now)
    count_asking(why="registration", address=address, now=now)
    count_mail(why="registration", email=pending.email, now=now)
    with transaction(db) as session:
        code = _code_for(registration_id, pending.email, now)
        replaced = (
            update(PendingRegistration)
            .where(
                PendingRegistration.registration_id == registration_id,
                PendingRegistration.resend_after_at <= now,
            )
            .values(resend_after_at=now + RESEND_WAIT, **code.columns())
            .returning(PendingRegistration)
        )
        renewed = session.scalar(replaced, execution_options={"populate_existing": True})
        if renewed is None:
            raise TooManyRequests(int(RESEND_WAIT.total_seconds()))
        _enqueue_code(pending.email, code, now)
    return renewed


def _refuse_before(moment: datetime, now: datetime) -> None:
    if now < moment:
        raise TooManyRequests(int((moment - now).total_seconds()) + 1)


def confirm(*, registration_id: UUID, code: str, now: datetime) -> tuple[Account, bool]:
    """
    Open the account, and say whether this request did. Whose code is right may know that the
    address has an account by now: the mailbox is theirs.

    Raises:
        NotFound, CodeExpired, TooManyTries, WrongCode: see `count_try`.
        EmailTaken: another registration of this address was confirmed first.
        IdentityNumberTaken: the document belongs to another account.
    """
    count_try(PendingRegistration, registration_id, code, now=now)
    with transaction(db) as session:
        pending = session.get(PendingRegistration, registration_id)
        if pending is None:
            raise NotFound
        opened = insert(Account).values(_account_values(pending, now)).on_conflict_do_nothing()
        is_new = session.scalar(opened.returning(Account.account_id)) is not None
        pending.confirmed_at = pending.confirmed_at or now
        account = session.get(Account, pending.account_id)
        if account is None:
            raise _why_taken(pending)
    return account, is_new


def _account_values(pending: PendingRegistration, now: datetime) -> dict[str, Any]:
    taken_over = (
        "account_id", "email", "name", "mobile", "password_hash",
        "identity_kind", "identity_sealed", "identity_masked", "identity_digest",
    )  # fmt: skip
    values = {name: getattr(pending, name) for name in taken_over}
    return {**values, "is_staff": False, "created_at": now, "updated_at": now}


def _why_taken(pending: PendingRegistration) -> Problem:
    taken = db.session.scalar(select(exists().where(Account.email == pending.email)))
    return EmailTaken() if taken else IdentityNumberTaken()
