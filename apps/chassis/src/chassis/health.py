"""
`/healthz` says that the process runs; `/readyz` that it can serve, and names what fails.

A check may be soft: it is reported and does not take the service out of the line.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, Response, jsonify
from prometheus_client import Counter

from chassis.identity import public

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    name: str
    run: Callable[[], Any]
    is_soft: bool = False


def register_health(app: Flask, checks: list[Check]) -> None:
    health = Blueprint("health", __name__)
    failing: Counter = app.extensions["failing_checks"]

    @health.get("/healthz")
    @public
    def healthz() -> Response:
        return jsonify(status="ok")

    @health.get("/readyz")
    @public
    def readyz() -> tuple[Response, int]:
        results = {check.name: _outcome(check) for check in checks}
        for name in (name for name, outcome in results.items() if outcome != "ok"):
            failing.labels(name).inc()
        ready = all(check.is_soft or results[check.name] == "ok" for check in checks)
        return jsonify(ready=ready, checks=results), 200 if ready else 503

    app.register_blueprint(health)


def _outcome(check: Check) -> str:
    try:
        check.run()
    except Exception as error:  # noqa: BLE001 - whatever fails is named, never raised
        _log.warning("%s is failing: %s", check.name, error)
        return f"failing ({type(error).__name__})"
    return "ok"
