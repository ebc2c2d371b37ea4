"""One way to build a service's Flask application; each service adds its routes and its checks."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import flask_smorest
import orjson
import swagger_ui_bundle
from flask import Flask, Response, request, send_from_directory
from flask.json.provider import JSONProvider
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

from chassis.batches import Batch
from chassis.cache import SoftRedis
from chassis.database import register_database
from chassis.health import Check, register_health
from chassis.identity import TokenVerifier, public
from chassis.logs import are_requests_logged, configure_logging, write_request_lines
from chassis.metrics import Durations, register_metrics
from chassis.problems import CONTENT_TYPE, Problem, ProblemSchema, register_problem_handlers
from chassis.settings import ServiceSettings
from chassis.shortcuts import BODY_BYTES_MAX, Answer, Environ, Shortcut, problem_answer
from chassis.visits import Visit, begin_visit, current_visit, end_visit

VERSION = "0.1.0"


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
    """
    Flask with one record of each request around it (`chassis.visits`) instead of hooks within, and
    with shortcuts before it.
    """

    def __init__(self, import_name: str) -> None:
        super().__init__(import_name, static_folder=None)
        self.shortcuts: tuple[Shortcut, ...] = ()
        self._visits: Batch[Visit] | None = None

    def record_visits(self, durations: Durations) -> None:
        """Called once it is known what the log takes."""
        is_logged = are_requests_logged()

        def write(visits: list[Visit]) -> None:
            durations.count(visits)
            if is_logged:
                write_request_lines(self.name, visits)

        self._visits = Batch(write)

    def wsgi_app(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        visit, token = begin_visit(environ)

        def begin(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            headers.append(("X-Request-Id", visit.request_id))
            visit.end(int(status[:3]))
            if self._visits is not None:
                self._visits.add(visit)
            return start_response(status, headers, *error)

        try:
            for shortcut in self.shortcuts:
                answer = self._short_answer(shortcut, environ, visit)
                if answer is not None:
                    begin(answer.status_line, answer.header_list())
                    return (answer.body,)
            return super().wsgi_app(environ, begin)
        finally:
            end_visit(token)

    def _short_answer(self, shortcut: Shortcut, environ: Environ, visit: Visit) -> Answer | None:
        try:
            answer = shortcut.answer(environ)
        except Problem as problem:
            answer = problem_answer(problem)
        except Exception as error:  # noqa: BLE001 - answered as if a view had raised it
            with self.request_context(environ):
                answer = _as_answer(self.make_response(self.handle_user_exception(error)))
        if answer is not None:
            visit.rule = shortcut.rule
        return answer

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Response:
        visit, rule = current_visit(), request.url_rule
        if visit is not None and rule is not None:
            visit.rule = rule.rule
        return super().finalize_request(rv, from_error_handler)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view or hook of ours is a coroutine, so none is asked, seven times a request."""
        return func


def _as_answer(response: Response) -> Answer:
    kept = [(n, v) for n, v in response.headers if n not in {"Content-Type", "Content-Length"}]
    return Answer(
        response.status_code, response.get_data(), response.content_type or "", tuple(kept)
    )


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
) -> Application:
    """
    Put the parts together. `import_name` is the service's package, so that `root_path` finds its
    migrations; `name` becomes the app's name, its prefix `/api/<name>` and its metric label.
    """
    configure_logging(name, settings.log_level)
    app = Application(import_name)
    app.name = name
    app.json = OrjsonProvider(app)
    app.extensions["settings"] = settings
    app.extensions["verifier"] = TokenVerifier(settings.jwks_url)
    soft_redis = app.extensions["redis"] = SoftRedis(
        settings.redis_url, timeout_seconds=settings.redis_timeout_seconds
    )
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES_MAX, **_documentation(name, description))
    app.record_visits(register_metrics(app, version=VERSION))
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
