"""The ticket service: the catalogue of what can be ridden. It sells nothing and knows no buyer."""

from datetime import timedelta

from flask import Flask, current_app

from chassis.application import build_app, utc_now
from chassis.health import Check
from ticket import routes, staff_routes
from ticket.catalogue import CatalogueReader
from ticket.models import db
from ticket.settings import Settings

DESCRIPTION = (
    "Stations, trains, seat classes, fares and runs. A run's definition is versioned: a version "
    "never changes, and /run-changes tells of new ones."
)


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings.from_env()
    app = build_app(
        "ticket",
        settings,
        db=db,
        blueprints=[routes.blueprint, staff_routes.blueprint],
        description=DESCRIPTION,
        checks=[Check("timetable", _check_timetable, is_soft=True)],
        import_name=__package__ or "ticket",
    )
    app.extensions["catalogue"] = CatalogueReader(refresh_seconds=settings.snapshot_seconds)
    return app


def _check_timetable() -> None:
    """Without runs of tomorrow the worker has not done its work."""
    now = utc_now()
    catalogue = current_app.extensions["catalogue"].snapshot(now)
    tomorrow = (now + timedelta(days=1)).date().isoformat()
    if not any(run.head["service_date"] == tomorrow for run in catalogue.listed.values()):
        raise LookupError(f"There are no runs of {tomorrow}.")
