"""The migrations make the tables that the models say, and can be taken back."""

import re
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect

import ticket
from ticket.models import db

VERSIONS = Path(ticket.__file__).parent / "migrations" / "versions"


def test_migrated_database_matches_the_models(app):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []


def test_migrations_are_numbered_without_gaps():
    names = sorted(path.name for path in VERSIONS.glob("*.py"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.py", name) for name in names)


def test_migrations_can_be_taken_back_and_run_again(app):
    db.session.remove()
    downgrade(revision="base")
    try:
        assert set(inspect(db.engine).get_table_names()) == {"alembic_version"}
    finally:
        upgrade()
    assert "run_version" in inspect(db.engine).get_table_names()
