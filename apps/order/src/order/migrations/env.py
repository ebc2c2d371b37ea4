"""Runs the migrations of order."""

from chassis.migrating import run_migrations

run_migrations()
