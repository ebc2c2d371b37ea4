"""When sales open, told beforehand: by moment, with what is on sale then and nothing else."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from ticket.calendar import iso
from ticket.definition import run_id_of

API = "/api/ticket"
DAY_TRAIN, NIGHT_TRAIN, WEST_TRAIN = "702", "742", "753"
EXTRA_DAYS = 20


@pytest.fixture
def later(today):
    """A service date whose sales are days away, unlike those of the small railway's own runs."""
    return today + timedelta(days=EXTRA_DAYS)


@pytest.fixture
def extra(put, later):
    """Add a run of a train on that date; gives its id."""

    def add(train_number: str, day=later) -> str:
        run_id = str(run_id_of(train_number, day))
        put(f"runs/{run_id}", {"train_number": train_number, "service_date": str(day)}, 201)
        return run_id

    return add


@pytest.fixture
def openings(client, later):
    """The openings of the two days from the regular one on, as `{opens_at: {run_id: seats}}`."""

    def read(**query) -> dict[str, dict[str, int]]:
        day = later - timedelta(days=10)
        query = {"from": f"{day}T00:00:00Z", "until": f"{day + timedelta(2)}T00:00:00Z"} | query
        answer = client.get(f"{API}/openings", query_string=query)
        assert answer.status_code == 200, answer.json
        return {
            opening["opens_at"]: {run["run_id"]: run["seats_total"] for run in opening["runs"]}
            for opening in answer.json["openings"]
        }

    return read


def test_west_and_east_open_at_two_moments_with_their_runs_and_seats(extra, openings, later):
    day, night, west = (extra(number) for number in (DAY_TRAIN, NIGHT_TRAIN, WEST_TRAIN))
    opening_day = later - timedelta(days=10)
    found = openings()
    assert list(found) == [f"{opening_day}T02:00:00Z", f"{opening_day}T08:00:00Z"]
    # The night train sells the chairs of one coach only, the west train those of the other.
    assert found[f"{opening_day}T02:00:00Z"] == {west: 16}
    assert found[f"{opening_day}T08:00:00Z"] == {day: 41, night: 25}


def test_the_range_is_half_open(extra, openings, later):
    run_id = extra(WEST_TRAIN)
    opens_at = datetime.fromisoformat(f"{later - timedelta(days=10)}T02:00:00+00:00")
    second = timedelta(seconds=1)
    assert openings(**{"from": iso(opens_at), "until": iso(opens_at + second)}) == {
        iso(opens_at): {run_id: 16}
    }
    assert openings(**{"from": iso(opens_at + second)}) == {}
    assert openings(until=iso(opens_at)) == {}


def test_a_cancelled_run_does_not_open(extra, openings, put):
    first, second = extra(DAY_TRAIN), extra(NIGHT_TRAIN)
    put(f"runs/{first}/cancellation", {"reason": "Flood"}, 201)
    assert list(openings().values()) == [{second: 25}]


def test_a_run_whose_sales_are_moved_opens_at_the_new_moment(extra, openings, put, later):
    run_id = extra(DAY_TRAIN)
    moved = f"{later - timedelta(days=9)}T03:30:00Z"
    put(f"sales-windows/{uuid4()}", {"run_id": run_id, "opens_at": moved}, 201)
    assert openings() == {moved: {run_id: 41}}


def test_a_run_without_fares_has_nothing_to_open(extra, openings, put, later):
    stops = [
        {"station_code": "DHK", "arrives_minute": None, "departs_minute": 420},
        {"station_code": "CTG", "arrives_minute": 720, "departs_minute": None},
    ]
    train = {"name": "Test run", "running_days": "", "from_date": str(later), "stops": stops}
    put("trains/998", train, 201)
    extra("998")
    assert openings() == {}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"until": "2026-11-21T00:00:00Z"}, "from"),
        ({"from": "2026-11-21T00:00:00Z"}, "until"),
        ({"from": "2026-11-21T00:00:00", "until": "2026-11-22T00:00:00Z"}, "from"),
        ({"from": "0001-01-01T00:00:00+23:00", "until": "2026-11-22T00:00:00Z"}, "from"),
    ],
)
def test_a_range_that_is_none_is_named(client, query, field):
    refused = client.get(f"{API}/openings", query_string=query)
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_request")
    assert field in refused.json["errors"]
