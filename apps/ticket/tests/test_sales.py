"""When sales open and close, by the railway's rule and by windows of staff."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from ticket.sales import Sales, Window, regular_sales, sales_state, sales_with

SERVICE_DATE = date(2026, 11, 25)
LEAVES_AT = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
LAST_AT = LEAVES_AT + timedelta(hours=4)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def window(**changes) -> Window:
    terms = {
        "run_id": None,
        "train_number": None,
        "zone": None,
        "from_date": SERVICE_DATE,
        "until_date": SERVICE_DATE + timedelta(days=1),
        "opens_at": None,
        "closes_at": None,
        "updated_at": NOW,
    }
    return Window(**{**terms, **changes})


def regular(zone: str = "east") -> Sales:
    return regular_sales(SERVICE_DATE, zone=zone, timezone="Asia/Dhaka", leaves_at=LEAVES_AT)


@pytest.mark.parametrize(("zone", "hour"), [("west", 2), ("east", 8), ("", 2)])
def test_sales_open_ten_days_ahead_at_the_hour_of_the_zone(zone, hour):
    assert regular(zone).opens_at == datetime(2026, 11, 15, hour, tzinfo=UTC)


def test_sales_close_when_the_train_leaves():
    assert regular().closes_at == LEAVES_AT


def test_opening_instant_is_open_and_closing_instant_is_closed():
    sales = regular()
    moments = [
        sales.opens_at - timedelta(seconds=1), sales.opens_at,
        sales.closes_at - timedelta(seconds=1), sales.closes_at,
    ]  # fmt: skip
    assert [sales_state(at, sales) for at in moments] == ["not_yet", "open", "open", "closed"]


def test_narrower_window_is_stronger_than_a_later_one():
    run_id = uuid4()
    of_run = window(run_id=run_id, opens_at=NOW)
    of_zone = window(
        zone="east", opens_at=NOW + timedelta(days=1), updated_at=NOW + timedelta(hours=1)
    )
    assert sales_with(regular(), [of_zone, of_run], last_departs_at=LAST_AT).opens_at == NOW


def test_later_window_is_stronger_than_an_earlier_one_of_its_kind():
    first = window(train_number="702", opens_at=NOW)
    second = window(
        train_number="702",
        opens_at=NOW + timedelta(hours=2),
        updated_at=NOW + timedelta(hours=1),
    )
    effective = sales_with(regular(), [second, first], last_departs_at=LAST_AT)
    assert effective.opens_at == NOW + timedelta(hours=2)


def test_window_leaves_alone_what_it_does_not_say():
    effective = sales_with(regular(), [window(zone="east", closes_at=NOW)], last_departs_at=LAST_AT)
    assert effective == Sales(regular().opens_at, NOW)


def test_nothing_is_sold_after_the_last_station_where_one_can_board():
    late = window(zone="east", closes_at=LAST_AT + timedelta(days=2))
    assert sales_with(regular(), [late], last_departs_at=LAST_AT).closes_at == LAST_AT


def test_window_covers_its_zone_and_dates_only():
    east = window(zone="east")

    def covers(zone: str, service_date: date) -> bool:
        return east.covers(run_id=uuid4(), train_number="702", zone=zone, service_date=service_date)

    assert covers("east", SERVICE_DATE)
    assert not covers("west", SERVICE_DATE)
    assert not covers("", SERVICE_DATE)
    assert not covers("east", SERVICE_DATE + timedelta(days=1))
