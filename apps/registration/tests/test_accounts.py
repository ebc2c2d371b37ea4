"""One's own profile and the passengers one buys for."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import select

from registration import sealing
from registration.accounts import PASSENGERS_MAX
from registration.models import Account, SavedPassenger, db

PASSENGER = {"name": "Karim Hasan", "identity_kind": "passport", "identity_number": "BX 0123456"}


@pytest.fixture
def me(api, signed_in):
    """Calls to one's own account: me("GET", "/passengers")."""
    token = signed_in(identity_number="1234567890")["access_token"]
    return lambda method, path="", body=None: api.call(
        method, f"/accounts/me{path}", body, token=token
    )


def test_the_profile_shows_the_identity_number_masked(me):
    profile = me("GET").json
    assert profile["identity_kind"] == "nid"
    assert profile["identity_masked"] == "••••••7890"
    assert "1234567890" not in str(profile)
    assert profile["created_at"].endswith("Z")


def test_name_and_mobile_can_be_changed(me):
    changed = me("PATCH", body={"name": "Rahima Begum", "mobile": "+44 7911 123456"})
    assert (changed.status_code, changed.json["name"]) == (200, "Rahima Begum")
    assert me("GET").json["mobile"] == "+447911123456"


@pytest.mark.parametrize("field", ["email", "identity_number", "is_staff", "roles", "account_id"])
def test_what_was_proven_or_granted_cannot_be_changed(me, field):
    refused = me("PATCH", body={field: "x@example.org"})
    assert (refused.status_code, list(refused.json["errors"])) == (422, [field])


def test_a_passenger_is_saved_once_and_shown_masked(me):
    path = f"/passengers/{uuid4()}"
    first, again = me("PUT", path, PASSENGER), me("PUT", path, PASSENGER)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert first.json["identity_masked"] == "•••••3456"
    assert me("GET", "/passengers").json == {"passengers": [first.json]}


@pytest.mark.parametrize(
    "change", [{"name": "Another"}, {"identity_number": "BX0123457"}, {"identity_kind": "nid"}]
)
def test_a_passengers_id_stands_for_one_person(me, change):
    path = f"/passengers/{uuid4()}"
    me("PUT", path, {**PASSENGER, "identity_number": "1234567890", "identity_kind": "nid"})
    other = me("PUT", path, {**PASSENGER, **change, **_fitting(change)})
    assert (other.status_code, other.json["code"]) == (409, "id_reused")


def _fitting(change):
    return {"identity_number": "1234567899"} if change.get("identity_kind") == "nid" else {}


def test_a_child_may_be_saved_with_its_parents_document(me):
    saved = [me("PUT", f"/passengers/{uuid4()}", {**PASSENGER, "name": name}) for name in "AB"]
    assert [answer.status_code for answer in saved] == [201, 201]


def test_a_passenger_is_forgotten(me):
    path = f"/passengers/{uuid4()}"
    me("PUT", path, PASSENGER)
    assert [me("DELETE", path).status_code for _ in range(2)] == [204, 204]
    assert me("GET", "/passengers").json == {"passengers": []}


def test_no_more_than_twenty_passengers_however_many_are_sent_at_once(me):
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(
                lambda _: me("PUT", f"/passengers/{uuid4()}", PASSENGER), range(PASSENGERS_MAX + 4)
            )
        )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * PASSENGERS_MAX + [409] * 4
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json["code"] == "too_many_passengers"


def test_passengers_are_ones_own(api, me, signed_in):
    path = f"/passengers/{uuid4()}"
    me("PUT", path, PASSENGER)
    stranger = signed_in()["access_token"]
    assert api.call("GET", "/accounts/me/passengers", token=stranger).json == {"passengers": []}
    api.call("DELETE", f"/accounts/me{path}", token=stranger)
    assert len(me("GET", "/passengers").json["passengers"]) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("GET", "/passengers"),
        ("PUT", "/passengers/5f0c8a34-9d0f-4f3a-8a53-9f1f0f7a2f10"),
        ("DELETE", "/passengers/5f0c8a34-9d0f-4f3a-8a53-9f1f0f7a2f10"),
    ],
)
def test_nothing_of_an_account_is_open_to_strangers(api, method, path):
    answer = api.call(method, f"/accounts/me{path}", {})
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_what_is_sealed_opens_for_its_owner_only(app, me):
    me("PUT", f"/passengers/{uuid4()}", PASSENGER)
    with app.app_context():
        account = db.session.scalar(select(Account))
        passenger = db.session.scalar(select(SavedPassenger))
        keys = app.extensions["settings"].identity_keys
        owner = f"account:{account.account_id}"
        opened = sealing.unseal(keys, account.identity_sealed, owner=owner)
        assert opened == "1234567890"
        with pytest.raises(sealing.CannotUnseal):
            sealing.unseal(keys, passenger.identity_sealed, owner=owner)
