"""What staff may say about single runs, and about when sales open and close."""

from datetime import timedelta
from uuid import uuid4

import pytest

from chassis.application import utc_now
from ticket.calendar import iso
from ticket.definition import run_id_of
from ticket.rolling import roll_forward

API = "/api/ticket"
DAY_TRAIN = "702"
DAYS_AHEAD = 10
RUNS = DAYS_AHEAD + 1

STOPS = [
    {"station_code": "DHK", "arrives_minute": None, "departs_minute": 420},
    {"station_code": "CTG", "arrives_minute": 720, "departs_minute": None},
]
TRAIN = {"name": "Eid Special", "zone": "east", "running_days": "1234567", "stops": STOPS}
FARES = [
    {
        "seat_class": "S_CHAIR", "from_code": "DHK", "to_code": "CTG",
        "price_minor": 45_000, "vat_minor": 0,
    }
]  # fmt: skip


def definition(client, train_number: str, day) -> dict:
    return client.get(f"{API}/runs/{run_id_of(train_number, day)}").json


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
