"""Whatever a body holds, reading it is a refusal at worst."""

import flask_smorest
import pytest
from flask import Flask
from marshmallow import Schema, fields

from chassis.bodies import BodyParser
from chassis.problems import register_problem_handlers


class Named(Schema):
    name = fields.String()


@pytest.fixture
def client():
    app = Flask(__name__)
    blueprint = flask_smorest.Blueprint("names", __name__)
    register_problem_handlers(app)

    @blueprint.post("/names")
    @blueprint.arguments(Named)
    def name(body):
        return body

    app.register_blueprint(blueprint)
    return app.test_client()


@pytest.mark.parametrize(
    "body",
    [b"{", b"[" * 60_000, b'{"name": "\\ud800"}', b'{"\\ud800": 1}', b"NaN", b"\xff\xfe"],
)
def test_what_is_no_json_is_called_so(client, body):
    answer = client.post("/names", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("body", [b"[]", b"null", b"9" * 5000, b'{"name": 1e999}'])
def test_json_of_another_shape_is_refused(client, body):
    answer = client.post("/names", data=body, content_type="application/json")
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
def test_no_body_at_all_is_an_empty_one(client, content_type):
    assert client.post("/names", content_type=content_type).json == {}


def test_every_blueprint_reads_bodies_so():
    assert isinstance(flask_smorest.Blueprint.ARGUMENTS_PARSER, BodyParser)
