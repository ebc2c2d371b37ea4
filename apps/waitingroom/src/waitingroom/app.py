"""The waiting room: signed places, a lottery that anybody can check, and admission passes."""

from flask import Flask

from chassis.application import build_app
from waitingroom import routes, staff_routes
from waitingroom.models import db
from waitingroom.parts import build_parts
from waitingroom.settings import Settings
from waitingroom.shortcuts import shortcuts_of

DESCRIPTION = """
The line before the ticket office. Take a place, poll what number is served, and exchange the place
for an admission pass when yours comes up. Who comes before the opening is shuffled at the opening;
who comes later is served in the order of coming.
"""


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings.from_env()
    app = build_app(
        "waitingroom",
        settings,
        db=db,
        blueprints=[routes.blueprint, staff_routes.blueprint],
        description=DESCRIPTION,
        import_name="waitingroom",
    )
    app.extensions["parts"] = build_parts(settings, app.extensions["redis"])
    app.shortcuts = shortcuts_of(app)
    return app
