"""
Order on a real database and Redis, beside a small catalogue that speaks HTTP: one train of five
stops, two classes, and whatever a test changes about it.
"""

import base64
import copy
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from chassis import testing
from chassis.application import utc_now
from chassis.identity import Identity
from chassis.problems import Problem
from order.app import create_app
from order.models import db
from order.parts import Parts
from order.run import Run, parse_run
from order.settings import Settings
from order.wish import Wish, WishedPassenger

STATIONS = ("AAA", "BBB", "CCC", "DDD", "EEE")
PEER_SECRET = "payment-calls-order-in-the-tests-only"


def definition_of(
    run_id: UUID, *, seats: int = 8, departs_in: timedelta = timedelta(days=3)
) -> Any:
    """A run of five stops: class S with `seats` seats in rows of four, class F with two."""
    first = (utc_now() + departs_in).replace(microsecond=0)
    stops = [
        {
            "sequence": n,
            "station_code": code,
            "name": f"Station {code}",
            "name_bn": code,
            "arrives_at": None if n == 0 else (first + timedelta(hours=n)).isoformat(),
            "departs_at": None
            if n == len(STATIONS) - 1
            else (first + timedelta(hours=n, minutes=5)).isoformat(),
        }
        for n, code in enumerate(STATIONS)
    ]
    fares = [
        {
            "seat_class": seat_class,
            "from_sequence": start,
            "to_sequence": end,
            "price_minor": 10_000 * (end - start) * times,
            "vat_minor": 0,
        }
        for seat_class, times in (("S", 1), ("F", 3))
        for start in range(5)
        for end in range(start + 1, 5)
    ]
    return {
        "run_id": str(run_id),
        "version": 1,
        "state": "scheduled",
        "train_number": "701",
        "train_name": "Test Express",
        "train_name_bn": "টেস্ট",
        "service_date": first.date().isoformat(),
        "timezone": "Asia/Dhaka",
        "currency": "BDT",
        "sales": {
            "opens_at": (first - timedelta(days=10)).isoformat(),
            "closes_at": first.isoformat(),
        },
        "online_charge_minor": 2_000,
        "stops": stops,
        "seat_classes": [
            {"seat_class": "S", "name": "Shovan", "name_bn": "শোভন", "refund_category": "other"},
            {"seat_class": "F", "name": "First", "name_bn": "প্রথম", "refund_category": "first"},
        ],
        "coaches": [_coach(1, "KA", "S", seats), _coach(2, "KHA", "F", 2)],
        "fares": fares,
    }


def _coach(number: int, letter: str, seat_class: str, seats: int) -> dict[str, Any]:
    columns = (1, 2, 4, 5)
    return {
        "coach_number": number,
        "letter": letter,
        "letter_bn": letter,
        "seat_class": seat_class,
        "seats": [
            {
                "seat_id": number * 1000 + n + 1,
                "number": str(n + 1),
                "row": n // 4 + 1,
                "column": columns[n % 4],
                "is_window": n % 4 in {0, 3},
            }
            for n in range(seats)
        ],
    }


class Catalogue:
    """What the ticket service would publish; `down` makes it answer 503."""

    def __init__(self) -> None:
        self.definitions: dict[UUID, dict[str, Any]] = {}
        self.changes: list[dict[str, Any]] = []
        self.down = False
        self.asked = 0
        self.slow_seconds = 0.0

    def add_run(self, **about: Any) -> UUID:
        run_id = uuid4()
        self.definitions[run_id] = definition_of(run_id, **about)
        return run_id

    def change(self, run_id: UUID, **members: Any) -> None:
        changed = copy.deepcopy(self.definitions[run_id])
        changed.update(members, version=changed["version"] + 1)
        self.definitions[run_id] = changed
        self.changes.append(
            {
                "cursor": len(self.changes) + 1,
                "run_id": str(run_id),
                "version": changed["version"],
                "state": changed["state"],
                "changed_at": utc_now().isoformat(),
            }
        )

    def answer(self, path: str, etag: str | None) -> tuple[int, Any, str]:
        self.asked += 1
        if self.down:
            return 503, {}, ""
        if path.startswith("/api/ticket/run-changes"):
            after = int(path.split("after=")[1].split("&", maxsplit=1)[0])
            return 200, {"changes": [c for c in self.changes if c["cursor"] > after]}, ""
        definition = self.definitions.get(UUID(path.rsplit("/", 1)[1]))
        if self.slow_seconds:
            time.sleep(self.slow_seconds)
        if definition is None:
            return 404, {"code": "run_not_found"}, ""
        current = f'"{definition["version"]}"'
        return (304, None, current) if etag == current else (200, definition, current)


def _handler(catalogue: Catalogue) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body, etag = catalogue.answer(self.path, self.headers.get("If-None-Match"))
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", etag)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture(scope="session")
def run() -> Run:
    """A run as it is parsed, for tests of pure rules."""
    return parse_run(definition_of(uuid4()))


@pytest.fixture(scope="session")
def catalogue_server() -> Iterator[tuple[Catalogue, str]]:
    catalogue = Catalogue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(catalogue))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield catalogue, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def settings(catalogue_server: tuple[Catalogue, str]) -> Iterator[Settings]:
    with testing.fresh_database("order") as url:
        yield Settings(
            database_url=url,
            redis_url=testing.redis_url(),
            # Nobody's: a Railgate that runs beside the tests has keys of its own.
            jwks_url="http://127.0.0.1:9/jwks.json",
            ticket_url=catalogue_server[1],
            identity_key=base64.b64encode(b"k" * 32).decode(),
            hash_key="hash-key-in-the-tests-only",
            peer_secret_payment_order=PEER_SECRET,
            peer_secret_order_payment="order-calls-payment-in-the-tests-only",
            definition_seconds=0.0,
            snapshot_local_seconds=0.0,
            snapshot_shared_seconds=0.001,
            snapshot_longest_seconds=0.0,
            gate_seconds=0.001,
            database_pool_size=40,
        )


@pytest.fixture(scope="session")
def migrated_app(settings: Settings) -> Flask:
    return testing.migrated(create_app(settings))


@pytest.fixture
def app(migrated_app: Flask, settings: Settings) -> Iterator[Flask]:
    with migrated_app.app_context():
        testing.empty_tables(migrated_app, db)
        redis.Redis.from_url(settings.redis_url).flushdb()
        yield migrated_app
        db.session.remove()


@pytest.fixture
def another_app(app: Flask, settings: Settings) -> Iterator[Callable[..., Flask]]:
    """Make an application as in another process: on the same database, with other settings."""
    made = []

    def make(**changes: Any) -> Flask:
        other = create_app(dataclasses.replace(settings, **changes))
        other.extensions["verifier"].trust(testing.public_jwk())
        made.append(other)
        return other

    yield make
    for other in made:
        with other.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def parts(app: Flask) -> Parts:
    parts: Parts = app.extensions["parts"]
    return parts


@pytest.fixture
def catalogue(catalogue_server: tuple[Catalogue, str]) -> Iterator[Catalogue]:
    catalogue = catalogue_server[0]
    yield catalogue
    catalogue.down, catalogue.slow_seconds = False, 0.0
    catalogue.changes.clear()


@pytest.fixture
def run_id(catalogue: Catalogue) -> UUID:
    return catalogue.add_run()


class People:
    """Makes buyers, passengers and wishes, each different from the others."""

    def __init__(self) -> None:
        self._count = 0

    def buyer(self) -> Identity:
        return Identity(
            account_id=uuid4(),
            email="rahima@example.org",
            name="Rahima Khatun",
            roles=(),
            session_id="",
            expires_at=utc_now().timestamp() + 900,
        )

    def passenger(self) -> WishedPassenger:
        self._count += 1
        return WishedPassenger(f"Passenger {self._count}", "nid", f"{self._count:010d}")

    def wish(
        self,
        run_id: UUID,
        *seat_ids: int,
        start: str = "AAA",
        end: str = "EEE",
        seat_class: str = "",
        count: int = 0,
    ) -> Wish:
        passengers = tuple(self.passenger() for _ in range(count or len(seat_ids)))
        return Wish(run_id, start, end, passengers, seat_ids, seat_class)

    def body(self, wish: Wish) -> dict[str, Any]:
        """The wish as a request writes it."""
        return {
            "run_id": str(wish.run_id),
            "from": wish.from_station,
            "to": wish.to_station,
            "passengers": [vars(passenger) for passenger in wish.passengers],
            **({"seat_ids": list(wish.seat_ids)} if wish.seat_ids else {}),
            **({"seat_class": wish.seat_class} if wish.seat_class else {}),
        }


@pytest.fixture
def people() -> People:
    return People()


ORDERS_WITH_CLAIMS = """
SELECT o.order_id, o.state, o.payment_id, o.amount_minor, o.currency, o.pnr,
       (SELECT array_agg(c.state) FROM seat_claim c WHERE c.order_id = o.order_id) AS claims,
       (SELECT array_agg(c.expires_at) FROM seat_claim c WHERE c.order_id = o.order_id)
           AS claims_expire,
       (SELECT array_agg(t.state) FROM ticket t WHERE t.order_id = o.order_id) AS tickets
FROM orders o WHERE o.order_id = ANY(:ids)
"""


class Stored:
    """What the tables say, read apart from the product's own queries."""

    def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        with db.engine.connect() as connection:
            return connection.execute(text(statement), values).all()

    def overlapping_claims(self, run_id: UUID | None = None) -> int:
        """How many pairs of live claims of one seat share a segment: what must never exist."""
        overlapping = """
            SELECT count(*) FROM seat_claim a JOIN seat_claim b
              ON a.run_id = b.run_id AND a.seat_id = b.seat_id AND a.claim_id < b.claim_id
             AND a.segments && b.segments
            WHERE a.state IN ('held', 'sold') AND b.state IN ('held', 'sold')
              AND a.run_id = coalesce(:run_id, a.run_id)
        """
        return int(self.rows(overlapping, run_id=run_id)[0].count)

    def orders(self, order_ids: list[UUID]) -> dict[UUID, Any]:
        found = self.rows(ORDERS_WITH_CLAIMS, ids=order_ids)
        return {row.order_id: row for row in found}

    def repeated_pnrs(self) -> Sequence[Any]:
        return self.rows("SELECT pnr FROM orders GROUP BY pnr HAVING count(pnr) > 1")

    def refunds_owed(self) -> list[tuple[str, int]]:
        """The payment and the amount of each, in no order."""
        owed = self.rows("SELECT payload FROM outbox WHERE topic = 'refund'")
        return [(row.payload["payment_id"], row.payload["amount_minor"]) for row in owed]


@pytest.fixture
def stored(app: Flask) -> Stored:
    return Stored()


@pytest.fixture
def at_once(app: Flask) -> Callable[..., list[Any]]:
    """
    Run the calls in threads of their own, all at the same moment, and give what each came to;
    what is no refusal of ours is raised.
    """

    def run(*calls: Callable[[], Any]) -> list[Any]:
        barrier = threading.Barrier(len(calls))

        def attempt(call: Callable[[], Any]) -> Any:
            with app.app_context():
                barrier.wait()
                try:
                    return call()
                except Problem as problem:
                    return problem.code
                finally:
                    db.session.remove()

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(attempt, calls))

    return run


@pytest.fixture
def as_payment() -> dict[str, str]:
    return testing.as_service("payment", "order", PEER_SECRET)
