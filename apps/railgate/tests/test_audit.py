"""Each invariant of the audit is broken once by hand, and the audit names exactly that one."""

import os
import threading
import uuid

import psycopg2
import pytest
import sqlalchemy

from railgate import commands
from railgate.audit import AuditImpossible, audit, look, print_report
from railgate.invariants import BETWEEN, INSIDE

RUN, ORDER, PAYMENT, ACCOUNT = (str(uuid.UUID(int=number)) for number in range(1, 5))
OTHER, REFUND = (str(uuid.UUID(int=number)) for number in range(5, 7))
TWICE = "No seat is sold or held twice on any segment."
CONSTRAINT = "The database itself refuses a second claim."
STUCK = "No claim is stuck without a confirmed or a live order."
SEATED = "Each passenger of a confirmed order has one seat and one valid ticket."
TICKET = "No ticket is valid without a confirmed order."
LEDGER = "The ledger sums to zero, and so does each transfer in it."
BOOKED = "The ledger says of each payment what was taken less what was given back."
TOO_MUCH = "No more is given back than was taken."
FORGOTTEN = "No payment with money set aside is forgotten."
FOR_NOTHING = "Every captured payment has a confirmed order or a refund."
UNPAID = "No confirmed order lacks a captured payment."
AMOUNT = "What was taken is what the order costs."
PAID_TWICE = "No order was paid twice."
FREE_RIDE = "No money was given back for a ticket that is still valid."
OWED = "Every refund that an order owes is given, in its amount."


@pytest.fixture(scope="module")
def books():
    """Two databases with the services' own tables, but without what would refuse a breach."""
    import order.models
    import payment.models

    admin_url = os.environ["TEST_POSTGRES_ADMIN_URL"]
    names = [f"audit_{kind}_{uuid.uuid4().hex[:8]}" for kind in ("order", "payment")]
    admin = sqlalchemy.make_url(admin_url)
    urls = [admin.set(drivername="postgresql", database=name) for name in names]
    run_on(admin_url, *(f"CREATE DATABASE {name}" for name in names))
    for url, db in zip(urls, (order.models.db, payment.models.db), strict=True):
        engine = sqlalchemy.create_engine(url.set(drivername="postgresql+psycopg2"))
        with engine.begin() as link:
            link.execute(sqlalchemy.text("CREATE EXTENSION IF NOT EXISTS btree_gist"))
            db.metadata.create_all(link)
        engine.dispose()
    yield [url.render_as_string(hide_password=False) for url in urls]
    run_on(admin_url, *(f"DROP DATABASE {name} WITH (FORCE)" for name in names))


def run_on(url, *statements):
    link = psycopg2.connect(url)
    link.autocommit = True
    with link.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    link.close()


def an_order(order_id=ORDER, payment_id=PAYMENT, state="confirmed", **values):
    columns = {
        "order_id": order_id,
        "account_id": ACCOUNT,
        "request_digest": r"\x00",
        "state": state,
        "run_id": RUN,
        "from_sequence": 0,
        "to_sequence": 5,
        "journey": "{}",
        "departs_at": "2026-12-01T08:00Z",
        "amount_minor": 42500,
        "online_charge_minor": 2000,
        "currency": "BDT",
        "contact_email": "rahima@example.org",
        "contact_name": "Rahima",
        "sale_date": "2026-11-25",
        "slot": None,
        "created_at": "2026-11-25T08:00Z",
        "expires_at": "2026-11-25T08:05Z",
        "payment_id": payment_id,
        "pnr": f"PNR{order_id[-4:]}" if state == "confirmed" else None,
    }
    return insert("orders", columns | values)


def a_claim(seat_id=1001, segments="[0,5)", state="sold", order_id=ORDER, expires_at=None):
    columns = {
        "run_id": RUN,
        "seat_id": seat_id,
        "segments": segments,
        "order_id": order_id,
        "position": 1,
        "passenger_digest": rf"\x{uuid.uuid4().hex}",
        "state": state,
        "expires_at": expires_at,
    }
    return insert("seat_claim", columns)


def a_passenger():
    columns = {
        "order_id": ORDER,
        "position": 1,
        "name": "Rahima",
        "identity_kind": "nid",
        "identity_sealed": r"\x00",
        "identity_masked": "7890",
        "seat_id": 1001,
        "seat_number": "1",
        "coach_letter": "KA",
        "seat_class": "S_CHAIR",
        "price_minor": 40500,
    }
    return insert("passenger", columns)


def a_ticket():
    columns = {
        "ticket_id": uuid.uuid4(),
        "order_id": ORDER,
        "position": 1,
        "state": "issued",
        "issued_at": "now",
    }
    return insert("ticket", columns)


def an_owed_refund(amount_minor=42500, delivered_at="now"):
    payload = f'{{"payment_id": "{PAYMENT}", "amount_minor": {amount_minor}, "currency": "BDT"}}'
    columns = {
        "message_id": REFUND,
        "topic": "refund",
        "payload": payload,
        "created_at": "now",
        "due_at": "now",
        "delivered_at": delivered_at,
    }
    return insert("outbox", columns)


def a_payment(payment_id=PAYMENT, state="captured", captured_minor=42500, look_at=None, **values):
    columns = {
        "payment_id": payment_id,
        "order_id": ORDER,
        "account_id": ACCOUNT,
        "return_url": "/",
        "state": state,
        "amount_minor": 42500,
        "currency": "BDT",
        "captured_minor": captured_minor,
        "created_at": "now",
        "changed_at": "now",
        "look_at": look_at,
    }
    return insert("payment", columns | values)


def a_refund(amount_minor=42500, state="succeeded"):
    columns = {
        "refund_id": REFUND,
        "payment_id": PAYMENT,
        "amount_minor": amount_minor,
        "currency": "BDT",
        "reason": "hold_lost",
        "state": state,
        "created_at": "now",
        "due_at": "now",
    }
    return insert("refund", columns)


def a_transfer(amount_minor, payment_id=PAYMENT, back=None):
    sides = {
        "provider_clearing": amount_minor,
        "passenger_payments": -amount_minor if back is None else back,
    }
    transfer_id = uuid.uuid4()
    return [
        insert(
            "ledger_entry",
            {
                "entry_id": uuid.uuid4(),
                "transfer_id": transfer_id,
                "account": account,
                "amount_minor": amount,
                "currency": "BDT",
                "posted_at": "now",
                "payment_id": payment_id,
            },
        )
        for account, amount in sides.items()
    ]


def insert(table, columns):
    values = ", ".join("NULL" if value is None else f"'{value}'" for value in columns.values())
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"


@pytest.fixture
def purchase(books):
    """One sound purchase."""
    order_url, payment_url = books
    run_on(order_url, "TRUNCATE orders, outbox CASCADE")
    run_on(order_url, an_order(), a_passenger(), a_claim(), a_ticket())
    run_on(payment_url, "TRUNCATE payment, outbox CASCADE")
    run_on(payment_url, a_payment(), *a_transfer(42500))
    return books


def broken(urls):
    return {finding.sentence for finding in look(*urls).findings if finding.breaches}


def test_a_sound_purchase_breaks_nothing_and_is_counted(purchase):
    report = look(*purchase)
    assert report.is_clean
    assert report.books.counts["confirmed orders"] == report.books.counts["captured payments"] == 1
    assert not report.books.under_way


UNCONFIRM = "UPDATE orders SET state = 'expired', pnr = NULL"
NO_SEAT = "UPDATE seat_claim SET state = 'expired'"
NO_TICKET = "UPDATE ticket SET state = 'void'"
CANCEL = "UPDATE orders SET state = 'cancelled', pnr = NULL, ended_reason = "
UNDONE = (UNCONFIRM, NO_SEAT, NO_TICKET)
CANCELLED = (f"{CANCEL} 'cancelled_by_passenger'", NO_SEAT, NO_TICKET)
NOT_TAKEN = "UPDATE payment SET state = '{}', captured_minor = 0, look_at = {}"
NO_ENTRIES = "DELETE FROM ledger_entry"
LATER = "2099-01-01Z"
BREACHES = [
    (STUCK, [an_order(OTHER, None, "released"), a_claim(1002, order_id=OTHER)], []),
    (STUCK, [an_order(OTHER, None, "expired"), a_claim(1002, "[0,5)", "held", OTHER, "now")], []),
    (STUCK, [an_order(OTHER, None, "held"), a_claim(1002, "[0,5)", "held", OTHER, LATER)], []),
    (SEATED, [NO_SEAT], []),
    (SEATED, [NO_TICKET], []),
    (SEATED, ["DELETE FROM passenger"], []),
    (TICKET, CANCELLED[:2], []),
    (LEDGER, [], a_transfer(42500)[1:]),
    (BOOKED, [], [NO_ENTRIES]),
    (BOOKED, [], a_transfer(100)),
    (TOO_MUCH, UNDONE, [a_refund(50000), *a_transfer(-50000)]),
    (FORGOTTEN, [], [a_payment(OTHER, "authorised", 0, order_id=OTHER)]),
    (FORGOTTEN, [], [a_payment(OTHER, "declined", 0, order_id=OTHER, owed_to_order="unpin")]),
    (FOR_NOTHING, UNDONE, []),
    (FOR_NOTHING, [f"{CANCEL} 'payment_not_captured'", NO_SEAT, NO_TICKET], []),
    (FOR_NOTHING, UNDONE, [a_refund(42400), *a_transfer(-42400)]),
    (FOR_NOTHING, UNDONE, [a_refund(state="refused")]),
    (UNPAID, [], [NO_ENTRIES, NOT_TAKEN.format("declined", "NULL")]),
    (UNPAID, [], [NO_ENTRIES, NOT_TAKEN.format("failed", "NULL")]),
    (UNPAID, [], [NO_ENTRIES, "DELETE FROM payment"]),
    (AMOUNT, ["UPDATE orders SET amount_minor = 50000"], []),
    (AMOUNT, ["UPDATE orders SET currency = 'CAD'"], []),
    (FREE_RIDE, [], [a_refund(100), *a_transfer(-100)]),
    (OWED, [*CANCELLED, an_owed_refund()], []),
    (OWED, [*CANCELLED, an_owed_refund(40000)], [a_refund(39000), *a_transfer(-39000)]),
    (OWED, [*CANCELLED, an_owed_refund()], [a_refund(state="refused")]),
]


@pytest.mark.parametrize(("sentence", "in_order", "in_payment"), BREACHES)
def test_a_breach_is_named_and_nothing_else(purchase, sentence, in_order, in_payment):
    order_url, payment_url = purchase
    run_on(order_url, *in_order)
    run_on(payment_url, *in_payment)
    assert broken(purchase) == {sentence}


def test_a_second_charge_is_named_as_such_and_as_money_for_nothing(purchase):
    run_on(purchase[1], a_payment(OTHER), *a_transfer(42500, OTHER))
    assert broken(purchase) == {PAID_TWICE, FOR_NOTHING}


@pytest.fixture
def without_guard(purchase):
    """The database of order as it would be if somebody dropped the constraint."""
    columns = "run_id WITH =, seat_id WITH =, segments WITH &&"
    guard = f"CONSTRAINT seat_claim_no_overlap EXCLUDE USING gist ({columns})"
    run_on(purchase[0], "ALTER TABLE seat_claim DROP CONSTRAINT seat_claim_no_overlap")
    yield purchase
    run_on(purchase[0], "TRUNCATE orders CASCADE")
    run_on(purchase[0], f"ALTER TABLE seat_claim ADD {guard} WHERE (state IN ('held', 'sold'))")


def test_a_missing_guard_is_named_even_before_it_does_harm(without_guard):
    assert broken(without_guard) == {CONSTRAINT}


@pytest.mark.parametrize("segments", ["[0,5)", "[4,6)", "[0,1)"])
@pytest.mark.parametrize("state", ["held", "sold"])
def test_a_seat_that_two_have_is_named(without_guard, segments, state):
    until = None if state == "sold" else LATER
    other = an_order(OTHER, None, "held", expires_at=LATER)
    run_on(without_guard[0], other, a_claim(1001, segments, state, OTHER, until))
    assert TWICE in broken(without_guard)


def test_a_lapsed_hold_on_a_sold_seat_is_no_double_sale(without_guard):
    other = an_order(OTHER, None, "held")
    run_on(without_guard[0], other, a_claim(1001, "[0,5)", "held", OTHER, "2020-01-01Z"))
    assert broken(without_guard) == {CONSTRAINT}


def test_two_who_share_a_seat_one_after_the_other_break_nothing(purchase):
    other = an_order(OTHER, None, "held", expires_at=LATER)
    run_on(purchase[0], other, a_claim(1001, "[5,9)", "held", OTHER, LATER))
    assert broken(purchase) == set()


@pytest.mark.parametrize(
    ("in_order", "in_payment"),
    [
        ([], [NO_ENTRIES, NOT_TAKEN.format("confirmed", "now()")]),
        ([], [NO_ENTRIES, NOT_TAKEN.format("failed", "now()")]),
        (UNDONE, [a_refund(state="requested")]),
        ([*CANCELLED, an_owed_refund(delivered_at=None)], []),
    ],
)
def test_what_is_under_way_is_counted_but_not_broken(purchase, in_order, in_payment):
    run_on(purchase[0], *in_order)
    run_on(purchase[1], *in_payment)
    report = look(*purchase)
    assert report.is_clean
    assert len(report.books.under_way) == 1


@pytest.mark.parametrize(
    ("in_order", "in_payment"),
    [
        (UNDONE, [a_refund(), *a_transfer(-42500)]),
        (CANCELLED, []),
        ([*CANCELLED, an_owed_refund(30000)], [a_refund(30000), *a_transfer(-30000)]),
    ],
)
def test_money_that_went_back_by_the_rules_breaks_nothing(purchase, in_order, in_payment):
    run_on(purchase[0], *in_order)
    run_on(purchase[1], *in_payment)
    assert broken(purchase) == set()


def test_every_invariant_has_a_breach_among_these_tests():
    tried = {sentence for sentence, _, _ in BREACHES} | {TWICE, CONSTRAINT, PAID_TWICE}
    assert tried == {check.sentence for check in (*INSIDE, *BETWEEN)}


def test_what_only_looked_broken_between_two_reads_is_read_again(purchase):
    order_url, payment_url = purchase
    run_on(payment_url, NO_ENTRIES)
    mending = threading.Timer(0.3, lambda: run_on(payment_url, *a_transfer(42500)))
    mending.start()
    assert audit(order_url, payment_url).is_clean
    mending.join()


def test_the_audit_waits_for_what_is_under_way(purchase):
    order_url, payment_url = purchase
    run_on(order_url, *UNDONE)
    run_on(payment_url, a_refund(state="requested"))
    paid = [*a_transfer(-42500), "UPDATE refund SET state = 'succeeded'"]
    paying = threading.Timer(0.3, lambda: run_on(payment_url, *paid))
    paying.start()
    assert not audit(order_url, payment_url, wait_seconds=20).books.under_way
    paying.join()


def test_the_command_ends_with_one_when_an_invariant_is_broken(purchase, monkeypatch, capsys):
    monkeypatch.setenv("ORDER_DATABASE_URL", purchase[0])
    monkeypatch.setenv("PAYMENT_DATABASE_URL", purchase[1])
    assert commands.main(["audit"]) == 0
    assert "Clean." in capsys.readouterr().out
    run_on(purchase[1], NO_ENTRIES)
    monkeypatch.setattr("railgate.audit.SECOND_LOOK_SECONDS", 0)
    assert commands.main(["audit"]) == 1
    said = capsys.readouterr().out
    assert "1 of 15 invariants are broken." in said
    assert f"payment {PAYMENT}: 42500 taken, 0 given back, 0 in the ledger" in said


def test_the_audit_changes_nothing(purchase):
    """It works with a role that may only read, as on a replica."""
    lines = []
    read_only = [f"{url}?options=-cdefault_transaction_read_only%3Don" for url in purchase]
    print_report(look(*read_only), lines.append)
    assert lines[-1] == "  Clean."


def test_books_that_cannot_be_read_are_no_clean_audit(purchase, tmp_path, monkeypatch, capsys):
    with pytest.raises(AuditImpossible):
        audit(purchase[1], purchase[0])
    for name in ("ORDER_DATABASE_URL", "PAYMENT_DATABASE_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert commands.main(["--folder", str(tmp_path), "audit"]) == 2
    assert "nothing to audit yet" in capsys.readouterr().out
