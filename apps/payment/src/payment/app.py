"""Payments, refunds and the ledger. Money is taken only for seats that are sold."""

from flask import Flask

from chassis.application import build_app
from payment import routes
from payment.models import db
from payment.parts import build_parts
from payment.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings.from_env()
    app = build_app(
        "payment",
        settings,
        db=db,
        blueprints=[routes.blueprint],
        description=__doc__,
        import_name="payment",
    )
    app.extensions["parts"] = build_parts(settings)
    return app
