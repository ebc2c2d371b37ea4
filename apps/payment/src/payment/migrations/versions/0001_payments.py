"""
Payments, refunds, the provider's events, and a ledger that the database itself keeps straight:
entries are only added, and no transaction ends with a transfer that does not sum to zero.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

REFUSE_CHANGES = """
CREATE FUNCTION ledger_entry_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a ledger entry is never changed' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_entry_is_immutable BEFORE UPDATE OR DELETE ON ledger_entry
FOR EACH ROW EXECUTE FUNCTION ledger_entry_refuse_change();
"""
DEMAND_BALANCE = """
CREATE FUNCTION ledger_entry_demand_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM ledger_entry WHERE transfer_id = NEW.transfer_id
        GROUP BY currency HAVING sum(amount_minor) <> 0
    ) THEN
        RAISE EXCEPTION 'transfer % does not sum to zero', NEW.transfer_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_transfer_sums_to_zero AFTER INSERT ON ledger_entry
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION ledger_entry_demand_balance();
"""


def upgrade():
    _create_outbox()
    _create_payment()
    _create_provider_event()
    _create_irregularity()
    _create_refund()
    _create_ledger_entry()


def _create_outbox():
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_undelivered",
        "outbox",
        ["topic", "due_at"],
        unique=False,
        postgresql_where="delivered_at IS NULL",
    )


def _create_payment():
    op.create_table(
        "payment",
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("return_url", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("owed_to_order", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("contact_email", sa.Text(), nullable=True),
        sa.Column("contact_name", sa.Text(), nullable=True),
        sa.Column("session_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("redirect_url", sa.Text(), nullable=True),
        sa.Column("captured_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refund_owed_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checks", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "(state IN ('captured', 'refunded')) = (captured_minor > 0)",
            name=op.f("ck_payment_captured_is_known"),
        ),
        sa.CheckConstraint(
            "owed_to_order IN ('unpin', 'failure')", name=op.f("ck_payment_owed_to_order")
        ),
        sa.CheckConstraint(
            "state IN ('created', 'pending', 'authorised', 'confirmed', 'captured',"
            " 'declined', 'voided', 'refunded', 'failed')",
            name=op.f("ck_payment_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('authorised', 'confirmed', 'captured', 'voided', 'refunded', 'failed')"
            " OR amount_minor IS NOT NULL",
            name=op.f("ck_payment_money_has_an_amount"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payment_amount_minor")),
        sa.CheckConstraint("captured_minor >= 0", name=op.f("ck_payment_captured_minor")),
        sa.CheckConstraint(
            "refund_owed_minor BETWEEN 0 AND coalesce(nullif(captured_minor, 0), amount_minor, 0)",
            name=op.f("ck_payment_refund_owed_minor"),
        ),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_payment")),
    )
    op.create_index("ix_payment_account_id", "payment", ["account_id", "created_at"], unique=False)
    op.create_index(
        "ix_payment_look_at",
        "payment",
        ["look_at"],
        unique=False,
        postgresql_where="look_at IS NOT NULL",
    )
    op.create_index("ix_payment_order_id", "payment", ["order_id"], unique=False)


def _create_provider_event():
    op.create_table(
        "provider_event",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_provider_event")),
    )
    op.create_index("ix_provider_event_session_id", "provider_event", ["session_id"], unique=False)


def _create_irregularity():
    op.create_table(
        "irregularity",
        sa.Column("irregularity_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.payment_id"], name=op.f("fk_irregularity_payment_id_payment")
        ),
        sa.PrimaryKeyConstraint("irregularity_id", name=op.f("pk_irregularity")),
    )


def _create_refund():
    op.create_table(
        "refund",
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('requested', 'succeeded', 'not_needed', 'refused')",
            name=op.f("ck_refund_state"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refund_amount_minor")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.payment_id"], name=op.f("fk_refund_payment_id_payment")
        ),
        sa.PrimaryKeyConstraint("refund_id", name=op.f("pk_refund")),
    )
    op.create_index(
        "ix_refund_due_at",
        "refund",
        ["due_at"],
        unique=False,
        postgresql_where="state = 'requested'",
    )
    op.create_index("ix_refund_payment_id", "refund", ["payment_id"], unique=False)


def _create_ledger_entry():
    op.create_table(
        "ledger_entry",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "account IN ('provider_clearing', 'passenger_payments')",
            name=op.f("ck_ledger_entry_account"),
        ),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_ledger_entry_amount_minor")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.payment_id"], name=op.f("fk_ledger_entry_payment_id_payment")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund.refund_id"], name=op.f("fk_ledger_entry_refund_id_refund")
        ),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_ledger_entry")),
    )
    op.create_index("ix_ledger_entry_payment_id", "ledger_entry", ["payment_id"], unique=False)
    op.create_index("ix_ledger_entry_transfer_id", "ledger_entry", ["transfer_id"], unique=False)
    op.execute(REFUSE_CHANGES)
    op.execute(DEMAND_BALANCE)


def downgrade():
    op.drop_index("ix_ledger_entry_transfer_id", table_name="ledger_entry")
    op.drop_index("ix_ledger_entry_payment_id", table_name="ledger_entry")
    op.drop_table("ledger_entry")
    op.drop_index("ix_refund_payment_id", table_name="refund")
    op.drop_index("ix_refund_due_at", table_name="refund", postgresql_where="state = 'requested'")
    op.drop_table("refund")
    op.drop_table("irregularity")
    op.drop_index("ix_provider_event_session_id", table_name="provider_event")
    op.drop_table("provider_event")
    op.drop_index("ix_payment_order_id", table_name="payment")
    op.drop_index(
        "ix_payment_look_at", table_name="payment", postgresql_where="look_at IS NOT NULL"
    )
    op.drop_index("ix_payment_account_id", table_name="payment")
    op.drop_table("payment")
    op.drop_index(
        "ix_outbox_undelivered", table_name="outbox", postgresql_where="delivered_at IS NULL"
    )
    op.drop_table("outbox")
    op.execute("DROP FUNCTION ledger_entry_refuse_change, ledger_entry_demand_balance")
