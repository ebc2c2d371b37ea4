"""Accounts, pending registrations, password resets, sessions, saved passengers and the outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_account()
    _create_outbox()
    _create_pending_registration()
    _create_password_reset()
    _create_saved_passenger()
    _create_session()
    _create_refresh_token()


def _create_account() -> None:
    op.create_table(
        "account",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mobile", sa.Text()),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_staff", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("identity_kind", sa.Text()),
        sa.Column("identity_sealed", sa.LargeBinary()),
        sa.Column("identity_masked", sa.Text()),
        sa.Column("identity_digest", sa.LargeBinary()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("email = lower(email)", name="email_is_lower_case"),
        sa.CheckConstraint(
            "num_nulls(identity_kind, identity_sealed, identity_masked, identity_digest) IN (0, 4)",
            name="identity_is_whole",
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_account"),
        sa.UniqueConstraint("email", name="uq_account_email"),
        sa.UniqueConstraint("identity_digest", name="uq_account_identity_digest"),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("delivered_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("message_id", name="pk_outbox"),
    )
    op.create_index(
        "ix_outbox_undelivered",
        "outbox",
        ["topic", "due_at"],
        postgresql_where=sa.text("delivered_at IS NULL"),
    )


def _create_pending_registration() -> None:
    op.create_table(
        "pending_registration",
        sa.Column("registration_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mobile", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("identity_kind", sa.Text(), nullable=False),
        sa.Column("identity_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("identity_masked", sa.Text(), nullable=False),
        sa.Column("identity_digest", sa.LargeBinary(), nullable=False),
        sa.Column("resend_after_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code_tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("code_tries BETWEEN 0 AND 5", name="tries_are_bounded"),
        sa.PrimaryKeyConstraint("registration_id", name="pk_pending_registration"),
    )
    op.create_index("ix_pending_registration_expires_at", "pending_registration", ["expires_at"])


def _create_password_reset() -> None:
    op.create_table(
        "password_reset",
        sa.Column("reset_id", sa.Uuid(), nullable=False),
        sa.Column("email_digest", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid()),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code_tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("code_tries BETWEEN 0 AND 5", name="tries_are_bounded"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
            name="fk_password_reset_account_id_account",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("reset_id", name="pk_password_reset"),
    )
    op.create_index("ix_password_reset_account_id", "password_reset", ["account_id"])


def _create_saved_passenger() -> None:
    op.create_table(
        "saved_passenger",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("passenger_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("identity_kind", sa.Text(), nullable=False),
        sa.Column("identity_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("identity_masked", sa.Text(), nullable=False),
        sa.Column("identity_digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
            name="fk_saved_passenger_account_id_account",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "passenger_id", name="pk_saved_passenger"),
    )


def _create_session() -> None:
    op.create_table(
        "session",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_because", sa.Text()),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.account_id"],
            name="fk_session_account_id_account",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", name="pk_session"),
    )
    op.create_index("ix_session_account_id", "session", ["account_id"])
    op.create_index("ix_session_expires_at", "session", ["expires_at"])


def _create_refresh_token() -> None:
    op.create_table(
        "refresh_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True)),
        sa.Column("successor_salt", sa.Text()),
        sa.CheckConstraint("num_nulls(rotated_at, successor_salt) IN (0, 2)", name="use_is_whole"),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["session.session_id"],
            name="fk_refresh_token_session_id_session",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_refresh_token"),
    )
    op.create_index("ix_refresh_token_session_id", "refresh_token", ["session_id"])


def downgrade() -> None:
    op.drop_table("refresh_token")
    op.drop_table("session")
    op.drop_table("saved_passenger")
    op.drop_table("password_reset")
    op.drop_table("pending_registration")
    op.drop_table("outbox")
    op.drop_table("account")
