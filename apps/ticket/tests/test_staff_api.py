"""What staff may change, what they may not, and what is kept of it."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest

from chassis.application import utc_now
from chassis.testing import signed_in
from ticket.definition import run_id_of
from ticket.rolling import roll_forward

API = "/api/ticket"
STAFF = f"{API}/staff"
DAY_TRAIN, NIGHT_TRAIN = "702", "742"
DAYS_AHEAD = 10
RUNS = DAYS_AHEAD + 1

STOPS = [
    {"station_code": "DHK", "arrives_minute": None, "departs_minute": 420},
    {"station_code": "BBD", "arrives_minute": 445, "departs_minute": 450},
    {"station_code": "CTG", "arrives_minute": 720, "departs_minute": None},
]
TRAIN = {"name": "Subarna Express", "zone": "east", "running_days": "1234567", "stops": STOPS}
COACHES = [
    {
        "coach_number": 1, "letter": "KA", "letter_bn": "ক", "seat_class": "S_CHAIR",
        "rows": 5, "left_seats": 2, "right_seats": 3,
    },
    {
        "coach_number": 2, "letter": "KHA", "letter_bn": "খ", "seat_class": "SNIGDHA",
        "rows": 4, "left_seats": 2, "right_seats": 2,
    },
]  # fmt: skip
FARES = [
    {
        "seat_class": "S_CHAIR", "from_code": "DHK", "to_code": "CTG",
        "price_minor": 45_000, "vat_minor": 0,
    }
]  # fmt: skip


def definition(client, train_number: str, day) -> dict:
    return client.get(f"{API}/runs/{run_id_of(train_number, day)}").json


# Who may.

# The same in every test process, since it is part of a test's name.
SOME_ID = "0b8e7a52-3a1f-4b0e-9d25-7c2b0f3f6a11"
ROUTES = [
    ("PUT", f"trains/{DAY_TRAIN}", TRAIN),
    ("PUT", f"trains/{DAY_TRAIN}/coach-plan", {"coaches": COACHES}),
    ("PUT", f"trains/{DAY_TRAIN}/fares", {"fares": FARES}),
    ("PUT", f"runs/{SOME_ID}", {"train_number": DAY_TRAIN, "service_date": "2026-11-25"}),
    ("PUT", f"runs/{SOME_ID}/cancellation", {"reason": "Flood"}),
    ("PUT", f"sales-windows/{SOME_ID}", {"zone": "east"}),
    ("GET", "changes", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_only_staff_may(client, method, path, body):
    url = f"{STAFF}/{path}"
    nobody = client.open(url, method=method, json=body)
    account = client.open(url, method=method, json=body, headers=signed_in())
    assert (nobody.status_code, nobody.json["code"]) == (401, "unauthenticated")
    assert (account.status_code, account.json["code"]) == (403, "forbidden")


# Trains.


def test_new_train_is_on_sale_once_it_has_stops_coaches_and_fares(client, put, today, tomorrow):
    put("trains/999", {**TRAIN, "name": "Eid Special", "from_date": str(today)}, 201)
    put("trains/999/coach-plan", {"coaches": COACHES, "from_date": str(today)}, 201)
    put("trains/999/fares", {"fares": FARES, "from_date": str(today)}, 201)
    assert roll_forward(days=DAYS_AHEAD, now=utc_now()) == RUNS
    found = client.get(f"{API}/runs?from=DHK&to=CTG&date={tomorrow}").json["runs"]
    assert "Eid Special" in [run["train_name"] for run in found]


def test_same_change_again_changes_nothing(put, changes):
    body = {**TRAIN, "name": "Suborno"}
    first, second = put(f"trains/{DAY_TRAIN}", body, 200), put(f"trains/{DAY_TRAIN}", body, 200)
    assert second.json == {"from_date": first.json["from_date"], "runs_changed": 0}
    assert len(changes()) == 1


def test_change_without_a_date_touches_no_run_that_exists(client, put, today, tomorrow):
    fares = [{**FARES[0], "price_minor": 50_000}]
    outcome = put(f"trains/{DAY_TRAIN}/fares", {"fares": fares}, 200).json
    first_free = today + timedelta(days=RUNS)
    assert outcome == {"from_date": str(first_free), "runs_changed": 0}
    assert definition(client, DAY_TRAIN, tomorrow)["version"] == 1
    roll_forward(days=DAYS_AHEAD, now=utc_now() + timedelta(days=1))
    fares = definition(client, DAY_TRAIN, first_free)["fares"]
    assert [fare["price_minor"] for fare in fares] == [50_000]


def test_later_times_reach_runs_that_exist_in_a_new_version(client, put, today, tomorrow):
    later = [*STOPS[:2], {**STOPS[2], "arrives_minute": 740}]
    body = {**TRAIN, "stops": later, "from_date": str(tomorrow)}
    assert put(f"trains/{DAY_TRAIN}", body, 200).json["runs_changed"] == DAYS_AHEAD
    run = definition(client, DAY_TRAIN, tomorrow)
    assert run["version"] == 2
    assert run["stops"][2]["arrives_at"] == f"{tomorrow}T06:20:00Z"
    assert definition(client, DAY_TRAIN, today)["version"] == 1


def test_stations_of_a_run_that_exists_stay(client, put, changes, tomorrow):
    direct = {**TRAIN, "stops": [STOPS[0], STOPS[2]], "from_date": str(tomorrow)}
    assert put(f"trains/{DAY_TRAIN}", direct, 409).json["code"] == "stops_in_use"
    assert definition(client, DAY_TRAIN, tomorrow)["version"] == 1
    assert changes() == []
    put(f"trains/{DAY_TRAIN}", {**direct, "from_date": None}, 200)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stops": STOPS[:1]},
        {"stops": [STOPS[2], STOPS[0]]},
        {"stops": [STOPS[0], {**STOPS[2], "arrives_minute": 400}]},
        {"stops": [STOPS[0], {**STOPS[2], "station_code": "XXX"}]},
        {"running_days": "18"},
        {"running_days": "21"},
        {"name": ""},
        {"zone": "north"},
        {"from_date": "2001-01-01"},
        {"from_date": "9999-12-31"},
        {"colour": "red"},
    ],
)
def test_train_that_cannot_be_is_refused(put, changes, wrong):
    answer = put(f"trains/{DAY_TRAIN}", {**TRAIN, **wrong}, 422)
    assert next(iter(wrong)) in answer.json["errors"]
    assert changes() == []


@pytest.mark.parametrize("number", ["%00", "%F0%9F%9A%82", "a" * 40])
def test_train_number_is_plain(put, number):
    assert "train_number" in put(f"trains/{number}", TRAIN, 422).json["errors"]


# Coaches.


def test_another_coach_reaches_runs_that_exist_and_seats_stay(client, put, tomorrow):
    before = definition(client, DAY_TRAIN, tomorrow)
    third = {**COACHES[0], "coach_number": 3, "letter": "GA"}
    body = {"coaches": [*COACHES, third], "from_date": str(tomorrow)}
    outcome = put(f"trains/{DAY_TRAIN}/coach-plan", body, 200).json
    assert outcome["runs_changed"] == DAYS_AHEAD
    after = definition(client, DAY_TRAIN, tomorrow)
    assert after["version"] == 2
    assert after["coaches"][:2] == before["coaches"]
    assert after["coaches"][2]["seats"][0]["seat_id"] == 3001


@pytest.mark.parametrize(
    "plan",
    [
        COACHES[:1],
        [{**COACHES[0], "rows": 4}, COACHES[1]],
        [{**COACHES[0], "rows": 6}, COACHES[1]],
        [{**COACHES[0], "seat_class": "SNIGDHA"}, COACHES[1]],
        [{**COACHES[0], "letter": "GHA"}, COACHES[1]],
        [{**COACHES[0], "left_seats": 3, "right_seats": 2}, COACHES[1]],
    ],
)
def test_coach_whose_seats_may_be_sold_stays(client, put, changes, tomorrow, plan):
    body = {"coaches": plan, "from_date": str(tomorrow)}
    answer = put(f"trains/{DAY_TRAIN}/coach-plan", body, 409)
    assert answer.json["code"] == "coach_plan_in_use"
    assert definition(client, DAY_TRAIN, tomorrow)["version"] == 1
    assert changes() == []


def test_smaller_coach_waits_for_days_without_runs(client, put, today):
    smaller = [{**COACHES[0], "rows": 4}, COACHES[1]]
    put(f"trains/{DAY_TRAIN}/coach-plan", {"coaches": smaller}, 200)
    roll_forward(days=DAYS_AHEAD, now=utc_now() + timedelta(days=1))
    run = definition(client, DAY_TRAIN, today + timedelta(days=RUNS))
    assert len(run["coaches"][0]["seats"]) == 20


def test_plan_may_be_put_back_for_days_without_runs(put, today):
    smaller = {"coaches": COACHES[:1]}
    put(f"trains/{DAY_TRAIN}/coach-plan", smaller, 200)
    put(f"trains/{DAY_TRAIN}/coach-plan", {"coaches": COACHES}, 200)
    outcome = put(f"trains/{DAY_TRAIN}/coach-plan", {"coaches": COACHES}, 200).json
    assert outcome == {"from_date": str(today + timedelta(days=RUNS)), "runs_changed": 0}


# Fares.


def test_new_price_makes_a_new_version_of_runs_from_its_date_on(client, put, today):
    start = today + timedelta(days=5)
    fares = [{**FARES[0], "price_minor": 50_000}]
    body = {"fares": fares, "from_date": str(start)}
    assert put(f"trains/{DAY_TRAIN}/fares", body, 200).json["runs_changed"] == 6
    before, after = (
        definition(client, DAY_TRAIN, start - timedelta(days=1)),
        definition(client, DAY_TRAIN, start),
    )
    assert [fare["price_minor"] for fare in before["fares"]] == [85_500, 45_000]
    assert [fare["price_minor"] for fare in after["fares"]] == [50_000]
    assert (before["version"], after["version"]) == (1, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"price_minor": 100, "vat_minor": 101},
        {"vat_minor": -1},
        {"price_minor": 1.5},
        {"from_code": "CTG", "to_code": "DHK"},
        {"to_code": "RAJ"},
        {"seat_class": "FIRST"},
    ],
)
def test_fare_that_means_nothing_is_refused(put, changes, wrong):
    answer = put(f"trains/{DAY_TRAIN}/fares", {"fares": [{**FARES[0], **wrong}]}, 422)
    assert "fares" in answer.json["errors"]
    assert changes() == []


def test_unknown_train_has_neither_coaches_nor_fares(put):
    for path, body in (("coach-plan", {"coaches": COACHES}), ("fares", {"fares": FARES})):
        assert put(f"trains/000/{path}", body, 404).json["code"] == "train_not_found"


def test_fares_of_a_long_train_may_weigh_more_than_other_requests(put):
    body = {"fares": [FARES[0]] * 1_500}
    assert len(json.dumps(body)) > 128 * 1024
    assert "fares" in put(f"trains/{DAY_TRAIN}/fares", body, 422).json["errors"]


# What is kept.


def test_change_is_kept_with_who_and_before_and_after(client, put, tomorrow):
    account_id = uuid4()
    chief = signed_in(roles=("staff",), account_id=account_id, email="chief@railgate.example")
    fares = [{**FARES[0], "price_minor": 50_000}]
    body = {"fares": fares, "from_date": str(tomorrow)}
    put(f"trains/{DAY_TRAIN}/fares", body, 200, headers=chief)
    (row,) = client.get(f"{STAFF}/changes", headers=chief).json["changes"]
    assert (row["account_id"], row["email"]) == (str(account_id), "chief@railgate.example")
    assert (row["kind"], row["subject"]) == ("fares", DAY_TRAIN)
    assert {fare["price_minor"] for fare in row["before"]["fares"]} == {45_000, 85_500}
    assert row["after"] == body


def test_changes_come_newest_first_and_by_pages(put, changes, tomorrow):
    for price in (1, 2, 3):
        body = {"fares": [{**FARES[0], "price_minor": price}], "from_date": str(tomorrow)}
        put(f"trains/{DAY_TRAIN}/fares", body, 200)
    put(f"runs/{run_id_of(NIGHT_TRAIN, tomorrow)}/cancellation", {"reason": "Flood"}, 201)
    rows = changes("?limit=2")
    assert [row["kind"] for row in rows] == ["run_cancellation", "fares"]
    older = changes(f"?before={rows[1]['change_id']}")
    assert [row["after"]["fares"][0]["price_minor"] for row in older] == [2, 1]
    assert len(changes(f"?subject={DAY_TRAIN}")) == 3
