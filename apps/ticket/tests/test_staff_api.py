"""What staff may change, what they may not, and what is kept of it."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest

from chassis.application import utc_now
from chassis.testing import signed_in
from ticket.calendar import iso
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


@pytest.fixture
def put(client, staff):
    def send(path: str, body: dict, expected: int | None = None, headers: dict | None = None):
        answer = client.put(f"{STAFF}/{path}", json=body, headers=headers or staff)
        assert expected is None or answer.status_code == expected, answer.json
        return answer

    return send


@pytest.fixture
def changes(client, staff):
    return lambda query="": client.get(f"{STAFF}/changes{query}", headers=staff).json["changes"]


def definition(client, train_number: str, day) -> dict:
    return client.get(f"{API}/runs/{run_id_of(train_number, day)}").json


# Who may.

ROUTES = [
    ("PUT", f"trains/{DAY_TRAIN}", TRAIN),
    ("PUT", f"trains/{DAY_TRAIN}/coach-plan", {"coaches": COACHES}),
    ("PUT", f"trains/{DAY_TRAIN}/fares", {"fares": FARES}),
    ("PUT", f"runs/{uuid4()}", {"train_number": DAY_TRAIN, "service_date": "2026-11-25"}),
    ("PUT", f"runs/{uuid4()}/cancellation", {"reason": "Flood"}),
    ("PUT", f"sales-windows/{uuid4()}", {"zone": "east"}),
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


# Runs.


def test_extra_run_is_added_once(client, put, changes, today):
    day = today + timedelta(days=30)
    run_id = run_id_of(DAY_TRAIN, day)
    body = {"train_number": DAY_TRAIN, "service_date": str(day)}
    first = put(f"runs/{run_id}", body, 201).json
    second = put(f"runs/{run_id}", body, 200).json
    assert first == second == {
        "run_id": str(run_id), "version": 1, "state": "scheduled", "cancellation_reason": None,
    }  # fmt: skip
    assert definition(client, DAY_TRAIN, day)["service_date"] == str(day)
    assert [row["kind"] for row in changes()] == ["run"]


def test_run_id_must_be_that_of_train_and_date(put, tomorrow):
    body = {"train_number": DAY_TRAIN, "service_date": str(tomorrow)}
    assert "run_id" in put(f"runs/{uuid4()}", body, 422).json["errors"]


@pytest.mark.parametrize("days", [-3, 90])
def test_run_out_of_reach_is_refused(put, today, days):
    day = today + timedelta(days=days)
    body = {"train_number": DAY_TRAIN, "service_date": str(day)}
    answer = put(f"runs/{run_id_of(DAY_TRAIN, day)}", body, 422)
    assert "service_date" in answer.json["errors"]


def test_run_of_an_unknown_train_is_refused(put, tomorrow):
    body = {"train_number": "000", "service_date": str(tomorrow)}
    answer = put(f"runs/{run_id_of('000', tomorrow)}", body, 404)
    assert answer.json["code"] == "train_not_found"


def test_run_of_a_train_that_calls_nowhere_yet_is_refused(put, today, tomorrow):
    late = today + timedelta(days=20)
    put("trains/998", {**TRAIN, "from_date": str(late)}, 201)
    body = {"train_number": "998", "service_date": str(tomorrow)}
    answer = put(f"runs/{run_id_of('998', tomorrow)}", body, 409)
    assert answer.json["code"] == "train_has_no_stops"


def test_cancelled_run_is_shown_as_cancelled_and_told(client, put, tomorrow):
    run_id = run_id_of(DAY_TRAIN, tomorrow)
    last = client.get(f"{API}/run-changes?limit=500").json["next_after"]
    outcome = put(f"runs/{run_id}/cancellation", {"reason": "Flood"}, 201).json
    assert outcome == {
        "run_id": str(run_id), "version": 2, "state": "cancelled", "cancellation_reason": "Flood",
    }  # fmt: skip
    runs = client.get(f"{API}/runs?from=DHK&to=CTG&date={tomorrow}").json["runs"]
    assert (runs[0]["state"], runs[0]["sales"]["state"]) == ("cancelled", "closed")
    told = client.get(f"{API}/run-changes?after={last}").json["changes"]
    assert [(row["run_id"], row["version"], row["state"]) for row in told] == [
        (str(run_id), 2, "cancelled")
    ]


def test_cancellation_is_repeatable_with_its_reason_only(put, tomorrow):
    path = f"runs/{run_id_of(DAY_TRAIN, tomorrow)}/cancellation"
    put(path, {"reason": "Flood"}, 201)
    assert put(path, {"reason": "Flood"}, 200).json["version"] == 2
    assert put(path, {"reason": "Strike"}, 409).json["code"] == "id_reused"


def test_cancelled_run_stays_as_it_was_when_its_train_changes(client, put, tomorrow):
    put(f"runs/{run_id_of(DAY_TRAIN, tomorrow)}/cancellation", {"reason": "Flood"}, 201)
    body = {"fares": FARES, "from_date": str(tomorrow)}
    put(f"trains/{DAY_TRAIN}/fares", body, 200)
    assert definition(client, DAY_TRAIN, tomorrow)["version"] == 2


def test_unknown_run_cannot_be_cancelled(put):
    answer = put(f"runs/{uuid4()}/cancellation", {"reason": "Flood"}, 404)
    assert answer.json["code"] == "run_not_found"


# Sales windows.


def test_window_opens_one_run_at_another_time(client, put, tomorrow):
    at = utc_now() + timedelta(hours=3)
    body = {"run_id": str(run_id_of(DAY_TRAIN, tomorrow)), "opens_at": iso(at)}
    assert put(f"sales-windows/{uuid4()}", body, 201).json["runs_changed"] == 1
    run = definition(client, DAY_TRAIN, tomorrow)
    assert (run["version"], run["sales"]["opens_at"]) == (2, iso(at))
    found = client.get(f"{API}/runs?from=DHK&to=CTG&date={tomorrow}").json["runs"][0]
    assert found["sales"]["opens_at"] == iso(at)
    leaves_later = found["sales"]["closes_at"] > iso(utc_now())
    assert found["sales"]["state"] == ("not_yet" if leaves_later else "closed")


def test_window_closes_a_zone_for_its_dates(client, put, tomorrow):
    body = {
        "zone": "east",
        "from_date": str(tomorrow),
        "until_date": str(tomorrow + timedelta(days=2)),
        "closes_at": iso(utc_now() - timedelta(minutes=1)),
    }
    assert put(f"sales-windows/{uuid4()}", body, 201).json["runs_changed"] == 4
    for train, state in ((("DHK", "CTG"), "closed"), (("DHK", "RAJ"), "open")):
        url = f"{API}/runs?from={train[0]}&to={train[1]}&date={tomorrow}"
        assert {run["sales"]["state"] for run in client.get(url).json["runs"]} == {state}


def test_window_holds_for_runs_that_are_made_later(client, put, today):
    first_free = today + timedelta(days=RUNS)
    at = iso(utc_now() + timedelta(days=2))
    body = {
        "train_number": DAY_TRAIN,
        "from_date": str(first_free),
        "until_date": str(first_free + timedelta(days=1)),
        "opens_at": at,
    }
    assert put(f"sales-windows/{uuid4()}", body, 201).json["runs_changed"] == 0
    roll_forward(days=DAYS_AHEAD, now=utc_now() + timedelta(days=1))
    assert definition(client, DAY_TRAIN, first_free)["sales"]["opens_at"] == at


def test_window_survives_a_change_of_the_train(client, put, tomorrow):
    at = iso(utc_now() + timedelta(minutes=5))
    body = {"run_id": str(run_id_of(DAY_TRAIN, tomorrow)), "opens_at": at}
    put(f"sales-windows/{uuid4()}", body, 201)
    put(f"trains/{DAY_TRAIN}/fares", {"fares": FARES, "from_date": str(tomorrow)}, 200)
    run = definition(client, DAY_TRAIN, tomorrow)
    assert (run["version"], run["sales"]["opens_at"]) == (3, at)


def test_window_is_repeatable_and_its_id_is_not_used_twice(put, changes, tomorrow):
    path = f"sales-windows/{uuid4()}"
    body = {"run_id": str(run_id_of(DAY_TRAIN, tomorrow)), "opens_at": iso(utc_now())}
    put(path, body, 201)
    put(path, body, 200)
    other = {**body, "opens_at": iso(utc_now() + timedelta(days=1))}
    assert put(path, other, 409).json["code"] == "id_reused"
    assert len(changes()) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"opens_at": "2026-11-25T08:00:00Z"}, "run_id"),
        ({"zone": "east", "train_number": "702", "opens_at": "2026-11-25T08:00:00Z"}, "run_id"),
        ({"zone": "east", "opens_at": "2026-11-25T08:00:00Z"}, "from_date"),
        ({"zone": "east", "from_date": "2026-11-25", "until_date": "2026-11-26"}, "opens_at"),
        ({"run_id": str(uuid4()), "opens_at": "2026-11-25T08:00:00"}, "opens_at"),
        ({"run_id": str(uuid4()), "opens_at": "0001-01-01T00:00:00+14:00"}, "opens_at"),
        (
            {
                "zone": "east",
                "from_date": "2026-11-25",
                "until_date": "2026-11-25",
                "opens_at": "2026-11-25T08:00:00Z",
            },
            "from_date",
        ),
    ],
)
def test_window_that_means_nothing_is_refused(put, body, field):
    assert field in put(f"sales-windows/{uuid4()}", body, 422).json["errors"]


def test_window_of_what_is_not_there_is_refused(put):
    at = {"opens_at": "2026-11-25T08:00:00Z"}
    dates = {"from_date": "2026-11-25", "until_date": "2026-11-26"}
    of_run = put(f"sales-windows/{uuid4()}", {"run_id": str(uuid4()), **at}, 404)
    of_train = put(f"sales-windows/{uuid4()}", {"train_number": "000", **dates, **at}, 404)
    assert of_run.json["code"] == "run_not_found"
    assert of_train.json["code"] == "train_not_found"


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
