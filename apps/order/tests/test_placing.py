"""Placing an order over its API: what is sold, what is refused, and that repetition is harmless."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from chassis.application import utc_now
from chassis.testing import signed_in
from order.models import db


def put(client, people, wish, *, order_id=None, headers=None):
    return client.put(
        f"/api/order/orders/{order_id or uuid4()}",
        json=people.body(wish),
        headers=headers or signed_in(),
    )


def claims_in(state):
    counted = db.session.execute(
        text("SELECT count(*) FROM seat_claim WHERE state = :state"), {"state": state}
    )
    return counted.scalar_one()


def test_named_seats_are_held_and_priced(client, people, run_id):
    """S9: an order has a run of a date, a leg of it, and a numbered seat for each person."""
    answer = put(client, people, people.wish(run_id, 1001, 1002))

    assert answer.status_code == 201, answer.json
    order = answer.json
    assert order["state"] == "held"
    assert [p["seat_id"] for p in order["passengers"]] == [1001, 1002]
    assert order["amount_minor"] == 2 * 40_000 + 2 * 2_000
    assert order["from"]["station_code"] == "AAA"
    assert order["passengers"][0]["identity_masked"].startswith("•")
    assert claims_in("held") == 2


def test_two_together_are_seated_side_by_side(client, people, run_id):
    answer = put(client, people, people.wish(run_id, seat_class="S", count=2))

    first, second = answer.json["passengers"]
    assert answer.status_code == 201
    assert abs(first["seat_id"] - second["seat_id"]) == 1
    assert {first["seat_number"], second["seat_number"]} in (
        {"1", "2"}, {"3", "4"}, {"5", "6"}, {"7", "8"},
    )  # fmt: skip


def test_second_buyer_of_an_overlapping_leg_is_refused(client, people, run_id):
    put(client, people, people.wish(run_id, 1001, start="AAA", end="CCC"))

    refused = put(client, people, people.wish(run_id, 1001, start="BBB", end="DDD"))

    assert refused.status_code == 409
    assert refused.json["code"] == "seat_taken"
    assert refused.json["seat_id"] == 1001
    assert refused.content_type == "application/problem+json"


def test_one_seat_is_sold_on_legs_that_do_not_overlap(client, people, run_id):
    """Case 8: a seat sold A-B and C-E is still free B-C; C-E again is refused."""
    legs = [("AAA", "BBB"), ("CCC", "EEE"), ("BBB", "CCC")]
    sold = [put(client, people, people.wish(run_id, 1005, start=a, end=b)) for a, b in legs]
    again = put(client, people, people.wish(run_id, 1005, start="CCC", end="EEE"))

    assert [answer.status_code for answer in sold] == [201, 201, 201]
    assert again.json["code"] == "seat_taken"


def test_an_order_is_all_or_nothing(client, people, run_id):
    put(client, people, people.wish(run_id, 1002))

    refused = put(client, people, people.wish(run_id, 1001, 1002, 1003))

    assert refused.json["code"] == "seat_taken"
    assert claims_in("held") == 1


def test_repeating_a_request_gives_the_same_order(client, people, run_id):
    """S3: a repetition takes no seats, changes no expiry and leaks nothing."""
    order_id, headers = uuid4(), signed_in()
    wish = people.wish(run_id, seat_class="S", count=3)

    first = put(client, people, wish, order_id=order_id, headers=headers)
    again = put(client, people, wish, order_id=order_id, headers=headers)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json == first.json
    assert claims_in("held") == 3


def test_repeating_the_request_that_took_the_last_seats_gives_the_same_order(
    client, people, catalogue
):
    run_id, order_id, headers = catalogue.add_run(seats=2), uuid4(), signed_in()
    wish = people.wish(run_id, seat_class="S", count=2)

    first = put(client, people, wish, order_id=order_id, headers=headers)
    again = put(client, people, wish, order_id=order_id, headers=headers)

    assert again.status_code == 200
    assert again.json["passengers"] == first.json["passengers"]


def test_an_id_cannot_be_used_for_another_request(client, people, run_id):
    """S8: one hold has one order, and an order is nobody else's."""
    order_id, headers = uuid4(), signed_in()
    put(client, people, people.wish(run_id, 1001), order_id=order_id, headers=headers)

    other_seat = put(client, people, people.wish(run_id, 1002), order_id=order_id, headers=headers)
    other_account = put(client, people, people.wish(run_id, 1003), order_id=order_id)

    assert (other_seat.status_code, other_seat.json["code"]) == (409, "id_reused")
    assert (other_account.status_code, other_account.json["code"]) == (409, "id_reused")


def test_sold_out_and_held_by_others_are_told_apart(client, people, catalogue, as_payment):
    """Case 12: seats that are only held may come back, and are not called sold out."""
    run_id = catalogue.add_run(seats=1)
    held = put(client, people, people.wish(run_id, 1001)).json

    may_come_back = put(client, people, people.wish(run_id, seat_class="S", count=1))
    payment_id = uuid4()
    client.put(f"/api/order/orders/{held['order_id']}/pins/{payment_id}", headers=as_payment)
    client.put(
        f"/api/order/orders/{held['order_id']}/confirmation",
        json={"payment_id": payment_id, "amount_minor": held["amount_minor"], "currency": "BDT"},
        headers=as_payment,
    )
    gone = put(client, people, people.wish(run_id, seat_class="S", count=1))

    assert (may_come_back.json["code"], may_come_back.json["seats_held"]) == ("seats_held", 1)
    assert (gone.json["code"], gone.json["seats_free"]) == ("sold_out", 0)


def test_a_fifth_seat_is_too_many(client, people, run_id):
    """Case 31: four seats an order."""
    refused = put(client, people, people.wish(run_id, 1001, 1002, 1003, 1004, 1005))

    assert (refused.status_code, refused.json["code"]) == (422, "too_many_seats")
    assert refused.json["seats_max"] == 4


def test_a_third_order_of_the_day_is_refused(client, people, run_id):
    """Case 31: two orders an account and day."""
    headers = signed_in()
    placed = [
        put(client, people, people.wish(run_id, seat), headers=headers) for seat in (1001, 1002)
    ]

    third = put(client, people, people.wish(run_id, 1003), headers=headers)

    assert [answer.status_code for answer in placed] == [201, 201]
    assert (third.status_code, third.json["code"]) == (409, "too_many_orders")
    assert put(client, people, people.wish(run_id, 1003)).status_code == 201


def test_a_released_order_gives_its_share_of_the_day_back(client, people, run_id):
    headers = signed_in()
    for seat in (1001, 1002):
        order = put(client, people, people.wish(run_id, seat), headers=headers).json
        client.put(f"/api/order/orders/{order['order_id']}/release", headers=headers)

    assert put(client, people, people.wish(run_id, 1003), headers=headers).status_code == 201


def test_holding_and_releasing_in_a_loop_is_stopped(client, people, run_id, settings):
    """Case 13: who holds, releases and holds again keeps seats from others."""
    headers = signed_in()
    statuses = []
    for _ in range(settings.holds_per_day_max + 1):
        answer = put(client, people, people.wish(run_id, 1001), headers=headers)
        statuses.append(answer.status_code)
        if answer.status_code == 201:
            client.put(f"/api/order/orders/{answer.json['order_id']}/release", headers=headers)

    assert statuses == [201] * settings.holds_per_day_max + [429]
    assert answer.json["code"] == "too_many_holds"


def test_one_passenger_is_once_on_a_run(client, people, run_id):
    """Case 31: one seat a person and run, whoever pays for it."""
    wish = people.wish(run_id, 1001)
    body = people.body(wish)
    put(client, people, wish)

    again = client.put(
        f"/api/order/orders/{uuid4()}", json={**body, "seat_ids": [1002]}, headers=signed_in()
    )
    twice = client.put(
        f"/api/order/orders/{uuid4()}",
        json={**body, "seat_ids": [1003, 1004], "passengers": body["passengers"] * 2},
        headers=signed_in(),
    )

    assert (again.status_code, again.json["code"]) == (409, "passenger_on_run")
    assert (twice.status_code, twice.json["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"from": "EEE", "to": "AAA"}, 422, "no_such_leg"),
        ({"from": "AAA", "to": "XXX"}, 422, "no_such_leg"),
        ({"seat_ids": [4711]}, 422, "no_such_seat"),
        ({"seat_ids": [1001, 1002]}, 422, "invalid_request"),
        ({"seat_ids": None, "seat_class": None}, 422, "invalid_request"),
        ({"passengers": []}, 422, "invalid_request"),
        ({"run_id": str(uuid4())}, 404, "run_not_found"),
        ({"surprise": 1}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_sold_is_refused_with_a_reason(client, people, run_id, change, status, code):
    body = {**people.body(people.wish(run_id, 1001)), **change}

    refused = client.put(f"/api/order/orders/{uuid4()}", json=body, headers=signed_in())

    assert (refused.status_code, refused.json["code"]) == (status, code)
    assert claims_in("held") == 0


def test_a_class_that_the_leg_does_not_sell_is_refused(client, people, run_id, catalogue):
    fares = [f for f in catalogue.definitions[run_id]["fares"] if f["seat_class"] == "S"]
    catalogue.change(run_id, fares=fares)

    by_class = put(client, people, people.wish(run_id, seat_class="F", count=1))
    by_seat = put(client, people, people.wish(run_id, 2001))

    unknown = put(client, people, people.wish(run_id, seat_class="X", count=1))

    codes = [answer.json["code"] for answer in (by_class, by_seat, unknown)]
    assert codes == ["not_on_sale"] * 3


@pytest.mark.parametrize("departs_in", [timedelta(days=11), timedelta(minutes=-6)])
def test_nothing_is_sold_before_sales_open_or_after_the_train_left(
    client, people, catalogue, departs_in
):
    run_id = catalogue.add_run(departs_in=departs_in)

    refused = put(client, people, people.wish(run_id, 1001))

    assert (refused.status_code, refused.json["code"]) == (409, "sales_closed")


def test_without_a_token_nothing_is_sold(client, people, run_id):
    wish = people.body(people.wish(run_id, 1001))

    refused = client.put(f"/api/order/orders/{uuid4()}", json=wish)

    assert (refused.status_code, refused.json["code"]) == (401, "unauthenticated")


def test_somebody_elses_order_is_not_to_be_seen(client, people, run_id):
    owner = signed_in()
    order_id = put(client, people, people.wish(run_id, 1001), headers=owner).json["order_id"]

    assert client.get(f"/api/order/orders/{order_id}", headers=owner).status_code == 200
    stranger = client.get(f"/api/order/orders/{order_id}", headers=signed_in())
    release = client.put(f"/api/order/orders/{order_id}/release", headers=signed_in())
    assert (stranger.status_code, stranger.json["code"]) == (404, "order_not_found")
    assert release.status_code == 404


def test_orders_are_listed_newest_first(client, people, run_id):
    owner = signed_in()
    placed = [
        put(client, people, people.wish(run_id, seat), headers=owner).json["order_id"]
        for seat in (1001, 1002)
    ]

    listed = client.get("/api/order/orders", headers=owner).json["orders"]

    assert [order["order_id"] for order in listed] == placed[::-1]
    assert client.get("/api/order/orders", headers=signed_in()).json == {"orders": []}


def test_availability_and_map_show_what_is_free_held_and_sold(client, people, run_id):
    put(client, people, people.wish(run_id, 1001, 1002, start="AAA", end="CCC"))

    def seats_of(query):
        found = client.get(f"/api/order/runs/{run_id}/availability?{query}").json["classes"]
        chosen = next(c for c in found if c["seat_class"] == "S")
        return chosen["seats_free"], chosen["seats_held"], chosen["seats_sold"]

    coaches = client.get(f"/api/order/runs/{run_id}/seat-map?from=BBB&to=DDD").json["coaches"]
    states = {seat["seat_id"]: seat["state"] for seat in coaches[0]["seats"]}
    assert seats_of("from=AAA&to=EEE") == (6, 2, 0)
    assert seats_of("from=CCC&to=EEE") == (8, 0, 0)
    assert (states[1001], states[1003]) == ("held", "free")


def test_availability_is_labelled_with_its_moment_a_second_ago_at_most(client, people, run_id):
    """Case 27: what is shown as free was free a moment ago, and says when."""
    put(client, people, people.wish(run_id, 1001))

    for view in ("availability", "seat-map"):
        shown = client.get(f"/api/order/runs/{run_id}/{view}?from=AAA&to=EEE").json
        age = utc_now() - datetime.fromisoformat(shown["as_of"])
        assert timedelta(seconds=-1) < age < timedelta(seconds=2)


def test_availability_needs_a_leg_of_the_run(client, run_id):
    missing = client.get(f"/api/order/runs/{run_id}/availability")
    backwards = client.get(f"/api/order/runs/{run_id}/availability?from=EEE&to=AAA")
    unknown = client.get(f"/api/order/runs/{uuid4()}/availability?from=AAA&to=EEE")

    assert (missing.status_code, missing.json["code"]) == (422, "invalid_request")
    assert (backwards.status_code, backwards.json["code"]) == (422, "no_such_leg")
    assert (unknown.status_code, unknown.json["code"]) == (404, "run_not_found")


def test_sales_go_on_while_the_catalogue_is_down(client, people, run_id, catalogue):
    """S3: the neighbour is asked before anything is kept, so its failure leaves nothing behind."""
    put(client, people, people.wish(run_id, 1001))
    catalogue.down = True

    known = put(client, people, people.wish(run_id, 1002))
    unknown = put(client, people, people.wish(uuid4(), 1002))

    assert known.status_code == 201
    assert (unknown.status_code, unknown.json["code"]) == (503, "peer_unavailable")
