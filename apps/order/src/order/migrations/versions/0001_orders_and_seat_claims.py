"""Orders, passengers, seat claims and tickets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def _time(name, nullable=False):
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade():
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    _create_orders()
    _index_orders()
    _create_passenger()
    _create_seat_claim()
    _create_ticket()
    _create_followed_runs_and_outbox()


def _create_orders():
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Uuid(), primary_key=True),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("from_sequence", sa.SmallInteger(), nullable=False),
        sa.Column("to_sequence", sa.SmallInteger(), nullable=False),
        sa.Column("journey", postgresql.JSONB(), nullable=False),
        _time("departs_at"),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("online_charge_minor", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("contact_email", sa.Text(), nullable=False),
        sa.Column("contact_name", sa.Text(), nullable=False),
        sa.Column("sale_date", sa.Date(), nullable=False),
        sa.Column("slot", sa.SmallInteger()),
        _time("created_at"),
        _time("expires_at"),
        sa.Column("payment_id", sa.Uuid()),
        sa.Column("pnr", sa.Text()),
        _time("confirmed_at", nullable=True),
        _time("ended_at", nullable=True),
        sa.Column("ended_reason", sa.Text()),
        sa.CheckConstraint(
            "state IN ('held', 'paying', 'confirmed', 'released', 'expired', 'cancelled')",
            name=op.f("ck_orders_state"),
        ),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_orders_amount_minor")),
        sa.CheckConstraint(
            "(state = 'confirmed') <= (pnr IS NOT NULL)", name=op.f("ck_orders_confirmed_has_pnr")
        ),
    )


def _index_orders():
    live = sa.text("state IN ('held', 'paying')")
    wanted = sa.text("state IN ('held', 'paying', 'confirmed')")
    op.create_index(
        "uq_orders_pnr", "orders", ["pnr"], unique=True, postgresql_where=sa.text("pnr IS NOT NULL")
    )
    op.create_index(
        "uq_orders_slot",
        "orders",
        ["account_id", "sale_date", "slot"],
        unique=True,
        postgresql_where=wanted,
    )
    op.create_index("ix_orders_account_id", "orders", ["account_id", "created_at"])
    op.create_index("ix_orders_live", "orders", ["expires_at"], postgresql_where=live)
    op.create_index("ix_orders_run_id", "orders", ["run_id"], postgresql_where=wanted)


def _create_passenger():
    op.create_table(
        "passenger",
        sa.Column(
            "order_id",
            sa.Uuid(),
            sa.ForeignKey("orders.order_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("position", sa.SmallInteger(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("identity_kind", sa.Text(), nullable=False),
        sa.Column("identity_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("identity_masked", sa.Text(), nullable=False),
        sa.Column("seat_id", sa.Integer(), nullable=False),
        sa.Column("seat_number", sa.Text(), nullable=False),
        sa.Column("coach_letter", sa.Text(), nullable=False),
        sa.Column("seat_class", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.Integer(), nullable=False),
    )


def _create_seat_claim():
    op.create_table(
        "seat_claim",
        sa.Column("claim_id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("seat_id", sa.Integer(), nullable=False),
        sa.Column("segments", postgresql.INT4RANGE(), nullable=False),
        sa.Column(
            "order_id",
            sa.Uuid(),
            sa.ForeignKey("orders.order_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("passenger_digest", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _time("expires_at", nullable=True),
        sa.CheckConstraint(
            "state IN ('held', 'sold', 'released', 'expired', 'cancelled')",
            name=op.f("ck_seat_claim_state"),
        ),
        sa.CheckConstraint("NOT isempty(segments)", name=op.f("ck_seat_claim_segments")),
    )
    op.execute(
        "ALTER TABLE seat_claim ADD CONSTRAINT seat_claim_no_overlap EXCLUDE USING gist "
        "(run_id WITH =, seat_id WITH =, segments WITH &&) WHERE (state IN ('held', 'sold'))"
    )
    op.create_index(
        "uq_seat_claim_passenger_on_run",
        "seat_claim",
        ["run_id", "passenger_digest"],
        unique=True,
        postgresql_where=sa.text("state IN ('held', 'sold')"),
    )
    op.create_index("ix_seat_claim_order_id", "seat_claim", ["order_id"])


def _create_ticket():
    op.create_table(
        "ticket",
        sa.Column("ticket_id", sa.Uuid(), primary_key=True),
        sa.Column(
            "order_id",
            sa.Uuid(),
            sa.ForeignKey("orders.order_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _time("issued_at"),
        sa.CheckConstraint("state IN ('issued', 'void')", name=op.f("ck_ticket_state")),
    )
    op.create_index("ix_ticket_order_id", "ticket", ["order_id"])


def _create_followed_runs_and_outbox():
    op.create_table(
        "closed_run", sa.Column("run_id", sa.Uuid(), primary_key=True), _time("closed_at")
    )
    op.create_table(
        "followed_change",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.Uuid(), primary_key=True),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        _time("created_at"),
        _time("due_at"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("last_error", sa.Text()),
        _time("delivered_at", nullable=True),
    )
    op.create_index(
        "ix_outbox_undelivered",
        "outbox",
        ["topic", "due_at"],
        postgresql_where=sa.text("delivered_at IS NULL"),
    )


def downgrade():
    for table in (
        "outbox",
        "followed_change",
        "closed_run",
        "ticket",
        "seat_claim",
        "passenger",
        "orders",
    ):
        op.drop_table(table)
