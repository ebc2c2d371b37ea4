"""An account's own affairs: profile, saved passengers, and accounts made by the operator."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update

from chassis.database import DbSession, transaction
from chassis.problems import IdReused, NotFound, Problem
from registration import queries, sealing
from registration.applicant import IdentityDocument
from registration.models import Account, PendingRegistration, SavedPassenger, db
from registration.operations import document_columns
from registration.password_hashing import hash_password, is_password
from registration.settings import settings

PASSENGERS_MAX = 20
SEALED = (
    (Account, lambda row: f"account:{row.account_id}"),
    (PendingRegistration, lambda row: f"account:{row.account_id}"),
    (SavedPassenger, lambda row: _owner(row.account_id, row.passenger_id)),
)


class TooManyPassengers(Problem):
    status, code = 409, "too_many_passengers"
    title = f"An account keeps at most {PASSENGERS_MAX} passengers."


def change_profile(*, account_id: UUID, changes: dict[str, str], now: datetime) -> Account:
    """
    Change name or mobile. Address and document stay: they were proven when registering.

    Raises:
        NotFound: the account is gone.
    """
    with transaction(db) as session:
        account = _locked(session, account_id)
        for name, value in changes.items():
            setattr(account, name, value)
        account.updated_at = now
    return account


def _locked(session: DbSession, account_id: UUID) -> Account:
    account: Account | None = session.get(Account, account_id, with_for_update=True)
    if account is None:
        raise NotFound
    return account


def save_passenger(
    *, account_id: UUID, passenger_id: UUID, name: str, document: IdentityDocument, now: datetime
) -> tuple[SavedPassenger, bool]:
    """
    Keep a passenger, and say whether it is a new one. The account is locked meanwhile, so that
    parallel requests cannot go beyond the limit.

    Raises:
        NotFound: the account is gone.
        IdReused: the id stands for another passenger of the account.
        TooManyPassengers: the limit is reached.
    """
    with transaction(db) as session:
        _locked(session, account_id)
        known = session.get(SavedPassenger, (account_id, passenger_id))
        if known is not None:
            return _same(known, name, document), False
        _refuse_beyond_limit(session, account_id)
        passenger = SavedPassenger(
            account_id=account_id,
            passenger_id=passenger_id,
            name=name,
            created_at=now,
            **document_columns(document, owner=_owner(account_id, passenger_id)),
        )
        session.add(passenger)
    return passenger, True


def _owner(account_id: UUID, passenger_id: UUID) -> str:
    return f"account:{account_id}:passenger:{passenger_id}"


def _same(known: SavedPassenger, name: str, document: IdentityDocument) -> SavedPassenger:
    is_same_document = known.identity_digest == document.digest(settings().hash_key)
    if known.name != name or not is_same_document:
        raise IdReused
    return known


def _refuse_beyond_limit(session: DbSession, account_id: UUID) -> None:
    of_account = SavedPassenger.account_id == account_id
    kept = session.scalar(select(func.count()).select_from(SavedPassenger).where(of_account)) or 0
    if kept >= PASSENGERS_MAX:
        raise TooManyPassengers


def forget_passenger(*, account_id: UUID, passenger_id: UUID) -> None:
    """Repeatable: one that is not there is forgotten already."""
    key = (SavedPassenger.account_id == account_id, SavedPassenger.passenger_id == passenger_id)
    with transaction(db) as session:
        session.execute(delete(SavedPassenger).where(*key))


def ensure_account(
    *, email: str, name: str, password: str, is_staff: bool, now: datetime
) -> Account:
    """Make the operator's wish true: the account is there, with this name, password and role."""
    known = queries.account_of(email)
    is_password_kept = known is not None and is_password(password, known.password_hash)
    password_hash = known.password_hash if known and is_password_kept else hash_password(password)
    wished = {"name": name, "password_hash": password_hash, "is_staff": is_staff, "updated_at": now}
    with transaction(db) as session:
        if known is None:
            known = Account(account_id=uuid4(), email=email, created_at=now, **wished)
            session.add(known)
        else:
            session.execute(
                update(Account).where(Account.account_id == known.account_id).values(**wished)
            )
    return known


def reseal(*, limit: int = 500) -> int:
    """
    Seal with today's IDENTITY_KEY what the previous one sealed, at most `limit` values of each
    kind; the previous key may go when this gives 0.

    Raises:
        CannotUnseal: a value whose key is not given.
    """
    with transaction(db) as session:
        return sum(_reseal(session, model, owner, limit) for model, owner in SEALED)


def _reseal(session: DbSession, model: Any, owner: Any, limit: int) -> int:
    key = settings().identity_key
    key_id = func.substring(model.identity_sealed, 1, sealing.KEY_ID_BYTES)
    stale = select(model).where(model.identity_sealed.is_not(None), key_id != key.key_id)
    rows = session.scalars(stale.limit(limit).with_for_update()).all()
    for row in rows:
        number = sealing.unseal(settings().identity_keys, row.identity_sealed, owner=owner(row))
        row.identity_sealed = key.seal(number, owner=owner(row))
    return len(rows)
