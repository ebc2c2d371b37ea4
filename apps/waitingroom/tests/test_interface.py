"""The API as callers meet it: who may call what, what comes back, and never a 500."""

import json
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import jwt
import pytest

import waitingroom
from chassis import testing
from chassis.application import utc_now
from chassis.settings import InvalidSettings
from waitingroom import commands
from waitingroom.lottery import commitment_to, number_of_early
from waitingroom.models import db
from waitingroom.settings import Settings

BASE = "/api/waitingroom"
SOON = timedelta(minutes=10)
# The same in every test process, since it is part of a test's name.
SOME_ID = "0b8e7a52-3a1f-4b0e-9d25-7c2b0f3f6a11"


class Caller:
    """One account that talks to the waiting room."""

    def __init__(self, client, **token):
        self.account_id = uuid4()
        self._client = client
        self._headers = testing.signed_in(account_id=self.account_id, **token)

    def call(self, method, path, body=None, **more):
        return self._client.open(
            BASE + path, method=method, json=body, headers=self._headers, **more
        )

    def take_place(self, window_id, **body):
        return self.call("PUT", f"/windows/{window_id}/places/me", body or None)

    def ask_in(self, window_id, place):
        return self.call("PUT", f"/windows/{window_id}/admission", {"place": place})


@pytest.fixture
def somebody(client):
    return lambda **token: Caller(client, **token)


@pytest.fixture
def staff(client):
    return Caller(client, roles=("staff",))


def terms(*, opens_in=SOON, closes_in=timedelta(hours=6), **changed):
    now = utc_now()
    return {
        "run_ids": [str(uuid4())],
        "opens_at": (now + opens_in).isoformat(),
        "closes_at": (now + closes_in).isoformat(),
        "seats_total": 1_375,
        **changed,
    }


# --- places and passes ---


def test_a_late_place_has_its_number_at_once(somebody, new_window):
    window_id, person = new_window(), somebody()
    first = person.take_place(window_id)
    assert first.status_code == 201
    assert (first.json["arrival"], first.json["number"]) == ("late", 1)
    again = person.take_place(window_id)
    assert (again.status_code, again.json["place"]) == (200, first.json["place"])
    assert first.headers["Cache-Control"] == "no-store"


def test_an_early_place_learns_its_number_at_the_opening(
    client, somebody, new_window, change_window
):
    window_id, person = new_window(opens_in=SOON), somebody()
    place = person.take_place(window_id).json
    assert (place["arrival"], place["number"], place["state"]) == ("early", None, "before")
    change_window(window_id, opens_at=utc_now() - SOON)
    number = person.take_place(window_id, place=place["place"]).json["number"]
    told = client.get(f"{BASE}/windows/{window_id}").json
    seed = bytes.fromhex(told["seed"])
    assert number == number_of_early(seed, person.account_id, told["early_places"])
    assert commitment_to(seed) == told["seed_commitment"]


def test_the_seed_is_secret_until_the_opening(client, new_window):
    told = client.get(f"{BASE}/windows/{new_window(opens_in=SOON)}")
    assert told.json["seed"] is None
    assert len(told.json["seed_commitment"]) == 64
    assert bytes(range(32)).hex() not in client.get(f"{BASE}/windows").text


def test_a_pass_is_given_when_the_number_is_served_and_not_before(
    app, somebody, new_window, change_window
):
    window_id, first, second = new_window(early_places=10), somebody(), somebody()
    places = [person.take_place(window_id).json["place"] for person in (first, second)]
    change_window(window_id, serving=11)
    refused = second.ask_in(window_id, places[1])
    assert (refused.status_code, refused.json["code"]) == (409, "not_yet_served")
    assert (refused.json["number"], refused.json["serving"]) == (12, 11)
    assert int(refused.headers["Retry-After"]) >= 1
    admitted = first.ask_in(window_id, places[0])
    assert admitted.status_code == 201
    key = jwt.PyJWK(app.test_client().get(f"{BASE}/jwks.json").json["keys"][0], "EdDSA")
    claims = jwt.decode(
        admitted.json["admission_pass"], key, algorithms=["EdDSA"], audience="railgate-order"
    )
    assert (claims["sub"], claims["window_id"]) == (str(first.account_id), str(window_id))
    assert 0 < claims["exp"] - time.time() <= 300


def test_who_comes_back_gets_another_pass_and_is_no_new_person(somebody, new_window):
    window_id, person = new_window(serving=1), somebody()
    place = person.take_place(window_id).json["place"]
    answers = [person.ask_in(window_id, place) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert all(answer.json["admission_pass"] for answer in answers)


def test_nobody_is_let_in_before_the_opening(somebody, new_window):
    window_id, person = new_window(opens_in=SOON, serving=10**6), somebody()
    refused = person.ask_in(window_id, person.take_place(window_id).json["place"])
    assert refused.json["code"] == "not_yet_served"


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"stock": "sold_out"}, "sold_out"),
        ({"stock": "held_by_others"}, "held_by_others"),
    ],
)
def test_people_are_told_why_nobody_is_let_in(
    client, somebody, new_window, change_window, columns, code
):
    window_id, person = new_window(serving=100), somebody()
    place = person.take_place(window_id).json["place"]
    change_window(window_id, **columns)
    assert person.ask_in(window_id, place).json["code"] == code
    assert client.get(f"{BASE}/windows/{window_id}/now-serving").json["state"] == code


def test_a_closed_window_takes_and_admits_nobody(somebody, new_window, change_window, client):
    window_id, person = new_window(serving=100), somebody()
    place = person.take_place(window_id).json["place"]
    change_window(window_id, closes_at=utc_now() - timedelta(seconds=1))
    assert person.ask_in(window_id, place).json["code"] == "window_closed"
    assert person.take_place(window_id).json["code"] == "window_closed"
    told = client.get(f"{BASE}/windows/{window_id}/now-serving").json
    assert (told["state"], told["is_hot"]) == ("closed", False)


def test_somebody_else_s_place_admits_nobody(somebody, new_window):
    window_id, other_window = new_window(serving=100), new_window(serving=100)
    person, thief = somebody(), somebody()
    place = person.take_place(window_id).json["place"]
    for caller, window in ((thief, window_id), (person, other_window)):
        refused = caller.ask_in(window, place)
        assert (refused.status_code, refused.json["code"]) == (403, "place_not_valid")
    unsigned = jwt.encode(
        jwt.decode(place, options={"verify_signature": False}), "", algorithm="none"
    )
    assert person.ask_in(window_id, unsigned).json["code"] == "place_not_valid"


def test_the_pass_follows_what_was_published_at_once(
    somebody, new_window, change_window, with_settings
):
    """What this process knows may be old; who is told that his number is served must get in."""
    with_settings(window_seconds=60.0)
    window_id, person = new_window(), somebody()
    place = person.take_place(window_id).json["place"]
    assert person.ask_in(window_id, place).json["code"] == "not_yet_served"
    change_window(window_id, serving=1)
    time.sleep(0.06)
    assert person.ask_in(window_id, place).status_code == 201


@pytest.mark.usefixtures("whole_window")
def test_one_account_cannot_ask_without_end(somebody, new_window, with_settings):
    with_settings(joins_per_account_minute=3, admissions_per_account_minute=3)
    window_id, person = new_window(), somebody()
    joined = [person.take_place(window_id) for _ in range(4)]
    assert [answer.status_code for answer in joined] == [201, 200, 200, 429]
    place = joined[0].json["place"]
    asked = [person.ask_in(window_id, place).status_code for _ in range(4)]
    assert asked == [409, 409, 409, 429]
    assert int(joined[-1].headers["Retry-After"]) >= 1
    assert somebody().take_place(window_id).status_code == 201


@pytest.mark.usefixtures("whole_window")
def test_one_address_cannot_ask_without_end(somebody, new_window, with_settings):
    with_settings(requests_per_address_minute=3)
    window_id = new_window()
    assert [somebody().take_place(window_id).status_code for _ in range(4)][-1] == 429


def test_what_everybody_polls_may_be_kept_by_anything_in_front(client, new_window):
    answer = client.get(f"{BASE}/windows/{new_window()}/now-serving")
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert len(answer.data) < 500


# --- staff ---


def test_staff_make_a_window_and_it_is_hot_from_then_on(client, staff):
    window_id, wish = uuid4(), terms()
    made = staff.call("PUT", f"/staff/windows/{window_id}", wish)
    assert (made.status_code, made.json["state"], made.json["is_hot"]) == (201, "before", True)
    assert staff.call("PUT", f"/staff/windows/{window_id}", wish).status_code == 200
    (listed,) = client.get(f"{BASE}/windows").json["windows"]
    assert (listed["window_id"], listed["run_ids"]) == (str(window_id), wish["run_ids"])
    assert listed["is_automatic"] is False


def test_every_change_is_kept_and_a_repetition_is_none(staff):
    window_id, wish = uuid4(), terms()
    for body in (wish, wish, {**wish, "seats_total": 5}):
        staff.call("PUT", f"/staff/windows/{window_id}", body)
    newest, first = staff.call("GET", "/staff/changes").json["changes"]
    assert (first["before"], first["after"]["seats_total"]) == (None, 1_375)
    assert (newest["before"]["seats_total"], newest["after"]["seats_total"]) == (1_375, 5)
    assert newest["account_id"] == str(staff.account_id)


def test_a_change_keeps_the_seed(staff, client):
    window_id = uuid4()
    commitments = set()
    for seats_total in (1, 2):
        body = terms(seats_total=seats_total)
        staff.call("PUT", f"/staff/windows/{window_id}", body)
        commitments.add(client.get(f"{BASE}/windows/{window_id}").json["seed_commitment"])
    assert len(commitments) == 1


def test_an_opening_cannot_be_moved_after_it(staff, new_window):
    window_id = new_window()
    moved = staff.call("PUT", f"/staff/windows/{window_id}", terms())
    assert (moved.status_code, moved.json["code"]) == (409, "window_has_opened")


def test_staff_may_end_a_window(staff, client):
    window_id, wish = uuid4(), terms(opens_in=timedelta(minutes=-5))
    staff.call("PUT", f"/staff/windows/{window_id}", wish)
    ended = {**wish, "closes_at": (utc_now() - timedelta(seconds=1)).isoformat()}
    assert staff.call("PUT", f"/staff/windows/{window_id}", ended).json["state"] == "closed"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"run_ids": []}, "run_ids"),
        ({"run_ids": ["x"]}, "run_ids"),
        ({"opens_at": "2026-11-15T08:00:00"}, "opens_at"),
        ({"opens_at": "2999-01-01T00:00:00Z"}, "opens_at"),
        ({"closes_in": timedelta(minutes=1)}, "closes_at"),
        ({"seats_total": -1}, "seats_total"),
        ({"seats_total": 10**18}, "seats_total"),
        ({"seats_total": "9"}, "seats_total"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_staff_mistype_is_named(staff, changed, field):
    refused = staff.call("PUT", f"/staff/windows/{uuid4()}", terms(**changed))
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_request")
    assert field in refused.json["errors"]


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", f"/staff/windows/{SOME_ID}"), ("GET", "/staff/changes")]
)
def test_only_staff_may(client, somebody, method, path):
    assert somebody().call(method, path, terms()).status_code == 403
    assert client.open(BASE + path, method=method, json=terms()).status_code == 401


# --- policemen ---


def test_every_route_says_who_may_call_it(app):
    assert testing.routes_without_identity(app) == {
        "api-docs.openapi_json",
        "api-docs.openapi_swagger_ui",
    }


@pytest.mark.parametrize("path", ["places/me", "admission"])
def test_places_and_passes_need_an_account(client, new_window, path):
    assert client.put(f"{BASE}/windows/{new_window()}/{path}", json={}).status_code == 401


BODIES = [
    b"", b"null", b"[]", b"1", b'"x"', b"{", b"[" * 60_000, b"NaN", b"\xff\xfe",
    b'{"place": null}', b'{"place": 5}', b'{"place": {}}', b'{"place": ""}',
    b'{"place": "\\u0000"}', b'{"place": "\\ud800"}', b'{"place": "a.b.c"}',
    b'{"place": "W1tb' + b"W1tb" * 240 + b'.e30.e30"}', b'{"place": "' + b"a" * 5000 + b'"}',
    b'{"place": "eyJhbGciOiJub25lIn0.e30."}', b'{"place": "eyJhbGciOiJIUzI1NiJ9.W10.x"}',
    b'{"run_ids": 5}', b'{"run_ids": [null], "opens_at": 1e400}',
    b'{"seats_total": 123456789012345678901234567890}',
]  # fmt: skip


@pytest.mark.parametrize(
    "path", ["windows/{}/places/me", "windows/{}/admission", "staff/windows/{}"]
)
def test_nonsense_is_refused_and_never_a_fault_of_ours(client, new_window, path):
    window_id = new_window()
    headers = testing.signed_in(roles=("staff",))
    for body in BODIES:
        answer = client.put(
            f"{BASE}/{path.format(window_id)}",
            data=body,
            headers=headers,
            content_type="application/json",
        )
        assert answer.status_code < 500, (body[:40], answer.data)
        if answer.status_code >= 400:
            assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("window_id", ["x", "0", "%00", uuid4(), "a" * 5000])
def test_a_window_that_is_not_there_is_not_found(client, somebody, window_id):
    for path in (f"/windows/{window_id}", f"/windows/{window_id}/now-serving"):
        assert client.get(BASE + path).status_code == 404
    assert somebody().take_place(window_id).status_code == 404


@pytest.fixture
def description(client):
    return testing.openapi_of(client, "waitingroom")


def test_every_operation_is_described(description):
    for path, methods in description["paths"].items():
        for method in set(methods) & {"get", "put", "post", "patch", "delete"}:
            assert methods[method].get("summary"), path
            assert methods[method].get("security") is not None, path


def test_every_body_has_examples(description):
    for name, schema in description["components"]["schemas"].items():
        if name in {"Problem", "PaginationMetadata"}:
            continue
        for field, member in schema["properties"].items():
            is_nested = "$ref" in member or "$ref" in member.get("items", {})
            assert "example" in member or is_nested, f"{name}.{field}"


def test_every_answer_at_the_door_is_documented_each_refusal_with_its_code(description):
    answers = description["paths"][BASE + "/windows/{window_id}/admission"]["put"]["responses"]
    assert answers["200"]["content"] == answers["201"]["content"]
    for code in ("not_yet_served", "sold_out", "held_by_others", "window_closed"):
        assert code in json.dumps(answers["409"])


def test_migrations_and_models_agree(app):
    assert testing.differences_from_models(db) == []


def test_migrations_are_numbered_without_gaps():
    assert testing.misnumbered_migrations(Path(waitingroom.__file__).parent) == []


def test_migrations_can_be_taken_back_and_run_again(app):
    assert testing.tables_after_undoing_migrations(db) == ["alembic_version"]
    assert testing.differences_from_models(db) == []


def test_health_names_what_it_checks(client):
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["checks"]) == (200, {"database": "ok", "redis": "ok"})


def test_settings_name_each_key_that_is_missing_or_malformed():
    with pytest.raises(InvalidSettings) as refused:
        Settings.from_env(
            {"DATABASE_URL": "postgresql://x", "ADMISSION_KEY": "no key", "PLACE_KEY": "short"}
        )
    assert str(refused.value).splitlines() == [
        "ADMISSION_KEY is malformed: expected an Ed25519 private key in PEM.",
        "PLACE_KEY is malformed: expected at least 32 characters.",
    ]


def test_commands_say_what_they_know(capsys):
    assert commands.main(["sing"]) == 2
    assert "migrate" in capsys.readouterr().err
