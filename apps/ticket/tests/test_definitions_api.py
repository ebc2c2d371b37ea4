"""Definitions of runs: complete, versioned, immutable, cheap to ask for again."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ticket.definition import run_id_of
from ticket.models import db
from ticket.schemas import RunDefinitionSchema

API = "/api/ticket"
DAY_TRAIN, NIGHT_TRAIN, WEST_TRAIN = "702", "742", "753"


@pytest.fixture
def run_path(tomorrow) -> str:
    return f"{API}/runs/{run_id_of(DAY_TRAIN, tomorrow)}"


def cancel(client, run_path: str, staff) -> None:
    path = run_path.replace("/runs/", "/staff/runs/") + "/cancellation"
    assert client.put(path, json={"reason": "Flood"}, headers=staff).status_code == 201


def test_definition_holds_all_that_is_needed_to_sell(client, run_path, tomorrow):
    run = client.get(run_path).json
    assert set(run) == set(RunDefinitionSchema().fields)
    assert (run["version"], run["state"], run["service_date"]) == (1, "scheduled", str(tomorrow))
    assert (run["timezone"], run["currency"]) == ("Asia/Dhaka", "BDT")
    assert run["online_charge_minor"] == 2_000
    assert run["sales"]["closes_at"] == f"{tomorrow}T01:00:00Z"
    assert [stop["station_code"] for stop in run["stops"]] == ["DHK", "BBD", "CTG"]
    assert [len(coach["seats"]) for coach in run["coaches"]] == [25, 16]
    assert run["coaches"][1]["seats"][0] == {
        "seat_id": 2001, "number": "1", "row": 1, "column": 1, "is_window": True,
    }  # fmt: skip
    assert run["fares"][0] == {
        "seat_class": "SNIGDHA", "from_sequence": 0, "to_sequence": 2,
        "price_minor": 85_500, "vat_minor": 11_200,
    }  # fmt: skip


def test_sales_open_at_the_hour_of_the_zone(client, tomorrow):
    opening = tomorrow - timedelta(days=10)
    east = client.get(f"{API}/runs/{run_id_of(DAY_TRAIN, tomorrow)}").json
    west = client.get(f"{API}/runs/{run_id_of(WEST_TRAIN, tomorrow)}").json
    assert east["sales"]["opens_at"] == f"{opening}T08:00:00Z"
    assert west["sales"]["opens_at"] == f"{opening}T02:00:00Z"


def test_definition_in_force_is_kept_for_half_a_minute_and_a_version_for_ever(client, run_path):
    assert client.get(run_path).headers["Cache-Control"] == "public, max-age=30"
    kept = client.get(f"{run_path}/versions/1").headers["Cache-Control"]
    assert kept == "public, max-age=31536000, immutable"


def test_same_definition_is_not_sent_again(client, run_path):
    for path in (run_path, f"{run_path}/versions/1"):
        tag = client.get(path).headers["ETag"]
        again = client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == tag


def test_cancelled_run_has_a_new_version_and_the_old_one_stays(client, run_path, staff):
    before = client.get(run_path)
    cancel(client, run_path, staff)
    after = client.get(run_path, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert (after.json["version"], after.json["state"]) == (2, "cancelled")
    assert client.get(f"{run_path}/versions/1").data == before.data
    assert client.get(f"{run_path}/versions/2").data == after.data
    assert client.get(f"{run_path}/versions/3").status_code == 404


def test_each_run_has_its_own_tag(client, run_path, tomorrow):
    other = client.get(f"{API}/runs/{run_id_of(NIGHT_TRAIN, tomorrow)}")
    assert other.headers["ETag"] != client.get(run_path).headers["ETag"]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE run_version SET head = '{}'", "UPDATE plan SET content = '{}'"],
)
def test_database_refuses_to_change_what_was_published(loaded, statement):
    with pytest.raises(DBAPIError, match="is never changed"):
        db.session.execute(text(statement))
    db.session.rollback()


def test_absurd_version_is_not_found(client, run_path):
    assert client.get(f"{run_path}/versions/99999999999999999999").status_code == 404
