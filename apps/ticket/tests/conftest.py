"""A small railway: three trains between six stations, one of them by night."""

import os
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.application import utc_now
from chassis.settings import Secret
from chassis.testing import (
    POSTGRES_ADMIN_URL,
    empty_tables,
    fresh_database,
    migrated,
    redis_url,
    signed_in,
)
from ticket.app import create_app
from ticket.calendar import local_date
from ticket.importers import normalised
from ticket.importers.normalised import Agency, Coach, Fare, SeatClass, Station, Stop, Train
from ticket.loading import load_timetable
from ticket.models import db
from ticket.rolling import roll_forward
from ticket.settings import Settings

DAYS_AHEAD = 10
STATIONS = (
    Station("DHK", "Dhaka", "ঢাকা", 23.73, 90.42, "east"),
    Station("BBD", "Biman Bandar", "বিমান বন্দর", None, None, "east"),
    Station("CML", "Cumilla", "কুমিল্লা", None, None, "east"),
    Station("CTG", "Chattogram", "চট্টগ্রাম", 22.33, 91.82, "east"),
    Station("CXB", "Cox's Bazar", "কক্সবাজার", None, None, "east"),
    Station("RAJ", "Rajshahi", "রাজশাহী", None, None, "west"),
)
SEAT_CLASSES = (
    SeatClass("S_CHAIR", "Shovan Chair", "শোভন চেয়ার", "other"),
    SeatClass("SNIGDHA", "Snigdha", "স্নিগ্ধা", "ac"),
)
DAY_TRAIN, NIGHT_TRAIN, WEST_TRAIN = "702", "742", "753"


def train(number: str, name: str, *, zone: str = "east", days: str = "1234567") -> Train:
    return Train(number, name, "", days, zone)


def stops(number: str, *calls: tuple[str, int | None, int | None]) -> list[Stop]:
    return [Stop(number, sequence, *call) for sequence, call in enumerate(calls)]


def coaches(number: str) -> list[Coach]:
    return [
        Coach(number, 1, "KA", "ক", "S_CHAIR", 5, 2, 3),
        Coach(number, 2, "KHA", "খ", "SNIGDHA", 4, 2, 2),
    ]


def small_timetable(**changes: tuple) -> normalised.Timetable:
    content = {
        "agency": Agency(
            "BR", "Bangladesh Railway", "", "Asia/Dhaka", "BDT", "test", "none", date(2026, 1, 1)
        ),
        "stations": STATIONS,
        "seat_classes": SEAT_CLASSES,
        "trains": (
            train(DAY_TRAIN, "Subarna Express"),
            train(NIGHT_TRAIN, "Turna"),
            train(WEST_TRAIN, "Silk City Express", zone="west"),
        ),
        "stops": (
            *stops(DAY_TRAIN, ("DHK", None, 420), ("BBD", 445, 450), ("CTG", 720, None)),
            *stops(NIGHT_TRAIN, ("DHK", None, 1410), ("CML", 1530, 1535), ("CTG", 1720, None)),
            *stops(WEST_TRAIN, ("DHK", None, 880), ("BBD", 905, 910), ("RAJ", 1220, None)),
        ),
        "coaches": (*coaches(DAY_TRAIN), *coaches(NIGHT_TRAIN), *coaches(WEST_TRAIN)),
        "fares": (
            Fare(DAY_TRAIN, "S_CHAIR", "DHK", "CTG", 45_000, 0),
            Fare(DAY_TRAIN, "SNIGDHA", "DHK", "CTG", 85_500, 11_200),
            Fare(NIGHT_TRAIN, "S_CHAIR", "DHK", "CTG", 40_500, 0),
            Fare(NIGHT_TRAIN, "S_CHAIR", "CML", "CTG", 20_000, 0),
            Fare(WEST_TRAIN, "SNIGDHA", "DHK", "RAJ", 77_000, 10_000),
        ),
    }
    return normalised.Timetable(**{**content, **changes})


@pytest.fixture(scope="session")
def timetable() -> Callable[..., normalised.Timetable]:
    """Makes the small railway's timetable, with the tables given in place of its own."""
    return small_timetable


@pytest.fixture(scope="session")
def application() -> Iterator[Flask]:
    assert POSTGRES_ADMIN_URL in os.environ
    with fresh_database("ticket") as url:
        settings = Settings(
            database_url=Secret(url),
            redis_url=redis_url(),
            # Nobody's: a Railgate that runs beside the tests has keys of its own.
            jwks_url="http://127.0.0.1:9/jwks.json",
            log_level="ERROR",
            snapshot_seconds=0.0,
        )
        app = migrated(create_app(settings))
        yield app
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(application: Flask) -> Iterator[Flask]:
    """An empty catalogue."""
    empty_tables(application, db)
    application.extensions["catalogue"].forget()
    with application.app_context():
        yield application


@pytest.fixture
def loaded(app: Flask, tmp_path: Path) -> Flask:
    """The small railway with the runs of the coming days."""
    normalised.write(small_timetable(), tmp_path / "timetable")
    load_timetable(folder=tmp_path / "timetable", now=utc_now())
    roll_forward(days=DAYS_AHEAD, now=utc_now())
    return app


@pytest.fixture
def client(loaded: Flask) -> FlaskClient:
    return loaded.test_client()


@pytest.fixture
def staff() -> dict[str, str]:
    return signed_in(roles=("staff",), email="staff@railgate.example")


@pytest.fixture
def put(client: FlaskClient, staff: dict[str, str]) -> Callable[..., TestResponse]:
    """Send what staff write, and see that the answer has the status that is expected."""

    def send(
        path: str, body: Any, expected: int | None = None, headers: dict[str, str] | None = None
    ) -> TestResponse:
        answer = client.put(f"/api/ticket/staff/{path}", json=body, headers=headers or staff)
        assert expected is None or answer.status_code == expected, answer.json
        return answer

    return send


@pytest.fixture
def changes(client: FlaskClient, staff: dict[str, str]) -> Callable[..., list[dict[str, Any]]]:
    """Read what is kept of what staff changed."""
    url = "/api/ticket/staff/changes"
    return lambda query="": client.get(url + query, headers=staff).json["changes"]


@pytest.fixture
def today() -> date:
    return local_date(utc_now(), "Asia/Dhaka")


@pytest.fixture
def tomorrow(today: date) -> date:
    return today + timedelta(days=1)
