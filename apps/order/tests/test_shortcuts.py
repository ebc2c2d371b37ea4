"""What is answered before Flask is asked is what the route would answer, to the byte."""

import json
import re
from uuid import uuid4

import pytest

from chassis.testing import access_token, bearer, signed_in
from order import queries
from order.admission import NotAdmitted

LEG = "from=AAA&to=EEE"


@pytest.fixture
def offices(another_app):
    """One with shortcuts and one without; both see the same claims."""
    short, plain = another_app(), another_app()
    plain.shortcuts = ()
    return short, plain


def asked(offices, method, path, **request):
    """What each of the two answers: status, body without the id, headers."""
    found = []
    for office in offices:
        answer = office.test_client().open(path, method=method, **request)
        request_id = answer.headers.pop("X-Request-Id")
        body = answer.data.replace(request_id.encode(), b"its id")
        body = re.sub(rb'"as_of":"[^"]*"', b"", body)
        found.append((answer.status, body, sorted(answer.headers)))
    return found


def wish_of(people, run_id, **about):
    return people.body(people.wish(run_id, **{"seat_class": "S", "count": 1, **about}))


def put(offices, body, *, headers=None, **request):
    headers = signed_in() if headers is None else headers
    path = f"/api/order/orders/{uuid4()}"
    return asked(offices, "PUT", path, json=body, headers=headers, **request)


@pytest.fixture
def sold_out(offices, people, catalogue):
    """Seats of class F are held by others, one of class S too."""
    run_id = catalogue.add_run(seats=2)
    for body in (
        wish_of(people, run_id, seat_class="F", count=2),
        people.body(people.wish(run_id, 1001)),
    ):
        [(status, *_)] = put(offices[:1], body)
        assert status == "201 CREATED"
    return run_id


@pytest.mark.parametrize(
    "query",
    [LEG, "to=EEE&from=AAA", "from=EEE&to=AAA", "from=AAA", "from=%41AA&to=EEE", "from=&to=EEE",
     "from=AAA&to=EEE&x=1", "from=ZZZ&to=EEE", "", "from=AAA&to=EEE&from=BBB"],
)  # fmt: skip
def test_availability_is_the_routes(offices, sold_out, query):
    short, plain = asked(offices, "GET", f"/api/order/runs/{sold_out}/availability?{query}")
    assert short == plain
    assert (short[0] == "200 OK") == (query in {
        LEG, "to=EEE&from=AAA", "from=%41AA&to=EEE", "from=AAA&to=EEE&x=1",
        "from=AAA&to=EEE&from=BBB",
    })  # fmt: skip


def test_a_run_that_nobody_knows_is_not_found_either_way(offices, app):
    short, plain = asked(offices, "GET", f"/api/order/runs/{uuid4()}/availability?{LEG}")
    assert short == plain
    assert short[0] == "404 NOT FOUND"


def test_refusals_are_the_routes(offices, sold_out, people):
    for about in (
        {"seat_class": "F", "count": 1},
        {"seat_class": "F", "count": 3},
        {"seat_class": "S", "count": 2},
        {"seat_class": "S", "count": 3},
    ):
        short, plain = put(offices, wish_of(people, sold_out, **about))
        assert short == plain
        assert b"seats_held" in short[1] or b"sold_out" in short[1]
    short, plain = put(offices, people.body(people.wish(sold_out, 1001)))
    assert short == plain
    assert b"seat_taken" in short[1]


@pytest.mark.parametrize(
    "change",
    [{"run_id": None}, {"run_id": 7}, {"run_id": "x"}, {"from": 1}, {"from": "ZZZ"}, {"to": None},
     {"seat_ids": "1001"}, {"seat_ids": [True]}, {"seat_class": 9}, {"seat_class": "X"},
     {"passengers": None}, {"passengers": []}, {"passengers": 3}, {"extra": 1}],
)  # fmt: skip
def test_what_is_wrong_with_a_wish_is_for_the_route_to_say(offices, people, run_id, change):
    short, plain = put(offices, {**wish_of(people, run_id), **change})
    assert short == plain
    assert short[0].startswith("4")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic x"}, bearer("forged"), bearer(access_token(lifetime_seconds=-5))],
)
def test_who_is_not_signed_in_hears_it_either_way(offices, sold_out, people, headers):
    body = people.body(people.wish(sold_out, 1001))
    short, plain = put(offices, body, headers=headers)
    assert short == plain
    assert short[0] == "401 UNAUTHORIZED"


def test_a_refusal_asks_no_database(offices, sold_out, people, monkeypatch):
    office = offices[0]
    snapshot = office.extensions["parts"].snapshots.get(sold_out)
    monkeypatch.setattr(office.extensions["parts"].snapshots, "get", lambda _: snapshot)
    monkeypatch.setattr(queries, "read_rows", None)
    body = people.body(people.wish(sold_out, 1001))
    answer = office.test_client().put(
        f"/api/order/orders/{uuid4()}", json=body, headers=signed_in()
    )
    assert (answer.status_code, answer.json["code"]) == (409, "seat_taken")


@pytest.mark.parametrize("had_pass", [True, False])
def test_who_was_not_admitted_hears_it_either_way(offices, sold_out, people, monkeypatch, had_pass):
    def refuse(*_, **__):
        raise NotAdmitted(window_id="w", wait_at="/there", pass_expired=had_pass)

    for office in offices:
        monkeypatch.setattr(office.extensions["parts"].admission, "require", refuse)
    short, plain = put(offices, people.body(people.wish(sold_out, 1001)))
    assert short == plain
    assert short[0] == "403 FORBIDDEN"


def test_the_same_order_again_is_the_order_and_no_refusal(offices, people, run_id):
    body, path = people.body(people.wish(run_id, 1001)), f"/api/order/orders/{uuid4()}"
    headers = signed_in()
    first, again = asked(offices[:1] * 2, "PUT", path, json=body, headers=headers)
    assert (first[0], again[0]) == ("201 CREATED", "200 OK")
    assert json.loads(first[1])["order_id"] == json.loads(again[1])["order_id"]


def test_an_order_is_placed_as_the_route_places_it(offices, people, run_id):
    """But for what each order has of its own."""
    own = rb'"(order_id|seat_id|seat_number|created_at|expires_at|identity_masked|name)":[^,}]*'
    body = people.body(people.wish(run_id, seat_class="S", count=2))
    other = people.body(people.wish(run_id, seat_class="S", count=2))
    [short], [plain] = put(offices[:1], body), put(offices[1:], other)
    assert short[0] == plain[0] == "201 CREATED"
    assert re.sub(own, b"", short[1]) == re.sub(own, b"", plain[1])
    names = [{name for name, _ in found[2]} for found in (short, plain)]
    assert names[0] == names[1]


@pytest.mark.parametrize("seat_ids", [[1001, 1002], [9_999], [1001, 1001]])
def test_what_the_rules_of_sale_refuse_is_refused_either_way(offices, people, run_id, seat_ids):
    """More seats than passengers, no such seat, one seat twice: no fault of the body's form."""
    body = {**people.body(people.wish(run_id, 1001)), "seat_ids": seat_ids}
    short, plain = put(offices, body)
    assert short == plain
    assert short[0] == "422 UNPROCESSABLE ENTITY"


def test_an_id_that_was_used_is_refused_either_way(offices, people, run_id):
    path, headers = f"/api/order/orders/{uuid4()}", signed_in()
    first = people.body(people.wish(run_id, 1001))
    asked(offices[:1], "PUT", path, json=first, headers=headers)
    other = people.body(people.wish(run_id, 1002))
    short, plain = asked(offices, "PUT", path, json=other, headers=headers)
    assert short == plain
    assert short[0] == "409 CONFLICT"
    assert b"id_reused" in short[1]


def test_while_the_database_is_away_both_say_so(offices, people, run_id, monkeypatch):
    """The snapshot cannot be built, here before Flask and there within."""
    from sqlalchemy.exc import OperationalError

    def fail(*_):
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(queries, "live_claims", fail)
    short, plain = put(offices, wish_of(people, run_id))
    assert short == plain
    assert short[0] == "503 SERVICE UNAVAILABLE"
    assert b"database_unavailable" in short[1]
