"""How a service's migrations reach its database: each service's migrations/env.py calls this."""

from alembic import context
from flask import current_app

LOCK_TIMEOUT_MS = 4_000
STATEMENT_TIMEOUT_MS = 60_000


def run_migrations() -> None:
    """
    All pending migrations in one transaction. A migration that cannot get its lock in 4 s gives
    up: it must never stand in front of the sales of the version that still runs.
    """
    db = current_app.extensions["migrate"].db
    with db.engine.connect() as connection:
        connection.exec_driver_sql(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        connection.exec_driver_sql(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
        connection.commit()
        context.configure(connection=connection, target_metadata=db.metadata)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
        connection.invalidate()
