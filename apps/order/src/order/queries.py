"""What order reads: rows, not entities."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from order.models import db
from order.snapshot import ORDER_MARK_LENGTH, LiveClaim

LIVE_CLAIMS = text("""
SELECT seat_id, lower(segments), upper(segments),
       CASE state WHEN 'sold' THEN 0 ELSE extract(epoch FROM expires_at)::float8 END,
       left(replace(order_id::text, '-', ''), :mark_length)
FROM seat_claim
WHERE run_id = :run_id AND state IN ('held', 'sold') AND (state = 'sold' OR expires_at > now())
""")

_ORDER = """
SELECT o.*,
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
ORDER_BY_ID = text(f"{_ORDER} WHERE o.order_id = :order_id")
ORDERS_OF_ACCOUNT = text(
    f"{_ORDER} WHERE o.account_id = :account_id AND (CAST(:pnr AS text) IS NULL OR o.pnr = :pnr)"
    " AND o.created_at < :before ORDER BY o.created_at DESC LIMIT :limit"
)
LIVE_ORDERS_ON_CLOSED_RUNS = text("""
SELECT o.order_id FROM orders o JOIN closed_run c ON c.run_id = o.run_id
WHERE o.state IN ('held', 'paying', 'confirmed') LIMIT :limit
""")


def live_claims(run_id: UUID) -> list[LiveClaim]:
    """On a connection of its own: a snapshot shall not keep the request's transaction open."""
    with db.engine.connect() as connection:
        rows = connection.execute(
            LIVE_CLAIMS, {"run_id": run_id, "mark_length": ORDER_MARK_LENGTH}
        ).all()
    return [LiveClaim(*row) for row in rows]


Record = dict[str, Any]


def order_by_id(order_id: UUID) -> Record | None:
    """The order with its passengers and tickets, as one flat record."""
    with db.engine.connect() as connection:
        found = connection.execute(ORDER_BY_ID, {"order_id": order_id}).mappings().one_or_none()
    return None if found is None else dict(found)


def orders_of(account_id: UUID, *, pnr: str | None, before: datetime, limit: int) -> list[Record]:
    values = {"account_id": account_id, "pnr": pnr, "before": before, "limit": limit}
    with db.engine.connect() as connection:
        found = connection.execute(ORDERS_OF_ACCOUNT, values).mappings().all()
    return [dict(record) for record in found]


def live_orders_on_closed_runs(limit: int) -> list[UUID]:
    with db.engine.connect() as connection:
        return list(connection.execute(LIVE_ORDERS_ON_CLOSED_RUNS, {"limit": limit}).scalars())
