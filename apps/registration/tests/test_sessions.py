"""Signing in, staying signed in, signing out, and what the tokens say."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from statistics import median
from uuid import UUID, uuid4

import argon2
import jwt
import pytest
from sqlalchemy import func, select, update

from chassis.application import utc_now
from chassis.identity import TokenVerifier, Unauthenticated
from chassis.keys import PublicKey
from registration import sessions
from registration.models import Account, RefreshToken, Session, db
from registration.signing import published


def let_pass(app, column, by):
    """Move a time back, as if `by` had passed since."""
    with app.app_context():
        for row in db.session.scalars(select(column.class_).where(column.is_not(None))):
            setattr(row, column.key, getattr(row, column.key) - by)
        db.session.commit()


def test_the_access_token_is_verified_offline_with_the_published_keys(app, api, open_account):
    account = open_account(name="Rahima Khatun")
    session = api.sign_in(account["email"]).json
    (jwk,) = api.call("GET", "/jwks.json").json["keys"]
    header = jwt.get_unverified_header(session["access_token"])
    claims = jwt.decode(
        session["access_token"],
        jwt.PyJWK(jwk),
        algorithms=["EdDSA"],
        audience="railgate",
        issuer="railgate",
    )
    assert header == {"alg": "EdDSA", "typ": "JWT", "kid": jwk["kid"]}
    assert claims["sub"] == account["account_id"] == session["account"]["account_id"]
    assert (claims["email"], claims["name"]) == (account["email"], "Rahima Khatun")
    assert claims["roles"] == []
    assert claims["exp"] - claims["iat"] == session["expires_in"] == 900
    assert UUID(claims["sid"])
    assert claims["jti"]
    assert session["token_type"] == "Bearer"


def test_the_keys_may_be_cached_and_a_session_may_not(api, open_account):
    assert api.call("GET", "/jwks.json").headers["Cache-Control"] == "public, max-age=300"
    assert api.sign_in(open_account()["email"]).headers["Cache-Control"] == "no-store"


def test_no_private_part_is_published(api):
    (jwk,) = api.call("GET", "/jwks.json").json["keys"]
    assert set(jwk) == {"kty", "crv", "x", "kid", "alg", "use"}


def test_a_previous_key_stays_published_and_trusted(api, settings, changed_settings, signed_in):
    token, old = signed_in()["access_token"], settings.access_token_key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = old.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    previous = PublicKey(pem.decode())
    new = type(old)(_new_pem())
    changed_settings(access_token_key=new, access_token_previous_key=previous)
    keys = api.call("GET", "/jwks.json").json["keys"]
    assert [key["kid"] for key in keys] == [new.key_id, old.key_id]
    verifier = TokenVerifier("http://127.0.0.1:9/")
    for jwk in published(new, previous):
        verifier.trust(jwk)
    assert verifier.identity_of(token, time.time()).email


def _new_pem():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(api, open_account):
    wrong = api.sign_in(open_account()["email"], "not the password")
    unknown = api.sign_in("nobody@example.org", "not the password")
    assert api.looks_same(wrong, unknown)
    assert (unknown.status_code, unknown.json["code"]) == (401, "wrong_credentials")


def test_an_unknown_address_takes_as_long_as_a_wrong_password(api, open_account):
    seconds = {open_account()["email"]: [], "nobody@example.org": []}
    for _ in range(5):
        for email, measured in seconds.items():
            began = time.perf_counter()
            api.sign_in(email, "not the password")
            measured.append(time.perf_counter() - began)
    quick, slow = sorted(median(measured) for measured in seconds.values())
    assert slow < 3 * quick


@pytest.mark.usefixtures("whole_window")
def test_passwords_cannot_be_tried_at_will_for_one_account(api, open_account, changed_settings):
    changed_settings(sign_ins_per_account=3)
    email = open_account()["email"]
    answers = [api.sign_in(email, "not the password") for _ in range(3)] + [api.sign_in(email)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 301
    assert [api.sign_in("nobody@example.org").status_code for _ in range(4)] == [401] * 3 + [429]


@pytest.mark.usefixtures("whole_window")
def test_guessing_from_one_machine_does_not_shut_the_owner_out(api, open_account, changed_settings):
    changed_settings(sign_ins_per_account_and_address=2)
    email, elsewhere = open_account()["email"], {"X-Forwarded-For": "203.0.113.5"}
    guesses = [api.sign_in(email, "not the password", headers=elsewhere) for _ in range(3)]
    assert [answer.status_code for answer in guesses] == [401, 401, 429]
    assert api.sign_in(email).status_code == 201


@pytest.mark.usefixtures("whole_window")
def test_passwords_cannot_be_tried_at_will_from_one_address(api, changed_settings):
    changed_settings(sign_ins_per_address=2)
    answers = [api.sign_in(f"nobody{number}@example.org") for number in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    elsewhere = api.sign_in("nobody@example.org", headers={"X-Forwarded-For": "203.0.113.5"})
    assert elsewhere.status_code == 401


def test_a_hash_of_old_parameters_is_renewed_at_sign_in(app, api, open_account):
    email = open_account()["email"]
    old = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(api.password)
    with app.app_context():
        db.session.execute(update(Account).values(password_hash=old))
        db.session.commit()
    assert [api.sign_in(email).status_code for _ in range(2)] == [201, 201]
    with app.app_context():
        renewed = db.session.scalar(select(Account.password_hash))
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_refresh_token_is_exchanged_for_the_next(api, signed_in):
    first = signed_in()
    second = api.refresh(first["refresh_token"])
    third = api.refresh(second.json["refresh_token"])
    tokens = {first["refresh_token"], second.json["refresh_token"], third.json["refresh_token"]}
    assert (second.status_code, third.status_code) == (200, 200)
    assert len(tokens) == 3
    assert third.json["account"]["email"] == first["email"]


def test_a_stolen_refresh_token_ends_the_session_of_owner_and_thief(app, api, signed_in):
    stolen = signed_in()["refresh_token"]
    owners = api.refresh(stolen).json["refresh_token"]
    let_pass(app, RefreshToken.rotated_at, timedelta(seconds=11))
    thief = api.refresh(stolen)
    assert (thief.status_code, thief.json["code"]) == (401, "refresh_token_reused")
    owner = api.refresh(owners)
    assert (owner.status_code, owner.json["code"]) == (401, "invalid_refresh_token")


def test_reuse_ends_one_session_and_not_the_persons_others(app, api, open_account):
    email = open_account()["email"]
    phone, desk = (api.sign_in(email).json["refresh_token"] for _ in range(2))
    api.refresh(phone)
    let_pass(app, RefreshToken.rotated_at, timedelta(seconds=11))
    assert api.refresh(phone).status_code == 401
    assert api.refresh(desk).status_code == 200


def test_a_lost_answer_may_be_asked_for_again_within_seconds(api, signed_in):
    token = signed_in()["refresh_token"]
    first, again = api.refresh(token), api.refresh(token)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json["refresh_token"] == again.json["refresh_token"]


def test_a_quick_thief_is_found_out_once_either_goes_on(app, api, signed_in):
    token = signed_in()["refresh_token"]
    owners, thiefs = (api.refresh(token).json["refresh_token"] for _ in range(2))
    assert api.refresh(owners).status_code == 200
    let_pass(app, RefreshToken.rotated_at, timedelta(seconds=11))
    assert api.refresh(thiefs).json["code"] == "refresh_token_reused"


def test_a_token_whose_successor_was_used_is_no_repetition_even_within_seconds(api, signed_in):
    token = signed_in()["refresh_token"]
    following = api.refresh(token).json["refresh_token"]
    api.refresh(following)
    assert api.refresh(token).json["code"] == "refresh_token_reused"


def test_many_exchanges_at_once_grow_one_branch(app, api, signed_in):
    token = signed_in()["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.refresh(token), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json["refresh_token"] for answer in answers}) == 1
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(RefreshToken)) == 2


def test_a_refresh_token_expires_after_thirty_days(app, signed_in):
    token = signed_in()["refresh_token"]
    with app.app_context(), pytest.raises(sessions.InvalidRefreshToken):
        sessions.refresh(token=token, now=utc_now() + timedelta(days=30, seconds=1))


def test_an_unknown_refresh_token_is_refused(api):
    answer = api.refresh("no such token")
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_refresh_token")


def test_refresh_tokens_are_not_readable_at_rest(app, signed_in):
    token = signed_in()["refresh_token"]
    with app.app_context():
        kept = db.session.scalar(select(RefreshToken.token_hash))
    assert token.encode() not in kept
    assert len(kept) == 32


def test_signing_out_ends_the_refresh_token(api, signed_in):
    session = signed_in()
    for _ in range(2):
        gone = api.call("DELETE", "/sessions/current", token=session["access_token"])
        assert (gone.status_code, gone.data) == (204, b"")
    assert api.refresh(session["refresh_token"]).json["code"] == "invalid_refresh_token"


def test_a_token_is_verified_for_those_who_cannot(api, signed_in):
    session = signed_in()
    verified = api.verify(session["access_token"])
    assert verified["active"] is True
    assert verified["account_id"] == session["account"]["account_id"]
    assert verified["roles"] == []
    assert verified["expires_at"].endswith("Z")


def test_a_token_of_an_ended_session_is_not_active(api, signed_in):
    token = signed_in()["access_token"]
    api.call("DELETE", "/sessions/current", token=token)
    assert api.verify(token) == {"active": False}


@pytest.mark.parametrize("token", ["x", "a.b.c", "ey.ey.ey", "{}.{}.", "W10.W10.W10", "é.é.é"])
def test_nonsense_is_not_active(api, token):
    assert api.verify(token) == {"active": False}


def test_a_forged_token_opens_nothing(app, api, signed_in):
    session = signed_in()
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    kid = jwt.get_unverified_header(session["access_token"])["kid"]
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    forged = [
        jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", headers={"kid": kid}),
        jwt.encode(claims, "x" * 32, "HS256", headers={"kid": kid}),
        jwt.encode(claims, None, "none", headers={"kid": kid}),
        jwt.encode(claims, "x" * 32, "HS256", headers={"kid": "no such key"}),
    ]
    for token in forged:
        assert api.verify(token) == {"active": False}
        assert api.call("GET", "/accounts/me", token=token).status_code == 401
    with pytest.raises(Unauthenticated):
        app.extensions["verifier"].identity_of(forged[0], time.time())


def test_a_session_that_the_old_password_opens_is_not_missed_by_a_reset(app, open_account):
    """The password changes after it was verified and before its session is written."""
    account_id = UUID(open_account()["account_id"])
    with app.app_context():
        account = db.session.get_one(Account, account_id)
        db.session.commit()
        with db.engine.begin() as other:
            other.execute(update(Account).values(password_hash="changed meanwhile"))
        with pytest.raises(sessions.WrongCredentials):
            sessions._open_session(account, account.password_hash, utc_now())
        assert db.session.scalar(select(func.count()).select_from(Session)) == 0


def test_an_account_that_is_gone_has_no_profile(api, app):
    from chassis.testing import access_token

    answer = api.call("GET", "/accounts/me", token=access_token(account_id=uuid4()))
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
