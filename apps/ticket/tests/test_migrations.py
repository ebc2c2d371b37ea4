"""The migrations make the tables that the models say, and can be taken back."""

from pathlib import Path

import ticket
from chassis.testing import (
    differences_from_models,
    misnumbered_migrations,
    tables_after_undoing_migrations,
)
from ticket.models import db


def test_migrated_database_matches_the_models(app):
    assert differences_from_models(db) == []


def test_migrations_are_numbered_without_gaps():
    assert misnumbered_migrations(Path(ticket.__file__).parent) == []


def test_migrations_can_be_taken_back_and_run_again(app):
    assert tables_after_undoing_migrations(db) == ["alembic_version"]
    assert differences_from_models(db) == []
