"""What the audit reads: the rows of order and payment that speak of the same money."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import psycopg2
from psycopg2.extensions import connection

COUNTS = {
    "order": {
        "orders": "SELECT count(*) FROM orders",
        "confirmed orders": "SELECT count(*) FROM orders WHERE state = 'confirmed'",
        "seat claims": "SELECT count(*) FROM seat_claim",
        "sold seats": "SELECT count(*) FROM seat_claim WHERE state = 'sold'",
        "held seats": "SELECT count(*) FROM seat_claim WHERE state = 'held' AND expires_at > now()",
        "valid tickets": "SELECT count(*) FROM ticket WHERE state = 'issued'",
        "refunds asked for": "SELECT count(*) FROM outbox WHERE topic = 'refund'",
    },
    "payment": {
        "payments": "SELECT count(*) FROM payment",
        "captured payments": "SELECT count(*) FROM payment WHERE captured_minor > 0",
        "refunds": "SELECT count(*) FROM refund",
        "ledger transfers": "SELECT count(DISTINCT transfer_id) FROM ledger_entry",
        "for a person to look at": "SELECT count(*) FROM irregularity",
    },
}
PAYMENTS = """
    SELECT payment_id::text, order_id::text, state, captured_minor, currency,
           look_at IS NOT NULL
    FROM payment WHERE captured_minor > 0 OR state IN ('authorised', 'confirmed', 'failed')
"""
REFUNDS = "SELECT refund_id::text, payment_id::text, amount_minor, currency, state FROM refund"
ORDERS = """
    SELECT order_id::text, state, payment_id::text, amount_minor, currency, ended_reason
    FROM orders WHERE payment_id IS NOT NULL AND state IN ('confirmed', 'cancelled')
"""
OWED_REFUNDS = """
    SELECT message_id::text, payload->>'payment_id', (payload->>'amount_minor')::bigint,
           payload->>'currency', delivered_at IS NOT NULL
    FROM outbox WHERE topic = 'refund'
"""


class InsideCheck(Protocol):
    """A statement that gives one line of text for each breach."""

    @property
    def database(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def breaches_sql(self) -> str: ...


@dataclass(frozen=True)
class PaymentRow:
    payment_id: str
    order_id: str
    state: str
    captured_minor: int
    currency: str
    is_looked_after: bool


@dataclass(frozen=True)
class RefundRow:
    refund_id: str
    payment_id: str
    amount_minor: int
    currency: str
    state: str

    @property
    def gives_money_back(self) -> bool:
        return self.state in {"requested", "succeeded"}


@dataclass(frozen=True)
class OrderRow:
    order_id: str
    state: str
    payment_id: str
    amount_minor: int
    currency: str
    ended_reason: str | None


@dataclass(frozen=True)
class OwedRefund:
    refund_id: str
    payment_id: str
    amount_minor: int
    currency: str
    is_delivered: bool


@dataclass(frozen=True)
class Books:
    counts: Mapping[str, int]
    payments: Mapping[str, PaymentRow]
    refunds: Mapping[str, RefundRow]
    orders: Mapping[str, OrderRow]
    owed: Mapping[str, OwedRefund]

    @cached_property
    def given_back_minor(self) -> Mapping[str, int]:
        """By payment: what went back or is promised to."""
        sums: defaultdict[str, int] = defaultdict(int)
        for refund in self.refunds.values():
            if refund.gives_money_back:
                sums[refund.payment_id] += refund.amount_minor
        return sums

    @cached_property
    def under_way(self) -> Sequence[str]:
        """What somebody is still at; it ends by itself while the workers live."""
        return [
            *(f"refund {r.refund_id} is not yet paid" for r in self._refunds_requested()),
            *(f"refund {o.refund_id} is not yet asked for" for o in self._undelivered()),
            *(f"payment {p.payment_id} is {p.state}" for p in self._open_payments()),
        ]

    def _refunds_requested(self) -> Iterable[RefundRow]:
        return (refund for refund in self.refunds.values() if refund.state == "requested")

    def _undelivered(self) -> Iterable[OwedRefund]:
        return (owed for owed in self.owed.values() if not owed.is_delivered)

    def _open_payments(self) -> Iterable[PaymentRow]:
        return (payment for payment in self.payments.values() if payment.is_looked_after)


def read_books(
    order_url: str, payment_url: str, checks: Sequence[InsideCheck]
) -> tuple[Books, dict[str, list[str]]]:
    """Read each database in one snapshot of its own, payment's first."""
    breaches: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    rows: dict[str, list[tuple[object, ...]]] = {}
    for database, url in (("payment", payment_url), ("order", order_url)):
        link = psycopg2.connect(url, connect_timeout=5)
        try:
            link.set_session(isolation_level="REPEATABLE READ", readonly=True)
            for name, statement in COUNTS[database].items():
                counts[name] = int(str(_rows(link, statement)[0][0]))
            for check in checks:
                if check.database == database:
                    found = _rows(link, check.breaches_sql)
                    breaches[check.sentence] = [str(row[0]) for row in found]
            for name, statement in _statements(database).items():
                rows[name] = _rows(link, statement)
        finally:
            link.close()
    books = Books(
        counts={name: counts[name] for table in COUNTS.values() for name in table},
        payments={str(row[0]): PaymentRow(*row) for row in rows["payments"]},  # type: ignore[arg-type]
        refunds={str(row[0]): RefundRow(*row) for row in rows["refunds"]},  # type: ignore[arg-type]
        orders={str(row[0]): OrderRow(*row) for row in rows["orders"]},  # type: ignore[arg-type]
        owed={str(row[0]): OwedRefund(*row) for row in rows["owed"]},  # type: ignore[arg-type]
    )
    return books, breaches


def _statements(database: str) -> Mapping[str, str]:
    if database == "payment":
        return {"payments": PAYMENTS, "refunds": REFUNDS}
    return {"orders": ORDERS, "owed": OWED_REFUNDS}


def _rows(link: connection, statement: str) -> list[tuple[object, ...]]:
    with link.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()
