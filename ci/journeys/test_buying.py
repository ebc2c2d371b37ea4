"""A passenger's whole way over all services: registered, seated, paid, ticketed; or refused."""

import re
import time
import uuid

import httpx
import pytest
from ci.passenger import SNAPSHOT_SECONDS, Passenger, travellers

DECLINES, INSUFFICIENT, STALLS = "4000000000000002", "4000000000000010", "4000000000000028"
TWICE, OUT_OF_ORDER = "4000000000000044", "4000000000000051"
NEVER, LOST = "4000000000000069", "4000000000000077"
ONE_STEP, CAPTURE_REFUSED = "4000000000000085", "4000000000000101"


def test_registered_by_a_mailed_code_two_seats_together_are_bought(town, runs, await_mail):
    """The README's five minutes, by the passenger's own hands."""
    http = httpx.Client(base_url=town.base_url, timeout=15)
    email, registration = f"r{uuid.uuid4().hex[:8]}@example.org", uuid.uuid4()
    details = {
        "name": "Rahima Khatun", "email": email, "password": "tangerine-river-42",
        "mobile": "01712345678", "identity_kind": "nid",
        "identity_number": str(uuid.uuid4().int)[:10],
    }  # fmt: skip
    path = f"/api/registration/registrations/{registration}"
    assert http.put(path, json=details).status_code == 201
    code = re.search(r"\b\d{6}\b", await_mail(email, "code")["subject"])[0]
    assert http.put(f"{path}/confirmation", json={"code": code}).status_code == 201
    sign_in = {"email": email, "password": details["password"]}
    session = http.post("/api/registration/sessions", json=sign_in).json()
    passenger = Passenger(town.base_url, {"Authorization": f"Bearer {session['access_token']}"})

    order, payment = passenger.buy(
        runs[0]["run_id"], "DA", "CTG", seat_class="S_CHAIR", passengers=travellers(2)
    )
    bought = passenger.await_order(order["order_id"], "confirmed")
    passenger.await_payment(payment["payment_id"], "captured")

    first, second = bought["passengers"]
    assert (first["coach_letter"], abs(first["seat_id"] - second["seat_id"])) == (
        second["coach_letter"],
        1,
    )
    assert len(bought["pnr"]) == 8
    assert len(bought["tickets"]) == 2
    mail = await_mail(email, bought["pnr"])
    assert first["seat_number"] in mail["text"]


def test_the_same_seat_is_refused_to_the_next(passenger, seats):
    run_id, seat_id = seats.next()
    first = passenger().place(run_id, "DA", "CTG", seat_ids=[seat_id])
    second = passenger().place(run_id, "DA", "CTG", seat_ids=[seat_id])

    assert first.status_code == 201
    assert (second.status_code, second.json()["code"]) == (409, "seat_taken")


@pytest.mark.parametrize("card", [TWICE, OUT_OF_ORDER, NEVER, LOST, ONE_STEP])
def test_however_the_provider_tells_us_one_payment_buys_one_order(passenger, seats, card):
    buyer, (run_id, seat_id) = passenger(), seats.next()
    order, payment = buyer.buy(run_id, "DA", "CTG", seat_ids=[seat_id], card=card)

    assert buyer.await_order(order["order_id"], "confirmed", seconds=60)["pnr"]
    captured = buyer.await_payment(payment["payment_id"], "captured", seconds=60)
    assert captured["amount_minor"] == order["amount_minor"]


def test_after_a_decline_another_card_buys_the_same_seats(passenger, seats):
    """Case 22: a new try is a new payment on the same order."""
    buyer, (run_id, seat_id) = passenger(), seats.next()
    order, payment = buyer.buy(run_id, "DA", "CTG", seat_ids=[seat_id], card=DECLINES)
    buyer.await_payment(payment["payment_id"], "declined")
    assert buyer.await_order(order["order_id"], "held")["passengers"][0]["seat_id"] == seat_id

    again = buyer.begin_payment(order["order_id"])
    buyer.pay(again)

    assert buyer.await_order(order["order_id"], "confirmed")["pnr"]
    buyer.await_payment(again["payment_id"], "captured")


def test_money_that_comes_late_buys_the_seats_while_they_are_free(passenger, seats, lapse):
    """Case 15: the hold has lapsed, nobody else came, so the seats are sold."""
    buyer, (run_id, seat_id) = passenger(), seats.next()
    order = buyer.place(run_id, "DA", "CTG", seat_ids=[seat_id]).json()
    payment = buyer.begin_payment(order["order_id"])
    lapse(order["order_id"])

    buyer.pay(payment)

    assert buyer.await_order(order["order_id"], "confirmed")["pnr"]
    buyer.await_payment(payment["payment_id"], "captured")


@pytest.mark.parametrize("card", ["4000000000000000", ONE_STEP])
def test_money_that_comes_too_late_goes_back_with_a_mail(
    town, passenger, seats, lapse, await_mail, card
):
    """Case 14: the hold lapses, another passenger takes the seat, then the money comes."""
    email = f"late{uuid.uuid4().hex[:8]}@example.org"
    late = Passenger(town.base_url, town.account(email=email))
    run_id, seat_id = seats.next()
    order = late.place(run_id, "DA", "CTG", seat_ids=[seat_id]).json()
    payment = late.begin_payment(order["order_id"])
    lapse(order["order_id"])
    rival = passenger()
    rival_order, rival_payment = rival.buy(run_id, "DA", "CTG", seat_ids=[seat_id])

    late.pay(payment, card)

    late.await_payment(payment["payment_id"], "voided", "refunded")
    assert late.order(order["order_id"])["state"] == "expired"
    assert rival.await_order(rival_order["order_id"], "confirmed")["pnr"]
    rival.await_payment(rival_payment["payment_id"], "captured")
    assert await_mail(email, "back" if card == ONE_STEP else "not")


def test_an_order_whose_money_cannot_be_captured_is_taken_back(passenger, seats):
    buyer, (run_id, seat_id) = passenger(), seats.next()
    order, payment = buyer.buy(run_id, "DA", "CTG", seat_ids=[seat_id], card=CAPTURE_REFUSED)

    buyer.await_payment(payment["payment_id"], "failed")
    assert buyer.await_order(order["order_id"], "cancelled")
    time.sleep(SNAPSHOT_SECONDS)
    assert passenger().place(run_id, "DA", "CTG", seat_ids=[seat_id]).status_code == 201


def test_a_cancelled_order_gives_back_what_was_quoted_and_sells_the_seat_again(passenger, seats):
    buyer, (run_id, seat_id) = passenger(), seats.next()
    order, payment = buyer.buy(run_id, "DA", "CTG", seat_ids=[seat_id])
    buyer.await_payment(payment["payment_id"], "captured")
    path = f"/api/order/orders/{order['order_id']}"
    quote = buyer.http.get(f"{path}/cancellation-quote").json()

    agreed = {"refund_minor": quote["refund_minor"]}
    assert buyer.put(f"{path}/cancellation", agreed).json()["state"] == "cancelled"

    def refunded():
        found = buyer.payment(payment["payment_id"])["refunds"]
        done = [r for r in found if r["state"] == "succeeded"]
        return {"state": "done" if done else "waiting", "refunds": done}

    refunds = buyer._await(refunded, ("done",), 30)["refunds"]
    assert [refund["amount_minor"] for refund in refunds] == [quote["refund_minor"]]
    time.sleep(SNAPSHOT_SECONDS)
    assert passenger().place(run_id, "DA", "CTG", seat_ids=[seat_id]).status_code == 201


def test_fifty_clicks_on_pay_are_one_charge(town, passenger, seats):
    """Case 21: one payment id, fifty requests at once, one session at the provider."""
    from concurrent.futures import ThreadPoolExecutor

    buyer, (run_id, seat_id) = passenger(), seats.next()
    order = buyer.place(run_id, "DA", "CTG", seat_ids=[seat_id]).json()
    payment_id = str(uuid.uuid4())
    with ThreadPoolExecutor(25) as pool:
        clicks = list(
            pool.map(
                lambda _: buyer.begin_payment(order["order_id"], payment_id=payment_id), range(50)
            )
        )
    pages = {click["redirect_url"] for click in clicks}
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: buyer.pay(clicks[0]), range(10)))

    assert len(pages) == 1
    assert buyer.await_order(order["order_id"], "confirmed")["pnr"]
    captured = buyer.await_payment(payment_id, "captured")
    assert captured["amount_minor"] == order["amount_minor"]


def test_two_payments_for_one_order_are_not_both_taken(passenger, seats):
    """Case 18: the second is refused while the first is under way."""
    buyer, (run_id, seat_id) = passenger(), seats.next()
    order = buyer.place(run_id, "DA", "CTG", seat_ids=[seat_id]).json()
    first = buyer.begin_payment(order["order_id"])
    second = buyer.put(f"/api/payment/payments/{uuid.uuid4()}", {"order_id": order["order_id"]})

    assert (second.status_code, second.json()["code"]) == (409, "already_paying")
    buyer.pay(first)
    assert buyer.await_order(order["order_id"], "confirmed")
    buyer.await_payment(first["payment_id"], "captured")


def test_nobody_pays_for_somebody_elses_order(passenger, seats):
    run_id, seat_id = seats.next()
    owner, stranger = passenger(), passenger()
    order = owner.place(run_id, "DA", "CTG", seat_ids=[seat_id]).json()

    refused = stranger.put(f"/api/payment/payments/{uuid.uuid4()}", {"order_id": order["order_id"]})

    assert refused.status_code == 404
    payment = owner.begin_payment(order["order_id"])
    owner.pay(payment)
    owner.await_payment(payment["payment_id"], "captured")


def test_a_forged_webhook_moves_nothing(town, passenger, seats):
    buyer, (run_id, seat_id) = passenger(), seats.next()
    order = buyer.place(run_id, "DA", "CTG", seat_ids=[seat_id]).json()
    payment = buyer.begin_payment(order["order_id"])
    event = {
        "event_id": str(uuid.uuid4()), "type": "payment.captured",
        "session_id": payment["payment_id"], "reference": payment["payment_id"],
        "amount_minor": payment["amount_minor"], "currency": "BDT",
        "occurred_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    url = f"{town.base_url}/api/payment/provider-events"

    forged = httpx.post(url, json=event, headers={"Railgate-Signature": "t=1,v1=" + "0" * 64})

    assert forged.status_code in {400, 401}
    assert buyer.order(order["order_id"])["state"] == "paying"
    assert buyer.payment(payment["payment_id"])["state"] == "pending"


def test_a_cancelled_run_gives_everything_back(town, passenger, runs):
    """Staff cancel a run: who has paid is refunded whole, nothing more is sold on it."""
    run_id = runs[-1]["run_id"]
    buyer = passenger()
    order, payment = buyer.buy(run_id, "DA", "CTG", seat_class=runs[-1]["classes"][0]["seat_class"])
    buyer.await_payment(payment["payment_id"], "captured")
    staff = Passenger(town.base_url, town.account(roles=["staff"]))

    cancelled = staff.put(
        f"/api/ticket/staff/runs/{run_id}/cancellation", {"reason": "The bridge is closed."}
    )

    assert cancelled.status_code in {200, 201}, cancelled.text
    assert buyer.await_order(order["order_id"], "cancelled")["ended_reason"] == "run_cancelled"
    buyer.await_payment(payment["payment_id"], "refunded")
    runs.pop()
