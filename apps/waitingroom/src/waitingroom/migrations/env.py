"""Runs the waiting room's migrations."""

from chassis.migrating import run_migrations

run_migrations()
