"""The API: who may call what, with what, and what comes back."""

from typing import Any
from uuid import UUID

from flask import Response, g
from flask_smorest import Blueprint

from chassis.addresses import client_address
from chassis.application import utc_now
from chassis.cache import TooManyRequests
from chassis.identity import Unauthenticated, account_required, public
from chassis.problems import IdReused, InvalidRequest, NotFound
from chassis.refusals import refuses
from registration import accounts, operations, password_resets, queries, schemas, sessions
from registration.applicant import Applicant
from registration.codes import CodeExpired, TooManyTries, WrongCode

registrations = Blueprint(
    "Registrations", __name__, description="From a form to an account, by a code in the mailbox."
)
sign_ins = Blueprint("Sessions", __name__, description="Signing in, staying so, and out.")
own_account = Blueprint("Account", __name__, description="One's own profile and passengers.")
resets = Blueprint("Password resets", __name__, description="A forgotten password.")
tokens = Blueprint("Tokens", __name__, description="For those who must trust our tokens.")
BLUEPRINTS = [registrations, sign_ins, own_account, resets, tokens]
JWKS_SECONDS = 300


def _keep_private(response: Response) -> Response:
    """Everything here is about one person, except the public keys."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response


for blueprint in BLUEPRINTS:
    blueprint.after_request(_keep_private)


@registrations.put("/registrations/<uuid:registration_id>")
@public
@registrations.arguments(schemas.RegistrationSchema)
@registrations.response(201, schemas.PendingRegistrationSchema)
@registrations.alt_response(200, schema=schemas.PendingRegistrationSchema, success=True)
@refuses(IdReused, InvalidRequest, TooManyRequests)
def register(applicant: Applicant, registration_id: UUID) -> Any:
    """
    Begin to register; a code is mailed

    The id is yours to make. Sending the same again gives 200 and no second mail. The answer is
    the same whether the address is known or not; only the mail differs.
    """
    pending, is_new = operations.register(
        registration_id=registration_id,
        applicant=applicant,
        address=client_address(),
        now=utc_now(),
    )
    return pending, 201 if is_new else 200


@registrations.post("/registrations/<uuid:registration_id>/codes")
@public
@registrations.response(202, schemas.PendingRegistrationSchema)
@refuses(NotFound, TooManyRequests)
def send_another_code(registration_id: UUID) -> Any:
    """
    Ask for another code

    Possible once a minute and five times an hour. The new code replaces the old one.
    """
    return operations.send_another_code(
        registration_id=registration_id, address=client_address(), now=utc_now()
    )


@registrations.put("/registrations/<uuid:registration_id>/confirmation")
@public
@registrations.arguments(schemas.CodeSchema)
@registrations.response(201, schemas.AccountSchema)
@registrations.alt_response(200, schema=schemas.AccountSchema, success=True)
@refuses(
    NotFound, WrongCode, CodeExpired, TooManyTries,
    operations.EmailTaken, operations.IdentityNumberTaken,
)  # fmt: skip
def confirm(body: dict[str, str], registration_id: UUID) -> Any:
    """
    Confirm with the mailed code; the account is open

    A code is good for five minutes and five tries. A wrong one changes nothing else: `tries_left`
    says how many remain, and another code may be asked for.
    """
    account, is_new = operations.confirm(
        registration_id=registration_id, code=body["code"], now=utc_now()
    )
    return account, 201 if is_new else 200


@sign_ins.post("/sessions")
@public
@sign_ins.arguments(schemas.CredentialsSchema)
@sign_ins.response(201, schemas.SessionSchema)
@refuses(sessions.WrongCredentials, TooManyRequests)
def sign_in(body: dict[str, str]) -> Any:
    """Sign in with address and password"""
    return sessions.sign_in(**body, address=client_address(), now=utc_now())


@sign_ins.post("/sessions/refresh")
@public
@sign_ins.arguments(schemas.RefreshSchema)
@sign_ins.response(200, schemas.SessionSchema)
@refuses(sessions.InvalidRefreshToken, sessions.RefreshTokenReused)
def refresh(body: dict[str, str]) -> Any:
    """
    Exchange a refresh token for new tokens

    Each refresh token is good once. Sending it again within ten seconds gives the same next one,
    for lost answers and double clicks; after that it ends the session.
    """
    return sessions.refresh(token=body["refresh_token"], now=utc_now())


@sign_ins.delete("/sessions/current")
@account_required
@sign_ins.response(204)
@refuses(Unauthenticated)
def sign_out() -> None:
    """
    Sign out

    The refresh token ends at once; an access token in use lasts until it expires.
    """
    sessions.sign_out(session_id=g.identity.session_id, now=utc_now())


@own_account.get("/accounts/me")
@account_required
@own_account.response(200, schemas.AccountSchema)
@refuses(Unauthenticated, NotFound)
def show_account() -> Any:
    """Show one's own account"""
    return queries.account(g.identity.account_id) or _not_found()


def _not_found() -> Any:
    raise NotFound


@own_account.patch("/accounts/me")
@account_required
@own_account.arguments(schemas.ProfileChangesSchema)
@own_account.response(200, schemas.AccountSchema)
@refuses(Unauthenticated, NotFound)
def change_account(changes: dict[str, str]) -> Any:
    """
    Change name or mobile

    Access tokens carry the new name from the next refresh on.
    """
    return accounts.change_profile(account_id=g.identity.account_id, changes=changes, now=utc_now())


@own_account.get("/accounts/me/passengers")
@account_required
@own_account.response(200, schemas.PassengersSchema)
@refuses(Unauthenticated)
def list_passengers() -> Any:
    """List the saved passengers"""
    return {"passengers": queries.passengers_of(g.identity.account_id)}


@own_account.put("/accounts/me/passengers/<uuid:passenger_id>")
@account_required
@own_account.arguments(schemas.NewPassengerSchema)
@own_account.response(201, schemas.PassengerSchema)
@own_account.alt_response(200, schema=schemas.PassengerSchema, success=True)
@refuses(Unauthenticated, NotFound, IdReused, accounts.TooManyPassengers)
def save_passenger(body: dict[str, Any], passenger_id: UUID) -> Any:
    """
    Save a passenger

    At most twenty. To change one, delete it and save another.
    """
    passenger, is_new = accounts.save_passenger(
        account_id=g.identity.account_id, passenger_id=passenger_id, now=utc_now(), **body
    )
    return passenger, 201 if is_new else 200


@own_account.delete("/accounts/me/passengers/<uuid:passenger_id>")
@account_required
@own_account.response(204)
@refuses(Unauthenticated)
def forget_passenger(passenger_id: UUID) -> None:
    """Forget a passenger"""
    accounts.forget_passenger(account_id=g.identity.account_id, passenger_id=passenger_id)


@resets.put("/password-resets/<uuid:reset_id>")
@public
@resets.arguments(schemas.ResetRequestSchema)
@resets.response(202, schemas.PasswordResetSchema)
@refuses(IdReused, TooManyRequests)
def ask_for_reset(body: dict[str, str], reset_id: UUID) -> Any:
    """
    Ask for a new password; a code is mailed

    The answer is the same whether the address has an account or not.
    """
    return password_resets.ask_for_reset(
        reset_id=reset_id, email=body["email"], address=client_address(), now=utc_now()
    )


@resets.put("/password-resets/<uuid:reset_id>/confirmation")
@public
@resets.arguments(schemas.NewPasswordSchema)
@resets.response(204)
@refuses(NotFound, WrongCode, CodeExpired, TooManyTries, IdReused)
def reset_password(body: dict[str, str], reset_id: UUID) -> None:
    """
    Set a new password with the mailed code

    Every device is signed out.
    """
    password_resets.reset_password(reset_id=reset_id, now=utc_now(), **body)


@tokens.post("/token-verifications")
@public
@tokens.arguments(schemas.TokenSchema)
@tokens.response(200, schemas.VerificationSchema)
def verify_token(body: dict[str, str]) -> Any:
    """
    Say whether an access token is good now

    For those who cannot verify a signature themselves; unlike a signature this also knows of
    sessions that have ended. Everybody else should use the keys.
    """
    return sessions.verify(token=body["token"], now=utc_now())


@tokens.get("/jwks.json")
@public
@tokens.response(200, schemas.JwksSchema)
def show_keys() -> Any:
    """Show the public keys of access tokens (RFC 7517)"""
    caching = {"Cache-Control": f"public, max-age={JWKS_SECONDS}"}
    return {"keys": sessions.published_keys()}, 200, caching
