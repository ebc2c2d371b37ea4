"""How migrations reach the database: through the application's own engine and limits."""

from alembic import context
from flask import current_app

database = current_app.extensions["migrate"].db

with database.engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=database.metadata, compare_server_default=False
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
