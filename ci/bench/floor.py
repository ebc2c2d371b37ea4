"""The floor: the least that a Flask application can do, under the services' own server settings."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello():
    return "hello"
