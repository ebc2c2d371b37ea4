"""Windows that follow the catalogue's openings, and those of them that were withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    automatic = sa.Column("is_automatic", sa.Boolean(), nullable=False, server_default="false")
    op.add_column("waiting_window", automatic)
    op.add_column("waiting_window", sa.Column("withdrawn_at", sa.DateTime(timezone=True)))


def downgrade():
    op.drop_column("waiting_window", "withdrawn_at")
    op.drop_column("waiting_window", "is_automatic")
