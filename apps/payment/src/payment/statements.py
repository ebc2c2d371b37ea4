"""
The statements on the way of a purchase, each one round trip and a transaction by itself: what is
written together stands in one statement, and gives the payment as it is afterwards.
"""

from chassis.database import Statement
from payment.queries import with_columns

RECORD_PAYMENT = Statement(
    "record_payment",
    {
        "payment_id": "uuid",
        "order_id": "uuid",
        "account_id": "uuid",
        "return_url": "text",
        "now": "timestamptz",
        "look_at": "timestamptz",
    },
    with_columns("""
WITH recorded AS (
    INSERT INTO payment (payment_id, order_id, account_id, return_url, state, created_at,
        changed_at, look_at)
    VALUES (:payment_id, :order_id, :account_id, :return_url, 'created', :now, :now, :look_at)
    ON CONFLICT DO NOTHING
    RETURNING PAYMENT_COLUMNS
)
SELECT true AS is_new, PAYMENT_COLUMNS FROM recorded
UNION ALL
SELECT false, PAYMENT_COLUMNS FROM payment
WHERE payment_id = :payment_id AND NOT EXISTS (SELECT 1 FROM recorded)
"""),
)

# What order says first is what counts.
FIX_AMOUNT = Statement(
    "fix_amount",
    {
        "payment_id": "uuid",
        "amount_minor": "bigint",
        "currency": "text",
        "description": "text",
        "contact_email": "text",
        "contact_name": "text",
        "session_expires_at": "timestamptz",
    },
    with_columns("""
UPDATE payment SET amount_minor = :amount_minor, currency = :currency, description = :description,
    contact_email = :contact_email, contact_name = :contact_name,
    session_expires_at = :session_expires_at
WHERE payment_id = :payment_id AND state = 'created' AND amount_minor IS NULL
RETURNING PAYMENT_COLUMNS
"""),
)

# The event is kept, and the reconciler and the refunds' loop are told to look soon should this
# process get no further. The payment is given as it was before that.
KEEP_EVENT = Statement(
    "keep_event",
    {
        "event_id": "text",
        "event_type": "text",
        "session_id": "text",
        "occurred_at": "timestamptz",
        "now": "timestamptz",
        "payment_id": "uuid",
        "waiting": "text[]",
        "soon": "timestamptz",
    },
    with_columns("""
WITH kept AS (
    INSERT INTO provider_event (event_id, event_type, session_id, occurred_at, received_at)
    VALUES (:event_id, :event_type, :session_id, :occurred_at, :now)
    ON CONFLICT DO NOTHING
    RETURNING 1
), hastened AS (
    UPDATE payment SET look_at = :soon
    WHERE payment_id = :payment_id AND state = ANY(:waiting)
      AND (look_at IS NULL OR look_at > :soon)
    RETURNING 1
), hastened_refund AS (
    UPDATE refund SET due_at = :soon
    WHERE payment_id = :payment_id AND state = 'requested' AND due_at > :soon
    RETURNING 1
)
SELECT PAYMENT_COLUMNS FROM payment WHERE payment_id = :payment_id
"""),
)

_MOVE_PARAMETERS = {
    "to_state": "text",
    "to_reason": "text",
    "to_refusal": "text",
    "to_owed_to_order": "text",
    "to_redirect_url": "text",
    "to_captured_minor": "bigint",
    "to_refund_owed_minor": "bigint",
    "to_asked_at": "timestamptz",
    "now": "timestamptz",
    "look_at": "timestamptz",
    "payment_id": "uuid",
    "state": "text",
    "refusal": "text",
    "owed_to_order": "text",
    "refund_owed_minor": "bigint",
}
# It finds the row as it was read, or does nothing.
_MOVE = with_columns("""
UPDATE payment SET state = :to_state, reason = :to_reason, refusal = :to_refusal,
    owed_to_order = :to_owed_to_order, redirect_url = :to_redirect_url,
    captured_minor = :to_captured_minor, refund_owed_minor = :to_refund_owed_minor,
    asked_at = coalesce(:to_asked_at, asked_at), changed_at = :now, look_at = :look_at, checks = 0
WHERE payment_id = :payment_id AND state = :state
  AND refusal IS NOT DISTINCT FROM :refusal
  AND owed_to_order IS NOT DISTINCT FROM :owed_to_order
  AND refund_owed_minor = :refund_owed_minor
RETURNING PAYMENT_COLUMNS
""")
MOVE_PAYMENT = Statement("move_payment", _MOVE_PARAMETERS, _MOVE)
MOVE_AND_POST = Statement(
    "move_and_post",
    {
        **_MOVE_PARAMETERS,
        "transfer_id": "uuid",
        "entry_ids": "uuid[]",
        "accounts": "text[]",
        "amounts": "bigint[]",
    },
    with_columns("""
WITH moved AS (MOVED), posted AS (
    INSERT INTO ledger_entry (entry_id, transfer_id, account, amount_minor, currency, posted_at,
        payment_id)
    SELECT entry.entry_id, :transfer_id, entry.account, entry.amount_minor, moved.currency, :now,
        moved.payment_id
    FROM moved, unnest(:entry_ids, :accounts, :amounts) AS entry(entry_id, account, amount_minor)
    RETURNING 1
)
SELECT PAYMENT_COLUMNS FROM moved
""").replace("MOVED", _MOVE),
)

# The loops of the worker ask for what is due once or twice a second, mostly in vain.
IS_ANY_DUE = Statement(
    "is_any_due",
    {"now": "timestamptz"},
    "SELECT EXISTS (SELECT 1 FROM payment WHERE look_at <= :now) AS is_any_due",
)
IS_ANY_REFUND_DUE = Statement(
    "is_any_refund_due",
    {"now": "timestamptz"},
    "SELECT EXISTS (SELECT 1 FROM refund WHERE state = 'requested' AND due_at <= :now)"
    " AS is_any_due",
)
