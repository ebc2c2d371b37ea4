"""Runs the migrations of registration."""

from chassis.migrating import run_migrations

run_migrations()
