"""
The statements that give and take seats. Each is one round trip, and the table's constraints, not
the order of our reads, decide who was first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chassis.database import Statement

# PostgreSQL enters a row into an exclusion index first and looks for rivals then, so two that
# arrive together wait for each other until one is killed as a deadlock, a second later. A lock on
# each seat and passenger, taken in one order by all, lets the second wait for the first instead.
# It is not the guard: without it (or where two keys collide) the constraints still decide.
#
# A hold whose time has passed is free for the next buyer at that very moment, with every worker
# dead: the claiming statement itself releases what has lapsed on the seats (and the passengers) it
# wants. The account's own lapsed orders give back their slot of the day in the same way.
#
# Rows of orders are taken before seats, here as in the other statements: late money for a lapsed
# order may be waiting for the very seats that its buyer orders again.
#
# A data-modifying WITH part runs when another part reads it, so `locked` reads `lapsed_orders`,
# `lapsed` reads `locked`, `placed` reads `lapsed`, and `claimed` reads `placed`.
PLACE_ORDER = Statement(
    "place_order",
    {
        "run_id": "uuid",
        "seat_ids": "int[]",
        "digests": "bytea[]",
        "now": "timestamptz",
        "account_id": "uuid",
        "sale_date": "date",
        "orders_per_day_max": "int",
        "order_id": "uuid",
        "request_digest": "bytea",
        "from_sequence": "smallint",
        "to_sequence": "smallint",
        "journey": "jsonb",
        "departs_at": "timestamptz",
        "amount_minor": "int",
        "online_charge_minor": "int",
        "currency": "text",
        "contact_email": "text",
        "contact_name": "text",
        "expires_at": "timestamptz",
        "holds_per_day_max": "int",
        "positions": "smallint[]",
        "names": "text[]",
        "kinds": "text[]",
        "sealed": "bytea[]",
        "masked": "text[]",
        "seat_numbers": "text[]",
        "coach_letters": "text[]",
        "seat_classes": "text[]",
        "prices": "int[]",
        "segments": "int4range",
    },
    """
WITH lapsed_orders AS (
    UPDATE orders SET state = 'expired', ended_at = :now
    WHERE account_id = :account_id AND state IN ('held', 'paying')
      AND expires_at <= :now
    RETURNING 1
), locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(key) FROM (
        SELECT hashtextextended(:run_id || '/' || seat_id, 0) AS key
        FROM unnest(:seat_ids) AS seat_id
        UNION
        SELECT hashtextextended(:run_id || '/' || encode(digest, 'hex'), 0)
        FROM unnest(:digests) AS digest
        ORDER BY key
    ) AS keys
    WHERE (SELECT count(*) FROM lapsed_orders) >= 0
), lapsed AS (
    UPDATE seat_claim SET state = 'expired'
    FROM (
        SELECT claim.claim_id
        FROM unnest(:seat_ids) AS wanted(seat_id)
        JOIN seat_claim claim ON claim.run_id = :run_id AND claim.seat_id = wanted.seat_id
        WHERE claim.state = 'held' AND claim.expires_at <= :now
        UNION
        SELECT claim.claim_id
        FROM unnest(:digests) AS wanted(digest)
        JOIN seat_claim claim ON claim.run_id = :run_id AND claim.passenger_digest = wanted.digest
        WHERE claim.state = 'held' AND claim.expires_at <= :now
    ) AS due
    WHERE seat_claim.claim_id = due.claim_id AND seat_claim.state = 'held'
      AND seat_claim.expires_at <= :now AND (SELECT count(*) FROM locked) >= 0
    RETURNING 1
), today AS (
    SELECT count(*) AS opened,
           coalesce(array_agg(slot) FILTER (
               WHERE slot IS NOT NULL AND (state = 'confirmed'
                  OR (state IN ('held', 'paying') AND expires_at > :now))
           ), '{}') AS used
    FROM orders
    WHERE account_id = :account_id AND sale_date = :sale_date
), vacant AS (
    SELECT slot FROM today, generate_series(1, :orders_per_day_max) AS slot
    WHERE slot <> ALL(today.used)
    ORDER BY slot LIMIT 1
), placed AS (
    INSERT INTO orders (order_id, account_id, request_digest, state, run_id, from_sequence,
        to_sequence, journey, departs_at, amount_minor, online_charge_minor, currency,
        contact_email, contact_name, sale_date, slot, created_at, expires_at)
    SELECT :order_id, :account_id, :request_digest, 'held',
        :run_id, :from_sequence, :to_sequence, :journey, :departs_at,
        :amount_minor, :online_charge_minor, :currency, :contact_email, :contact_name,
        :sale_date, vacant.slot, :now, :expires_at
    FROM today, vacant
    WHERE today.opened < :holds_per_day_max
      AND NOT EXISTS (SELECT 1 FROM closed_run WHERE run_id = :run_id)
      AND (SELECT count(*) FROM locked) >= 0
      AND (SELECT count(*) FROM lapsed) >= 0
    ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id
), travelling AS (
    INSERT INTO passenger (order_id, position, name, identity_kind, identity_sealed,
        identity_masked, seat_id, seat_number, coach_letter, seat_class, price_minor)
    SELECT placed.order_id, p.position, p.name, p.kind, p.sealed, p.masked, p.seat_id,
        p.seat_number, p.coach_letter, p.seat_class, p.price_minor
    FROM placed, unnest(:positions, :names, :kinds, :sealed, :masked, :seat_ids, :seat_numbers,
        :coach_letters, :seat_classes, :prices)
        AS p(position, name, kind, sealed, masked, seat_id, seat_number, coach_letter,
             seat_class, price_minor)
    RETURNING 1
), claimed AS (
    INSERT INTO seat_claim (run_id, seat_id, segments, order_id, position, passenger_digest,
        state, expires_at)
    SELECT :run_id, c.seat_id, :segments, placed.order_id,
        c.position, c.digest, 'held', :expires_at
    FROM placed, unnest(:seat_ids, :positions, :digests) AS c(seat_id, position, digest)
    ORDER BY c.seat_id
    RETURNING 1
)
SELECT (SELECT count(*) FROM claimed) AS claimed, today.opened,
       cardinality(today.used) AS slots_used
FROM today
""",
)

# Late money: the order's own claims come back to life only if nobody alive overlaps them. Others'
# claims that have lapsed are put away first; the exclusion constraint does the rest. Nobody buys a
# ride on a train that has left.
CONFIRM_ORDER = Statement(
    "confirm_order",
    {
        "order_id": "uuid",
        "payment_id": "uuid",
        "amount_minor": "int",
        "currency": "text",
        "now": "timestamptz",
        "pnr": "text",
    },
    """
WITH target AS (
    SELECT o.order_id, o.run_id FROM orders o
    WHERE o.order_id = :order_id
      AND o.payment_id = :payment_id
      AND o.state IN ('held', 'paying', 'expired')
      AND o.amount_minor = :amount_minor AND o.currency = :currency
      AND o.departs_at > :now
      AND NOT EXISTS (SELECT 1 FROM closed_run c WHERE c.run_id = o.run_id)
      AND (SELECT count(*) FROM seat_claim s
           WHERE s.order_id = o.order_id AND s.state IN ('held', 'expired'))
        = (SELECT count(*) FROM passenger p WHERE p.order_id = o.order_id)
    FOR UPDATE
), locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(key) FROM (
        SELECT hashtextextended(mine.run_id || '/' || mine.seat_id, 0) AS key
        FROM target JOIN seat_claim mine ON mine.order_id = target.order_id
        UNION
        SELECT hashtextextended(mine.run_id || '/' || encode(mine.passenger_digest, 'hex'), 0)
        FROM target JOIN seat_claim mine ON mine.order_id = target.order_id
        ORDER BY key
    ) AS keys
), lapsed AS (
    UPDATE seat_claim SET state = 'expired'
    WHERE claim_id IN (
        SELECT other.claim_id
        FROM target
        JOIN seat_claim mine ON mine.order_id = target.order_id
        JOIN seat_claim other ON other.run_id = target.run_id
         AND other.order_id <> target.order_id
         AND (other.seat_id = mine.seat_id OR other.passenger_digest = mine.passenger_digest)
        WHERE other.state = 'held' AND other.expires_at <= :now
    ) AND state = 'held' AND expires_at <= :now AND (SELECT count(*) FROM locked) >= 0
    RETURNING 1
), confirmed AS (
    UPDATE orders SET state = 'confirmed', pnr = :pnr, confirmed_at = :now, ended_at = NULL,
        slot = CASE WHEN orders.state = 'expired' THEN NULL ELSE slot END
    FROM target
    WHERE orders.order_id = target.order_id
      AND (SELECT count(*) FROM locked) >= 0 AND (SELECT count(*) FROM lapsed) >= 0
    RETURNING orders.order_id, orders.account_id
), sold AS (
    UPDATE seat_claim SET state = 'sold', expires_at = NULL
    FROM confirmed
    WHERE seat_claim.order_id = confirmed.order_id AND seat_claim.state IN ('held', 'expired')
    RETURNING seat_claim.order_id, position
), issued AS (
    INSERT INTO ticket (ticket_id, order_id, position, state, issued_at)
    SELECT gen_random_uuid(), sold.order_id, sold.position, 'issued', :now FROM sold
    RETURNING 1
), mailed AS (
    INSERT INTO outbox (message_id, topic, payload, created_at, due_at)
    SELECT gen_random_uuid(), 'ticket_mail', jsonb_build_object('order_id', order_id), :now, :now
    FROM confirmed
    RETURNING 1
)
SELECT (SELECT count(*) FROM confirmed) AS confirmed, (SELECT count(*) FROM issued) AS issued
""",
)

# One guarded change of an order and of all its claims; `RETURNING` tells whether it happened.
PIN_ORDER = Statement(
    "pin_order",
    {
        "payment_id": "uuid",
        "pinned_until": "timestamptz",
        "order_id": "uuid",
        "now": "timestamptz",
    },
    """
WITH pinned AS (
    UPDATE orders SET state = 'paying', payment_id = :payment_id,
        expires_at = :pinned_until
    WHERE order_id = :order_id AND state = 'held' AND expires_at > :now
      AND departs_at > :now
    RETURNING order_id
), kept AS (
    UPDATE seat_claim SET expires_at = :pinned_until
    FROM pinned
    WHERE seat_claim.order_id = pinned.order_id AND seat_claim.state = 'held'
    RETURNING 1
)
SELECT (SELECT count(*) FROM pinned) AS pinned, (SELECT count(*) FROM kept) AS kept
""",
)

UNPIN_ORDER = Statement(
    "unpin_order",
    {
        "order_id": "uuid",
        "payment_id": "uuid",
    },
    """
WITH unpinned AS (
    UPDATE orders SET payment_id = NULL,
        state = CASE WHEN state = 'paying' THEN 'held' ELSE state END
    WHERE order_id = :order_id AND payment_id = :payment_id
      AND state IN ('held', 'paying', 'expired')
    RETURNING 1
)
SELECT count(*) AS unpinned FROM unpinned
""",
)

END_ORDER = Statement(
    "end_order",
    {
        "to_state": "text",
        "now": "timestamptz",
        "reason": "text",
        "order_id": "uuid",
        "from_states": "text[]",
        "claim_state": "text",
    },
    """
WITH ended AS (
    UPDATE orders SET state = :to_state, ended_at = :now, ended_reason = :reason
    WHERE order_id = :order_id AND state = ANY(:from_states)
    RETURNING order_id
), freed AS (
    UPDATE seat_claim SET state = :claim_state, expires_at = coalesce(expires_at, :now)
    FROM ended
    WHERE seat_claim.order_id = ended.order_id AND seat_claim.state IN ('held', 'sold')
    RETURNING 1
), voided AS (
    UPDATE ticket SET state = 'void'
    FROM ended
    WHERE ticket.order_id = ended.order_id AND ticket.state = 'issued'
    RETURNING 1
)
SELECT (SELECT count(*) FROM ended) AS ended, (SELECT count(*) FROM freed) AS freed,
       (SELECT count(*) FROM voided) AS voided
""",
)

# The sweeper's tidiness: nothing else depends on it.
SWEEP_LAPSED = Statement(
    "sweep_lapsed",
    {
        "now": "timestamptz",
        "limit": "int",
    },
    """
WITH due AS (
    SELECT order_id FROM orders
    WHERE state IN ('held', 'paying') AND expires_at <= :now
    ORDER BY expires_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
), ended AS (
    UPDATE orders SET state = 'expired', ended_at = :now
    FROM due WHERE orders.order_id = due.order_id
    RETURNING orders.order_id
), freed AS (
    UPDATE seat_claim SET state = 'expired'
    FROM ended
    WHERE seat_claim.order_id = ended.order_id AND seat_claim.state = 'held'
    RETURNING 1
)
SELECT (SELECT count(*) FROM ended) AS ended, (SELECT count(*) FROM freed) AS freed
""",
)


@dataclass(frozen=True)
class Rider:
    """One passenger with the seat and what is stored about them; `position` counts from 1."""

    position: int
    name: str
    identity_kind: str
    identity_sealed: bytes
    identity_masked: str
    digest: bytes
    seat_id: int
    seat_number: str
    coach_letter: str
    seat_class: str
    price_minor: int


def rider_columns(riders: Sequence[Rider]) -> dict[str, Any]:
    """The riders as one array a column, for unnest()."""
    return {
        "positions": [rider.position for rider in riders],
        "names": [rider.name for rider in riders],
        "kinds": [rider.identity_kind for rider in riders],
        "sealed": [rider.identity_sealed for rider in riders],
        "masked": [rider.identity_masked for rider in riders],
        "digests": [rider.digest for rider in riders],
        "seat_ids": [rider.seat_id for rider in riders],
        "seat_numbers": [rider.seat_number for rider in riders],
        "coach_letters": [rider.coach_letter for rider in riders],
        "seat_classes": [rider.seat_class for rider in riders],
        "prices": [rider.price_minor for rider in riders],
    }
