"""Windows, the inlet, and what staff changed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def _time(name, nullable=False):
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _count(name):
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def upgrade():
    op.create_table(
        "waiting_window",
        sa.Column("window_id", sa.Uuid(), primary_key=True),
        sa.Column("run_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        _time("opens_at"),
        _time("closes_at"),
        sa.Column("seats_total", sa.Integer(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("early_places", sa.BigInteger()),
        _count("early_counted"),
        sa.Column("early_sketch", sa.LargeBinary()),
        _count("numbers_reserved"),
        _time("lease_until", nullable=True),
        _count("serving"),
        sa.Column("stock", sa.Text(), nullable=False, server_default="open"),
        sa.Column("people_per_second", sa.Float(), nullable=False, server_default="0"),
        _time("calm_since", nullable=True),
        _time("cooled_at", nullable=True),
        _time("created_at"),
        sa.CheckConstraint(
            "opens_at < closes_at", name=op.f("ck_waiting_window_opens_before_it_closes")
        ),
        sa.CheckConstraint(
            "stock IN ('open', 'sold_out', 'held_by_others')", name=op.f("ck_waiting_window_stock")
        ),
        sa.CheckConstraint("octet_length(seed) = 32", name=op.f("ck_waiting_window_seed")),
        sa.CheckConstraint(
            "serving >= 0 AND numbers_reserved >= 0", name=op.f("ck_waiting_window_numbers")
        ),
    )
    op.create_index("ix_waiting_window_closes_at", "waiting_window", ["closes_at"])
    op.create_table(
        "inlet",
        sa.Column("inlet_id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("people_per_second", sa.Float(), nullable=False),
        _time("ticked_at"),
        sa.CheckConstraint("inlet_id = 1", name=op.f("ck_inlet_only_one")),
    )
    op.create_table(
        "staff_change",
        sa.Column("change_id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("window_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        _time("changed_at"),
        sa.Column("before", postgresql.JSONB()),
        sa.Column("after", postgresql.JSONB(), nullable=False),
    )
    op.create_index("ix_staff_change_window_id", "staff_change", ["window_id"])


def downgrade():
    op.drop_table("staff_change")
    op.drop_table("inlet")
    op.drop_table("waiting_window")
