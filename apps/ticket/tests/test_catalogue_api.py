"""What anybody may read: stations, trains, runs between stations."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from ticket.definition import run_id_of
from ticket.models import db

API = "/api/ticket"
DAY_TRAIN, NIGHT_TRAIN = "702", "742"


def search(client, origin: str, destination: str, date) -> list[dict]:
    answer = client.get(f"{API}/runs?from={origin}&to={destination}&date={date}")
    assert answer.status_code == 200, answer.json
    return answer.json["runs"]


def test_search_tells_all_that_a_choice_needs(client, tomorrow):
    run = search(client, "DHK", "CTG", tomorrow)[0]
    assert run["run_id"] == str(run_id_of(DAY_TRAIN, tomorrow))
    assert (run["train_number"], run["train_name"]) == (DAY_TRAIN, "Subarna Express")
    assert (run["service_date"], run["state"]) == (str(tomorrow), "scheduled")
    assert run["from"]["departs_at"] == f"{tomorrow}T01:00:00Z"
    assert (run["from"]["sequence"], run["to"]["sequence"]) == (0, 2)
    assert run["duration_minutes"] == 300
    assert run["sales"]["state"] == "open"
    assert [
        (row["seat_class"], row["seats_total"], row["price_minor"], row["vat_minor"])
        for row in run["classes"]
    ] == [("S_CHAIR", 25, 45_000, 0), ("SNIGDHA", 16, 85_500, 11_200)]


def test_runs_come_by_their_departure(client, tomorrow):
    runs = search(client, "DHK", "CTG", tomorrow)
    assert [run["train_number"] for run in runs] == [DAY_TRAIN, NIGHT_TRAIN]


def test_night_train_is_found_on_the_date_on_which_one_boards(client, tomorrow):
    the_day_after = tomorrow + timedelta(days=1)
    boarded_by_night = search(client, "CML", "CTG", the_day_after)
    assert [run["service_date"] for run in boarded_by_night] == [str(tomorrow)]
    assert boarded_by_night[0]["from"]["departs_at"] == f"{tomorrow}T19:35:00Z"


def test_pair_without_a_fare_is_not_on_sale(client, tomorrow):
    assert search(client, "DHK", "BBD", tomorrow) == []
    assert search(client, "CTG", "DHK", tomorrow) == []


def test_date_without_runs_finds_none(client, tomorrow):
    assert search(client, "DHK", "CTG", tomorrow + timedelta(days=90)) == []
    assert search(client, "DHK", "CTG", "9999-12-31") == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("from=DHK&to=CTG", 422, "invalid_request"),
        ("from=DHK&to=CTG&date=tomorrow", 422, "invalid_request"),
        ("from=DHK&to=DHK&date=2026-11-25", 422, "invalid_request"),
        ("from=DHK&to=%00&date=2026-11-25", 422, "invalid_request"),
        ("from=XXX&to=CTG&date=2026-11-25", 404, "station_not_found"),
    ],
)
def test_search_that_cannot_be_understood_is_refused(client, query, status, code):
    answer = client.get(f"{API}/runs?{query}")
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_searches_go_on_while_the_database_is_away(loaded, tomorrow):
    client = loaded.test_client()
    before = search(client, "DHK", "CTG", tomorrow)
    db.session.execute(text("ALTER TABLE catalogue RENAME TO gone"))
    db.session.commit()
    try:
        assert search(client, "DHK", "CTG", tomorrow) == before
    finally:
        db.session.execute(text("ALTER TABLE gone RENAME TO catalogue"))
        db.session.commit()


@pytest.mark.parametrize(
    ("query", "code"),
    [("dha", "DHK"), ("ঢাকা", "DHK"), ("Cox’s", "CXB"), ("chittagong", "CTG"), ("ctg", "CTG")],  # noqa: RUF001
)
def test_station_is_found_as_somebody_types(client, query, code):
    answer = client.get(f"{API}/stations", query_string={"q": query})
    assert answer.json["stations"][0]["station_code"] == code
    assert "max-age=60" in answer.headers["Cache-Control"]


def test_no_more_stations_than_asked_for(client):
    assert len(client.get(f"{API}/stations?limit=2").json["stations"]) == 2
    assert client.get(f"{API}/stations?limit=51").status_code == 422


def test_list_is_not_sent_again_until_the_catalogue_changes(client, staff, tomorrow):
    first = client.get(f"{API}/stations?q=d")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert client.get(f"{API}/stations?q=d", headers=tag).status_code == 304
    run_id = run_id_of(DAY_TRAIN, tomorrow)
    client.put(f"{API}/staff/runs/{run_id}/cancellation", json={"reason": "Flood"}, headers=staff)
    assert client.get(f"{API}/stations?q=d", headers=tag).status_code == 200


def test_station_is_read_by_its_code(client):
    assert client.get(f"{API}/stations/CTG").json["name_bn"] == "চট্টগ্রাম"
    answer = client.get(f"{API}/stations/XXX")
    assert (answer.status_code, answer.json["code"]) == (404, "station_not_found")


def test_seat_classes_say_what_a_refund_goes_by(client):
    rows = client.get(f"{API}/seat-classes").json["seat_classes"]
    assert {row["seat_class"]: row["refund_category"] for row in rows} == {
        "S_CHAIR": "other",
        "SNIGDHA": "ac",
    }


@pytest.mark.parametrize("query", ["742", "turna", "TUR"])
def test_train_is_found_by_number_or_name(client, query):
    trains = client.get(f"{API}/trains", query_string={"q": query}).json["trains"]
    assert [row["train_number"] for row in trains] == [NIGHT_TRAIN]
    assert (trains[0]["from_code"], trains[0]["to_code"]) == ("DHK", "CTG")


def test_train_shows_its_stops_and_coaches(client):
    row = client.get(f"{API}/trains/{NIGHT_TRAIN}").json
    assert [stop["station_code"] for stop in row["stops"]] == ["DHK", "CML", "CTG"]
    assert row["stops"][1]["departs_minute"] == 1535
    assert [coach["letter"] for coach in row["coaches"]] == ["KA", "KHA"]


@pytest.mark.parametrize("number", ["999", "%00", "%F0%9F%9A%82"])
def test_unknown_train_is_not_found(client, number):
    answer = client.get(f"{API}/trains/{number}")
    assert (answer.status_code, answer.json["code"]) == (404, "train_not_found")


def test_unknown_run_is_not_found(client):
    for path in (f"runs/{uuid4()}", f"runs/{uuid4()}/versions/1"):
        answer = client.get(f"{API}/{path}")
        assert (answer.status_code, answer.json["code"]) == (404, "run_not_found")


def test_service_is_ready_and_tells_when_runs_are_missing(client, app):
    assert client.get("/readyz").json["checks"]["timetable"] == "ok"
    db.session.execute(text("TRUNCATE run CASCADE"))
    db.session.execute(text("UPDATE catalogue SET version = version + 1"))
    db.session.commit()
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["checks"]["timetable"].startswith("failing")
