"""A key changes while people wait: whoever has a place or a pass keeps it, a forger gets none."""

from datetime import timedelta
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from chassis.application import utc_now
from chassis.keys import PublicKey, SigningKey
from waitingroom.operations import admit
from waitingroom.settings import Settings
from waitingroom.signing import PlaceKey, PlaceNotValid, PlaceSigner
from waitingroom.window import LATE, Place

NEW_KEY = PlaceKey("another-key-that-signs-places-in-tests")
UNKNOWN_KEY = PlaceKey("a-key-that-was-never-any-of-ours-at-all")


def new_signing_key():
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(pem.decode())


def public_pem(key):
    public = key.private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_place_of_the_previous_key_keeps_its_number(
    new_window, take, settings, parts, with_settings
):
    window_id, account_id = new_window(early_places=10), uuid4()
    before = take(parts, window_id, account_id)
    rotated = with_settings(place_key=NEW_KEY, place_previous_key=settings.place_key)
    take(rotated, window_id)
    after = take(rotated, window_id, account_id, shown=before.token)
    assert (after.place, after.is_new) == (before.place, False)
    # What is given out now outlives the old key.
    only_new = PlaceSigner(NEW_KEY)
    read = only_new.read(after.token, window_id=window_id, account_id=account_id)
    assert read == before.place


def test_a_place_of_the_previous_key_is_let_in(
    new_window, take, settings, parts, with_settings, change_window
):
    window_id, account_id = new_window(early_places=0), uuid4()
    place = take(parts, window_id, account_id).token
    change_window(window_id, serving=1)
    rotated = with_settings(place_key=NEW_KEY, place_previous_key=settings.place_key)
    admission = admit(
        parts=rotated, window_id=window_id, account_id=account_id, token=place, now=utc_now()
    )
    assert admission.admission_pass


@pytest.mark.parametrize("previous", [None, NEW_KEY])
def test_a_place_of_an_unknown_key_is_none(new_window, take, parts, settings, previous):
    window_id, account_id = new_window(), uuid4()
    forged = PlaceSigner(UNKNOWN_KEY).sign(Place(window_id, account_id, LATE, 1))
    with pytest.raises(PlaceNotValid):
        PlaceSigner(settings.place_key, previous).read(
            forged, window_id=window_id, account_id=account_id
        )
    with pytest.raises(PlaceNotValid):
        take(parts, window_id, account_id, shown=forged)


def test_a_key_that_is_no_longer_kept_signs_no_place(new_window, take, parts, with_settings):
    window_id, account_id = new_window(), uuid4()
    place = take(parts, window_id, account_id).token
    with pytest.raises(PlaceNotValid):
        take(with_settings(place_key=NEW_KEY), window_id, account_id, shown=place)


def test_somebody_else_s_place_of_the_previous_key_is_still_not_his(
    new_window, take, settings, parts, with_settings
):
    window_id = new_window()
    place = take(parts, window_id, uuid4()).token
    rotated = with_settings(place_key=NEW_KEY, place_previous_key=settings.place_key)
    with pytest.raises(PlaceNotValid):
        take(rotated, window_id, uuid4(), shown=place)


def test_passes_of_both_keys_are_verified_by_what_is_published(
    client, new_window, take, parts, settings, with_settings, change_window
):
    window_id, account_id = new_window(early_places=0), uuid4()
    place = take(parts, window_id, account_id).token
    change_window(window_id, serving=1)

    def pass_of(these):
        admission = admit(
            parts=these, window_id=window_id, account_id=account_id, token=place, now=utc_now()
        )
        return admission.admission_pass

    old, new = settings.admission_key, new_signing_key()
    signed = [pass_of(parts)]
    rotated = with_settings(admission_key=new, admission_previous_key=PublicKey(public_pem(old)))
    signed.append(pass_of(rotated))
    published = client.get("/api/waitingroom/jwks.json").json["keys"]
    assert [jwk["kid"] for jwk in published] == [new.key_id, old.key_id]
    assert all("d" not in jwk for jwk in published)
    keys = {jwk["kid"]: jwt.PyJWK(jwk, "EdDSA") for jwk in published}
    for pass_, key_id in zip(signed, (old.key_id, new.key_id), strict=True):
        assert jwt.get_unverified_header(pass_)["kid"] == key_id
        claims = jwt.decode(
            pass_, keys[key_id], algorithms=["EdDSA"], audience="railgate-order",
            leeway=timedelta(seconds=1),
        )  # fmt: skip
        assert claims["sub"] == str(account_id)


def test_previous_keys_come_from_the_environment_and_need_not_be_there():
    old, new = new_signing_key(), new_signing_key()
    pem = new.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    environ = {"DATABASE_URL": "postgresql://x", "ADMISSION_KEY": pem, "PLACE_KEY": NEW_KEY}
    without = Settings.from_env(environ)
    assert (without.place_previous_key, without.published_keys) == (None, [without.admission_key])
    both = Settings.from_env(
        {**environ, "ADMISSION_PREVIOUS_KEY": public_pem(old), "PLACE_PREVIOUS_KEY": UNKNOWN_KEY}
    )
    assert [key.key_id for key in both.published_keys] == [new.key_id, old.key_id]
    assert both.place_previous_key == UNKNOWN_KEY
