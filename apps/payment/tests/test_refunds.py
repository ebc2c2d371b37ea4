"""Refunds: on record once, executed once, never above what was taken."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from chassis.testing import as_service, signed_in


@pytest.fixture
def captured(desk):
    payment_id = desk.paid("Never notifies")
    desk.notify(desk.event(payment_id))
    assert desk.state(payment_id) == "captured"
    return payment_id


def test_a_refund_leaves_through_the_worker_with_a_ledger_transfer_and_a_mail(desk, captured):
    refund_id = uuid4()
    answer = desk.refund(captured, 52_250, refund_id=refund_id)
    assert (answer.status_code, answer.json["state"]) == (201, "requested")
    assert desk.at_provider(captured).refunds == []
    assert desk.run_refunds() == 1
    read = desk.client.get(f"/api/payment/refunds/{refund_id}", headers=desk.as_order)
    assert (read.json["state"], read.json["amount_minor"]) == ("succeeded", 52_250)
    assert read.json["ended_at"] is not None
    assert desk.balances() == {"provider_clearing": 18_750, "passenger_payments": -18_750}
    assert desk.mails() == ["Your money is on its way: BDT 522.50"]
    assert desk.state(captured) == "captured"


def test_a_repeated_refund_is_the_same_refund(desk, captured):
    refund_id = uuid4()
    answers = [desk.refund(captured, 50_000, refund_id=refund_id) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    desk.run_refunds()
    assert desk.refund(captured, 50_000, refund_id=refund_id).json["state"] == "succeeded"
    assert desk.run_refunds(after=1000) == 0
    assert [one["amount_minor"] for one in desk.at_provider(captured).refunds] == [50_000]


def test_a_refund_id_used_for_something_else_is_refused(desk, captured):
    refund_id = uuid4()
    desk.refund(captured, 50_000, refund_id=refund_id)
    for changes in ({"amount_minor": 1}, {"reason": "other"}):
        answer = desk.refund(
            captured, **{"amount_minor": 50_000, "refund_id": refund_id, **changes}
        )
        assert (answer.status_code, answer.json["code"]) == (409, "id_reused")


def test_no_more_goes_back_than_came_in(desk, captured):
    assert desk.refund(captured, 71_001).json["code"] == "refund_exceeds_payment"
    assert desk.refund(captured, 70_000).status_code == 201
    assert desk.refund(captured, 1_001).json["code"] == "refund_exceeds_payment"
    assert desk.refund(captured, 1_000).status_code == 201
    assert desk.refund(captured, 1).json["code"] == "refund_exceeds_payment"
    desk.run_refunds()
    assert desk.state(captured) == "refunded"
    assert desk.balances() == {"provider_clearing": 0, "passenger_payments": 0}


def test_refunds_asked_for_at_once_share_what_there_is(desk, captured):
    with ThreadPoolExecutor(20) as pool:

        def ask(_):
            body = {"payment_id": str(captured), "amount_minor": 10_000, "currency": "BDT",
                    "reason": "race"}  # fmt: skip
            path = f"/api/payment/refunds/{uuid4()}"
            return desk.app.test_client().put(path, json=body, headers=desk.as_order).status_code

        statuses = list(pool.map(ask, range(20)))
    assert statuses.count(201) == 7
    assert statuses.count(409) == 13
    for after in (0, 100):
        while desk.run_refunds(after=after):
            pass
    assert (
        desk.at_provider(captured).captured_minor
        - sum(one["amount_minor"] for one in desk.at_provider(captured).refunds)
        == 1_000
    )


def test_two_workers_execute_a_refund_once(desk, captured):
    desk.refund(captured, 71_000)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: desk.run_refunds(), range(4)))
    assert sum(done) == 1
    assert len(desk.mails()) == 1


def test_a_refund_waits_for_the_capture(desk):
    payment_id = desk.paid("Capture fails at first")
    assert desk.wait_for(payment_id, "confirmed") == "confirmed"
    refund = desk.refund(payment_id, 71_000)
    assert (refund.status_code, refund.json["state"]) == (201, "requested")
    assert desk.run_refunds() == 0
    desk.reconcile(after=20)
    desk.reconcile(after=60)
    assert desk.state(payment_id) == "captured"
    assert desk.run_refunds(after=400) == 1
    assert desk.state(payment_id) == "refunded"


def test_a_refund_of_money_that_was_never_taken_is_not_needed(desk):
    payment_id = desk.paid("Declines")
    assert desk.wait_for(payment_id, "declined") == "declined"
    answer = desk.refund(payment_id, 71_000)
    assert (answer.status_code, answer.json["state"]) == (201, "not_needed")
    assert desk.run_refunds() == 0


def test_a_refund_that_waited_for_a_capture_that_fails_is_not_needed(desk):
    payment_id = desk.paid("Capture refused")
    assert desk.wait_for(payment_id, "failed") == "failed"
    with desk.app.app_context():
        from sqlalchemy import update

        from payment.models import Refund, db

        assert desk.refund(payment_id, 71_000).json["state"] == "not_needed"
        db.session.execute(update(Refund).values(state="requested"))
        db.session.commit()
    assert desk.run_refunds() == 1
    assert desk.shown(payment_id)["refunds"][0]["state"] == "not_needed"
    assert desk.balances() == {}


def test_a_silent_provider_only_delays_a_refund(desk, captured, silent_provider):
    desk.refund(captured, 71_000)
    assert desk.run_refunds() == 0
    silent_provider.return_to_work()
    assert desk.run_refunds() == 0
    assert desk.run_refunds(after=10) == 1


def test_a_refund_that_the_provider_takes_its_time_with_is_asked_for_again(
    desk, captured, monkeypatch
):
    desk.refund(captured, 71_000)
    with monkeypatch.context() as slow:
        slow.setattr(desk.parts.provider, "refund", lambda *_: False)
        assert desk.run_refunds() == 0
    desk.notify(desk.event(captured, "refund.succeeded"))
    assert desk.run_refunds(after=6) == 1


def test_a_refund_that_the_provider_refuses_for_good_is_left_to_a_person(desk, captured):
    key = {"Authorization": "Bearer sandbox-key"}
    path = f"/sessions/{captured}/refunds/given-by-hand"
    desk.provider.put(path, json={"amount_minor": 71_000}, headers=key)
    desk.refund(captured, 71_000)
    assert desk.run_refunds() == 1
    assert desk.shown(captured)["refunds"][0]["state"] == "refused"
    assert desk.irregularities() == ["refund_refused"]
    assert desk.balances()["provider_clearing"] == 71_000


def test_an_unknown_payment_has_no_refund(desk):
    answer = desk.refund(uuid4(), 1)
    assert (answer.status_code, answer.json["code"]) == (404, "payment_not_found")
    read = desk.client.get(f"/api/payment/refunds/{uuid4()}", headers=desk.as_order)
    assert (read.status_code, read.json["code"]) == (404, "refund_not_found")


def test_a_refund_in_another_currency_is_refused(desk, captured):
    answer = desk.refund(captured, 1, currency="USD")
    assert (answer.status_code, answer.json["code"]) == (409, "currency_differs")


@pytest.mark.parametrize("amount_minor", [0, -1, 1.5, "5", None, 10**13])
def test_an_amount_that_is_none_is_refused(desk, captured, amount_minor):
    answer = desk.refund(captured, amount_minor)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["amount_minor"])


def test_only_order_may_ask_for_refunds(desk, captured):
    path = f"/api/payment/refunds/{uuid4()}"
    body = {"payment_id": str(captured), "amount_minor": 1, "currency": "BDT", "reason": "r"}
    for headers in (
        {}, desk.headers, signed_in(roles=("staff",)),
        as_service("order", "payment", "y" * 40), as_service("ticket", "payment", "x" * 40),
    ):  # fmt: skip
        answer = desk.client.put(path, json=body, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
