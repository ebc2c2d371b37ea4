"""The ledger: transfers that sum to zero, entries that nobody changes, and the database's guard."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from payment.ledger import ACCOUNTS, capture_postings, refund_postings
from payment.models import db

ENTRY = text(
    "INSERT INTO ledger_entry (entry_id, transfer_id, account, amount_minor, currency, posted_at,"
    " payment_id)"
    " VALUES (gen_random_uuid(), :transfer, :account, :amount, :currency, now(), :payment)"
)


@given(st.integers(min_value=1, max_value=10**15))
def test_every_transfer_sums_to_zero_and_a_refund_undoes_a_capture(amount_minor):
    capture, refund = capture_postings(amount_minor), refund_postings(amount_minor)
    assert sum(posting.amount_minor for posting in capture) == 0
    assert {posting.account for posting in capture} == set(ACCOUNTS)
    balance = dict.fromkeys(ACCOUNTS, 0)
    for posting in (*capture, *refund):
        balance[posting.account] += posting.amount_minor
    assert set(balance.values()) == {0}


@pytest.mark.parametrize("amount_minor", [0, -1])
def test_nothing_and_less_cannot_be_moved(amount_minor):
    with pytest.raises(ValueError, match="above zero"):
        capture_postings(amount_minor)


def entries(desk, *postings):
    payment_id, transfer = desk.open(), uuid4()
    with desk.app.app_context():
        for account, amount, currency in postings:
            values = {"transfer": transfer, "account": account, "amount": amount}
            db.session.execute(ENTRY, {**values, "currency": currency, "payment": payment_id})
        db.session.commit()


@pytest.mark.parametrize(
    "postings",
    [
        [("provider_clearing", 5, "BDT")],
        [("provider_clearing", 5, "BDT"), ("passenger_payments", -4, "BDT")],
        [("provider_clearing", 5, "BDT"), ("passenger_payments", -5, "USD")],
    ],
)
def test_the_database_refuses_a_transfer_that_does_not_sum_to_zero(desk, postings):
    with pytest.raises(IntegrityError, match="does not sum to zero"):
        entries(desk, *postings)
    assert desk.balances() == {}


def test_a_balanced_transfer_is_taken_and_can_neither_be_changed_nor_deleted(desk):
    entries(desk, ("provider_clearing", 5, "BDT"), ("passenger_payments", -5, "BDT"))
    for statement in (
        "UPDATE ledger_entry SET amount_minor = -amount_minor",
        "DELETE FROM ledger_entry",
    ):
        with desk.app.app_context(), pytest.raises(IntegrityError, match="never changed"):
            db.session.execute(text(statement))
    assert desk.balances() == {"provider_clearing": 5, "passenger_payments": -5}


@pytest.mark.parametrize(("account", "amount"), [("pocket", 5), ("provider_clearing", 0)])
def test_the_database_knows_the_accounts_and_refuses_empty_entries(desk, account, amount):
    with pytest.raises(IntegrityError, match="ck_ledger_entry"):
        entries(desk, (account, amount, "BDT"))


@pytest.mark.parametrize(
    "assignment",
    [
        "refund_owed_minor = amount_minor + 1",
        "refund_owed_minor = -1",
        "state = 'captured'",
        "captured_minor = 1",
        "state = 'paid'",
        "amount_minor = 0",
        "owed_to_order = 'nothing'",
    ],
)
def test_the_database_refuses_a_payment_that_cannot_be(desk, assignment):
    payment_id = desk.open()
    statement = text(f"UPDATE payment SET {assignment} WHERE payment_id = :payment_id")
    with desk.app.app_context(), pytest.raises(IntegrityError, match="ck_payment"):
        db.session.execute(statement, {"payment_id": payment_id})
