"""The order service: seat claims, orders, issued tickets. It sells nothing twice."""

from flask import Flask

from chassis.application import build_app
from order import routes, service_routes
from order.models import db
from order.parts import build_parts
from order.settings import Settings
from order.shortcuts import shortcuts_of


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings.from_env()
    app = build_app(
        "order",
        settings,
        db=db,
        blueprints=[routes.blueprint, service_routes.blueprint],
        description=__doc__,
        import_name="order",
    )
    app.extensions["parts"] = build_parts(app, settings, app.extensions["redis"])
    app.shortcuts = shortcuts_of(app)
    return app
