"""Runs the migrations of payment."""

from chassis.migrating import run_migrations

run_migrations()
