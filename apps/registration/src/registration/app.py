"""The registration service: accounts, mailed codes, sessions; the only signer of access tokens."""

from flask import Flask

from chassis.application import build_app
from chassis.cache import Throttle
from registration.models import db
from registration.routes import BLUEPRINTS
from registration.settings import Settings
from registration.signing import register_signing

DESCRIPTION = """
Accounts of people who buy tickets. Register with a code that comes by mail, sign in, and call the
other services with the access token; they verify it with the keys published here.
"""


def create_app(settings: Settings | None = None) -> Flask:
    settings = settings or Settings.from_env()
    app = build_app(
        "registration",
        settings,
        db=db,
        blueprints=BLUEPRINTS,
        description=DESCRIPTION,
        import_name="registration",
    )
    app.extensions["throttle"] = Throttle(app.extensions["redis"])
    register_signing(app, settings.access_token_key, settings.access_token_previous_key)
    return app
