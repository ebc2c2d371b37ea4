"""
How a JSON body is read. The standard library's parser fails on deep nesting and on endless
numbers, and lets through lone surrogates and NaN, which nothing behind it can store.
"""

from typing import Any

import flask_smorest
import orjson
from flask import Request
from marshmallow import Schema
from webargs.core import missing
from webargs.flaskparser import FlaskParser, is_json_request


class BodyParser(FlaskParser):
    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002 - webargs calls it so
        """Nothing sent, or sent as something else than JSON, is `missing`."""
        if not is_json_request(req):
            return missing
        body = req.get_data(cache=True)
        if not body:
            return missing
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return self._handle_invalid_json_error(error, req)


# Blueprints take the parser when a route is declared, so it is set before any route can be.
flask_smorest.Blueprint.ARGUMENTS_PARSER = BodyParser()
