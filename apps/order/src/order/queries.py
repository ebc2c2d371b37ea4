"""What order reads: rows, not entities."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from chassis.database import Statement, read_rows
from order.models import db
from order.snapshot import ORDER_MARK_LENGTH, LiveClaim

LIVE_CLAIMS = Statement(
    "live_claims",
    {"mark_length": "int", "run_id": "uuid"},
    """
SELECT seat_id, lower(segments), upper(segments),
       CASE state WHEN 'sold' THEN 0 ELSE extract(epoch FROM expires_at)::float8 END,
       left(replace(order_id::text, '-', ''), :mark_length)
FROM seat_claim
WHERE run_id = :run_id AND state IN ('held', 'sold') AND (state = 'sold' OR expires_at > now())
""",
)

_ORDER = """
SELECT o.order_id, o.account_id, o.request_digest, o.state, o.run_id, o.from_sequence,
    o.to_sequence, o.journey, o.departs_at, o.amount_minor, o.online_charge_minor, o.currency,
    o.contact_email, o.contact_name, o.sale_date, o.slot, o.created_at, o.expires_at,
    o.payment_id, o.pnr, o.confirmed_at, o.ended_at, o.ended_reason,
    (SELECT json_agg(json_build_object('position', p.position, 'name', p.name,
        'identity_kind', p.identity_kind, 'identity_masked', p.identity_masked,
        'seat_id', p.seat_id, 'seat_number', p.seat_number, 'coach_letter', p.coach_letter,
        'seat_class', p.seat_class, 'price_minor', p.price_minor) ORDER BY p.position)
     FROM passenger p WHERE p.order_id = o.order_id) AS passengers,
    (SELECT coalesce(json_agg(json_build_object('ticket_id', t.ticket_id, 'position', t.position,
        'state', t.state) ORDER BY t.position), '[]')
     FROM ticket t WHERE t.order_id = o.order_id) AS tickets
FROM orders o
"""
ORDER_BY_ID = Statement(
    "order_by_id", {"order_id": "uuid"}, f"{_ORDER} WHERE o.order_id = :order_id"
)
ORDERS_OF_ACCOUNT = Statement(
    "orders_of_account",
    {"account_id": "uuid", "pnr": "text", "before": "timestamptz", "limit": "int"},
    f"{_ORDER} WHERE o.account_id = :account_id AND (:pnr IS NULL OR o.pnr = :pnr)"
    " AND o.created_at < :before ORDER BY o.created_at DESC LIMIT :limit",
)
LIVE_ORDERS_ON_CLOSED_RUNS = text("""
SELECT o.order_id FROM orders o JOIN closed_run c ON c.run_id = o.run_id
WHERE o.state IN ('held', 'paying', 'confirmed') LIMIT :limit
""")


def live_claims(run_id: UUID) -> list[LiveClaim]:
    values = {"run_id": run_id, "mark_length": ORDER_MARK_LENGTH}
    return [LiveClaim._make(row) for row in read_rows(db, LIVE_CLAIMS, values)]


Record = dict[str, Any]


def order_by_id(order_id: UUID) -> Record | None:
    """The order with its passengers and tickets, as one flat record."""
    found = read_rows(db, ORDER_BY_ID, {"order_id": order_id})
    return dict(found[0]._mapping) if found else None  # noqa: SLF001 - its documented name


def orders_of(account_id: UUID, *, pnr: str | None, before: datetime, limit: int) -> list[Record]:
    values = {"account_id": account_id, "pnr": pnr, "before": before, "limit": limit}
    rows = read_rows(db, ORDERS_OF_ACCOUNT, values)
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its documented name


def live_orders_on_closed_runs(limit: int) -> list[UUID]:
    with db.engine.connect() as connection:
        return list(connection.execute(LIVE_ORDERS_ON_CLOSED_RUNS, {"limit": limit}).scalars())
