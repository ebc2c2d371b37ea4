"""What payment asks of an order, and what it hears when time, rivals and repetition interfere."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from chassis.application import utc_now
from order import operations, queries, settlement
from order.models import db
from order.operations import OrderNotFound, OrderNotHeld, place_order, read_order, release_order
from order.settlement import (
    AlreadyPaying,
    AmountDiffers,
    HoldExpired,
    HoldLost,
    OrderAlreadyConfirmed,
    confirm_order,
    pin_order,
    take_back_confirmation,
    unpin_order,
)

NOW = utc_now()
MINUTE = timedelta(minutes=1)


@pytest.fixture
def place(parts, people):
    def place(run_id, *seat_ids, now=NOW, buyer=None, wish=None, **leg):
        return place_order(
            parts=parts,
            order_id=uuid4(),
            buyer=buyer or people.buyer(),
            wish=wish or people.wish(run_id, *seat_ids, **leg),
            now=now,
        ).record

    return place


def pin(parts, order, *, now=NOW, payment_id=None):
    return pin_order(
        parts=parts, order_id=order["order_id"], payment_id=payment_id or uuid4(), now=now
    )[0]


def confirm(order, *, now=NOW, payment_id=None, amount_minor=None):
    return confirm_order(
        order_id=order["order_id"],
        payment_id=payment_id or order["payment_id"],
        amount_minor=order["amount_minor"] if amount_minor is None else amount_minor,
        currency="BDT",
        now=now,
    )


def states_of_claims(order):
    rows = db.session.execute(
        text("SELECT state FROM seat_claim WHERE order_id = :id ORDER BY seat_id"),
        {"id": order["order_id"]},
    )
    db.session.commit()
    return list(rows.scalars())


def test_confirmation_sells_the_seats_with_a_pnr_and_a_ticket_each(parts, place, run_id):
    order = pin(parts, place(run_id, 1001, 1002))

    confirmed = confirm(order)

    assert confirmed.is_new
    assert len(confirmed.record["pnr"]) == 8
    assert [ticket["position"] for ticket in confirmed.record["tickets"]] == [1, 2]
    assert states_of_claims(order) == ["sold", "sold"]


def test_confirming_again_changes_nothing(parts, place, run_id):
    order = pin(parts, place(run_id, 1001))
    first = confirm(order)

    again = confirm(order, now=NOW + 30 * MINUTE)

    assert not again.is_new
    assert again.record["pnr"] == first.record["pnr"]
    assert len(again.record["tickets"]) == 1


def test_a_mail_is_owed_for_each_confirmation_once(parts, place, run_id):
    order = pin(parts, place(run_id, 1001))
    confirm(order)
    confirm(order)

    owed = db.session.execute(text("SELECT topic, payload FROM outbox")).all()
    assert [(o.topic, o.payload["order_id"]) for o in owed] == [
        ("ticket_mail", str(order["order_id"]))
    ]


def test_late_money_is_honoured_while_the_seats_are_free(parts, place, run_id):
    """Case 15: money that comes late is good while nobody else has the seats."""
    order = pin(parts, place(run_id, 1001))
    late = NOW + 60 * MINUTE
    operations.sweep_lapsed(now=late)
    assert states_of_claims(order) == ["expired"]

    assert confirm(order, now=late).is_new
    assert states_of_claims(order) == ["sold"]


def test_late_money_is_refused_when_somebody_else_has_the_seat(parts, place, run_id):
    """Case 14: A's hold lapses, B takes the seat, A's webhook arrives; B's seat is intact."""
    first = pin(parts, place(run_id, 1001))
    late = NOW + 60 * MINUTE
    second = place(run_id, 1001, now=late)

    with pytest.raises(HoldLost):
        confirm(first, now=late)
    assert states_of_claims(second) == ["held"]
    assert confirm(pin(parts, second, now=late), now=late).is_new


def test_late_money_is_honoured_when_the_rivals_hold_has_lapsed_too(parts, place, run_id):
    first = pin(parts, place(run_id, 1001))
    rival = place(run_id, 1001, now=NOW + 60 * MINUTE)
    later = NOW + 120 * MINUTE

    assert confirm(first, now=later).is_new
    assert states_of_claims(rival) == ["expired"]
    with pytest.raises(HoldExpired):
        pin(parts, rival, now=later)


def test_late_money_is_refused_when_the_passenger_rides_on_another_seat(
    parts, place, people, run_id
):
    wish = people.wish(run_id, 1001)
    first = pin(parts, place(run_id, wish=wish))
    late = NOW + 60 * MINUTE
    again = place(run_id, wish=type(wish)(**{**vars(wish), "seat_ids": (1002,)}), now=late)
    confirm(pin(parts, again, now=late), now=late)

    with pytest.raises(HoldLost):
        confirm(first, now=late)


def test_a_lapsed_hold_is_free_at_that_moment_with_no_worker_running(place, run_id):
    """Case 9: nothing swept, nothing notified; the next buyer simply gets the seat."""
    lapsed = place(run_id, 1001)

    taken = place(run_id, 1001, now=NOW + 5 * MINUTE)

    assert states_of_claims(taken) == ["held"]
    assert states_of_claims(lapsed) == ["expired"]


@pytest.mark.parametrize("step", ["placed", "pinned", "declined", "pinned again"])
def test_an_order_abandoned_at_any_step_gives_its_seats_back(parts, place, run_id, step):
    """Case 10: going back, closing the page or losing the network keeps nothing for ever."""
    order = place(run_id, 1001, 1002)
    if step != "placed":
        order = pin(parts, order)
    if step in {"declined", "pinned again"}:
        unpin_order(order_id=order["order_id"], payment_id=order["payment_id"])
    if step == "pinned again":
        pin(parts, order, now=NOW + 4 * MINUTE)

    taken = place(run_id, 1001, 1002, now=NOW + 10 * MINUTE)

    assert states_of_claims(taken) == ["held", "held"]
    assert states_of_claims(order) == ["expired", "expired"]


def test_an_expired_order_is_kept_shown_and_may_still_be_paid(parts, place, people, run_id):
    """Case 16: who paid after the hold had lapsed finds the order with all that was in it."""
    buyer = people.buyer()
    order = pin(parts, place(run_id, 1001, buyer=buyer))
    late = NOW + 60 * MINUTE
    operations.sweep_lapsed(now=late)

    kept = read_order(order_id=order["order_id"], buyer=buyer)
    listed = queries.orders_of(buyer.account_id, pnr=None, before=late, limit=10)

    assert (kept["state"], kept["passengers"]) == ("expired", order["passengers"])
    assert [found["order_id"] for found in listed] == [order["order_id"]]
    assert confirm(order, now=late).record["state"] == "confirmed"


def test_a_hold_is_kept_until_its_last_second(place, run_id):
    place(run_id, 1001)

    with pytest.raises(operations.SeatTaken):
        place(run_id, 1001, now=NOW + 5 * MINUTE - timedelta(seconds=1))


def test_a_pin_keeps_the_seats_for_the_providers_page_but_not_for_ever(parts, place, run_id):
    order = place(run_id, 1001)
    last_moment = order["expires_at"] - timedelta(seconds=1)

    pinned = pin(parts, order, now=last_moment)

    assert pinned["expires_at"] == last_moment + 5 * MINUTE
    unpin_order(order_id=order["order_id"], payment_id=pinned["payment_id"])
    repinned = pin(parts, order, now=pinned["expires_at"] - timedelta(seconds=1))
    assert repinned["expires_at"] == order["created_at"] + 10 * MINUTE


def test_pinning_again_by_the_same_payment_changes_nothing(parts, place, run_id):
    order = pin(parts, place(run_id, 1001))

    again, is_new = pin_order(
        parts=parts,
        order_id=order["order_id"],
        payment_id=order["payment_id"],
        now=NOW + MINUTE,
    )

    assert not is_new
    assert again["expires_at"] == order["expires_at"]


def test_a_second_payment_is_refused_while_the_first_is_under_way(parts, place, run_id):
    order = pin(parts, place(run_id, 1001))

    with pytest.raises(AlreadyPaying):
        pin(parts, order)


def test_after_a_decline_another_payment_may_try(parts, place, run_id):
    order = pin(parts, place(run_id, 1001))
    unpin_order(order_id=order["order_id"], payment_id=order["payment_id"])

    second = pin(parts, order)

    with pytest.raises(HoldLost):
        confirm(order)
    assert confirm(second).is_new
    with pytest.raises(OrderAlreadyConfirmed):
        confirm(order)


def test_a_payment_that_gave_up_its_pin_never_confirms(parts, place, run_id):
    order = pin(parts, place(run_id, 1001))
    unpin_order(order_id=order["order_id"], payment_id=order["payment_id"])

    with pytest.raises(HoldLost):
        confirm(order)


def test_a_wrong_amount_confirms_nothing(parts, place, run_id):
    order = pin(parts, place(run_id, 1001))

    with pytest.raises(AmountDiffers):
        confirm(order, amount_minor=order["amount_minor"] - 1)
    assert states_of_claims(order) == ["held"]


def test_an_expired_hold_cannot_be_paid_for(parts, place, run_id):
    """S8: paying brings no expired hold back to life."""
    order = place(run_id, 1001)

    with pytest.raises(HoldExpired):
        pin(parts, order, now=NOW + 5 * MINUTE)


def test_nobody_pays_for_a_train_that_has_left(parts, place, run_id):
    """Case 20: a ticket after the journey is worth nothing, so the money goes back."""
    departs_at = place(run_id, 1001)["departs_at"]
    on_time, paid_late, lapsed = (
        place(run_id, seat, now=departs_at - 6 * MINUTE) for seat in (1002, 1003, 1004)
    )
    on_time, paid_late, lapsed = (
        pin(parts, order, now=departs_at - 2 * MINUTE) for order in (on_time, paid_late, lapsed)
    )
    unpaid = place(run_id, 1005, now=departs_at - 6 * MINUTE)
    assert paid_late["expires_at"] > departs_at

    assert confirm(on_time, now=departs_at - MINUTE).is_new
    assert not confirm(on_time, now=departs_at + MINUTE).is_new
    with pytest.raises(HoldLost):
        confirm(paid_late, now=departs_at)
    with pytest.raises(HoldLost):
        confirm(lapsed, now=departs_at + 60 * MINUTE)
    with pytest.raises(HoldExpired):
        pin(parts, unpaid, now=departs_at)


def test_an_order_being_paid_is_not_released(parts, place, people, run_id):
    buyer = people.buyer()
    order = pin(parts, place(run_id, 1001, buyer=buyer))

    with pytest.raises(OrderNotHeld):
        release_order(parts=parts, order_id=order["order_id"], buyer=buyer, now=NOW)
    assert confirm(order).is_new


def test_a_released_order_never_confirms(parts, place, people, run_id):
    buyer = people.buyer()
    order = place(run_id, 1001, buyer=buyer)
    release_order(parts=parts, order_id=order["order_id"], buyer=buyer, now=NOW)

    with pytest.raises(settlement.OrderNotHeld):
        pin(parts, order)
    with pytest.raises(HoldLost):
        confirm({**order, "payment_id": uuid4()})


def test_a_confirmation_that_could_not_be_captured_frees_the_seats(parts, place, people, run_id):
    """S5: the seats to free are those of the claims, all of them, however late."""
    buyer = people.buyer()
    order = pin(parts, place(run_id, 1001, buyer=buyer))
    confirm(order)

    take_back_confirmation(
        parts=parts, order_id=order["order_id"], payment_id=order["payment_id"], now=NOW
    )

    after = read_order(order_id=order["order_id"], buyer=buyer)
    assert (after["state"], after["ended_reason"]) == ("cancelled", "payment_not_captured")
    assert {ticket["state"] for ticket in after["tickets"]} == {"void"}
    assert states_of_claims(place(run_id, 1001)) == ["held"]


def test_only_the_payment_that_confirmed_takes_it_back(parts, place, run_id):
    order = pin(parts, place(run_id, 1001))
    confirm(order)

    with pytest.raises(OrderNotFound):
        take_back_confirmation(parts=parts, order_id=order["order_id"], payment_id=uuid4(), now=NOW)
    assert states_of_claims(order) == ["sold"]


def test_the_sweeper_writes_down_what_has_lapsed_and_nothing_else(parts, place, run_id):
    """S4: expiry is a rule over rows, not a message that may be lost or come twice."""
    lapsed, sold = place(run_id, 1001), pin(parts, place(run_id, 1002))
    confirm(sold)
    fresh = place(run_id, 1003, now=NOW + 10 * MINUTE)

    assert operations.sweep_lapsed(now=NOW + 11 * MINUTE) == 1
    assert (states_of_claims(lapsed), states_of_claims(sold), states_of_claims(fresh)) == (
        ["expired"],
        ["sold"],
        ["held"],
    )


def test_the_routes_of_payment_need_a_services_token(client, place, run_id, as_payment):
    order = place(run_id, 1001)
    path = f"/api/order/orders/{order['order_id']}/pins/{uuid4()}"

    assert client.put(path).status_code == 401
    assert client.put(path, headers={"Authorization": "Bearer forged"}).status_code == 401
    pinned = client.put(path, headers=as_payment)
    assert (pinned.status_code, pinned.json["amount_minor"]) == (201, order["amount_minor"])
    assert pinned.json["account_id"] == str(order["account_id"])
    assert client.put(path, headers=as_payment).status_code == 200
    assert client.delete(path, headers=as_payment).status_code == 204
