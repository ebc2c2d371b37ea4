"""Runs the migrations of ticket."""

from chassis.migrating import run_migrations

run_migrations()
