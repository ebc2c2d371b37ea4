"""The sandbox's Flask application."""

from http import HTTPStatus

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from sandbox.page import page
from sandbox.refusals import Refusal, on_refusal, refusal_response
from sandbox.routes import api
from sandbox.settings import Settings
from sandbox.store import Store

BODY_BYTES_MAX = 16 * 1024


def create_app(settings: Settings) -> Flask:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.extensions["settings"] = settings
    app.extensions["store"] = Store(settings.folder)
    app.register_blueprint(api)
    app.register_blueprint(page)
    app.register_error_handler(Refusal, on_refusal)
    app.register_error_handler(HTTPException, _on_http_exception)
    app.after_request(_add_headers)

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    return app


def _on_http_exception(error: HTTPException) -> Response:
    phrase = HTTPStatus(error.code or 500).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    return refusal_response(error.code or 500, code, f"{phrase}.")


def _add_headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    if not response.content_type.startswith(("text/css", "text/javascript")):
        response.headers.setdefault("Cache-Control", "no-store")
    return response
