"""One way to build a service's Flask application; each service adds its routes and its checks."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import flask_smorest
import orjson
import swagger_ui_bundle
from flask import Flask, Response, send_from_directory
from flask.json.provider import JSONProvider
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

from chassis.cache import SoftRedis
from chassis.database import register_database
from chassis.health import Check, register_health
from chassis.identity import TokenVerifier, public
from chassis.logs import configure_logging, register_request_log
from chassis.metrics import register_metrics
from chassis.problems import CONTENT_TYPE, ProblemSchema, register_problem_handlers
from chassis.settings import ServiceSettings

VERSION = "0.1.0"
BODY_BYTES_MAX = 64 * 1024


class OrjsonProvider(JSONProvider):
    def dumps(self, obj: Any, **_: Any) -> str:
        return orjson.dumps(obj, default=_as_json).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Any:
        body = orjson.dumps(self._prepare_response_obj(args, kwargs), default=_as_json)
        return Response(body, mimetype="application/json")


def _as_json(value: Any) -> Any:
    if isinstance(value, (UUID, Path)):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form.")


class Application(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view or hook of ours is a coroutine, so none is asked, seven times a request."""
        return func


class Api(flask_smorest.Api):
    """flask-smorest's documentation with our error format."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        register_problem_handlers(self._app)

    def _register_responses(self) -> None:
        # Only the error responses are registered here, and they are of another type.
        self.DEFAULT_RESPONSE_CONTENT_TYPE = CONTENT_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE


def build_app(
    name: str,
    settings: ServiceSettings,
    *,
    db: SQLAlchemy | None,
    blueprints: Sequence[flask_smorest.Blueprint],
    description: str,
    checks: Sequence[Check] = (),
    import_name: str,
) -> Flask:
    """
    Put the parts together. `import_name` is the service's package, so that `root_path` finds its
    migrations; `name` becomes the app's name, its prefix `/api/<name>` and its metric label.
    """
    configure_logging(name, settings.log_level)
    app = Application(import_name, static_folder=None)
    app.name = name
    app.json = OrjsonProvider(app)
    app.extensions["settings"] = settings
    app.extensions["verifier"] = TokenVerifier(settings.jwks_url)
    soft_redis = app.extensions["redis"] = SoftRedis(
        settings.redis_url, timeout_seconds=settings.redis_timeout_seconds
    )
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES_MAX, **_documentation(name, description))
    register_request_log(app)
    register_metrics(app, version=VERSION)
    every_check = [*checks, Check("redis", soft_redis.ping, is_soft=True)]
    if db is not None:
        register_database(app, db, settings)
        every_check.insert(0, Check("database", lambda: db.session.execute(text("SELECT 1"))))
    register_health(app, every_check)
    _register_api(app, name, blueprints)
    return app


def _documentation(name: str, description: str) -> dict[str, Any]:
    return {
        "API_TITLE": f"Railgate {name}",
        "API_VERSION": VERSION,
        "OPENAPI_VERSION": "3.0.3",
        "OPENAPI_URL_PREFIX": f"/api/{name}",
        "OPENAPI_JSON_PATH": "openapi.json",
        "OPENAPI_SWAGGER_UI_PATH": "docs",
        "OPENAPI_SWAGGER_UI_URL": f"/api/{name}/docs/assets/",
        "API_SPEC_OPTIONS": {
            "info": {"description": description},
        },
    }


def _register_api(app: Flask, name: str, blueprints: Sequence[flask_smorest.Blueprint]) -> None:
    api = Api(app)
    for scheme, whose in (("account", "An account's access token"), ("service", "A peer's token")):
        bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": whose}
        api.spec.components.security_scheme(scheme, bearer)
    for blueprint in blueprints:
        api.register_blueprint(blueprint, url_prefix=f"/api/{name}")

    @app.get(f"/api/{name}/docs/assets/<path:asset>")
    @public
    def docs_asset(asset: str) -> Any:
        return send_from_directory(swagger_ui_bundle.swagger_ui_path, asset, max_age=86_400)


def utc_now() -> datetime:
    """The only clock of routes, workers and commands."""
    return datetime.now(UTC)
