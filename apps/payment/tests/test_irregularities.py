"""What went wrong with payments is shown to staff, by pages, and to nobody else."""

from datetime import timedelta
from uuid import uuid4

import pytest

from chassis.application import utc_now
from chassis.database import transaction
from chassis.testing import signed_in
from payment.models import Irregularity, db
from payment.records import note

PATH = "/api/payment/staff/irregularities"
STAFF = {"roles": ("staff",)}


@pytest.fixture
def ask(desk):
    def ask(query="", **token):
        return desk.client.get(f"{PATH}{query}", headers=signed_in(**(token or STAFF)))

    return ask


@pytest.fixture
def noted(desk):
    """Five irregularities, the oldest first; the last three at the same moment."""
    payment_id, now = desk.open(), utc_now().replace(microsecond=0)
    with desk.app.app_context(), transaction(db):
        for number in range(5):
            at = now + timedelta(minutes=min(number, 2))
            note(payment_id, "amount_mismatch", f"detail {number}", now=at)
    return [row.detail for row in sorted(desk.all_rows(Irregularity), key=lambda row: row.noted_at)]


def test_staff_read_them_newest_first(ask, noted):
    rows = ask().json["irregularities"]
    assert [row["detail"] for row in rows[3:]] == noted[1::-1]
    assert {row["detail"] for row in rows[:3]} == set(noted[2:])
    assert set(rows[0]) == {"irregularity_id", "payment_id", "kind", "detail", "noted_at"}
    assert rows[0]["kind"] == "amount_mismatch"


def test_pages_show_each_once_even_those_of_one_moment(ask, noted):
    seen, query = [], "?limit=2"
    while page := ask(query).json["irregularities"]:
        assert len(page) <= 2
        seen += [row["detail"] for row in page]
        query = f"?limit=2&before={page[-1]['irregularity_id']}"
    assert sorted(seen) == sorted(noted)


def test_after_one_that_is_not_there_comes_nothing(ask, noted):
    assert ask(f"?before={uuid4()}").json == {"irregularities": []}


@pytest.mark.parametrize("query", ["?limit=0", "?limit=201", "?limit=x", "?before=x"])
def test_a_page_asked_for_oddly_is_refused(ask, query):
    assert ask(query).status_code == 422


def test_nobody_else_reads_them(desk, ask):
    assert ask(roles=()).json["code"] == "forbidden"
    assert desk.client.get(PATH).json["code"] == "unauthenticated"
    assert desk.client.get(PATH, headers=desk.as_order).json["code"] == "unauthenticated"
