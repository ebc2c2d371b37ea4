"""
`/metrics` by prometheus-flask-exporter, over all gunicorn workers where
PROMETHEUS_MULTIPROC_DIR is set.

The exporter's default hooks look every label up anew at each request; one histogram with its
children kept costs a third of that (ARCHITECTURE.md, "What a request costs") and carries
the same name and labels, by url rule and never by raw path.
"""

import os
import time

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Histogram
from prometheus_flask_exporter import PrometheusMetrics
from prometheus_flask_exporter.multiprocess import GunicornInternalPrometheusMetrics

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def register_metrics(app: Flask, *, version: str) -> PrometheusMetrics:
    registry = CollectorRegistry()
    kind = (
        GunicornInternalPrometheusMetrics
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        else PrometheusMetrics
    )
    metrics = kind.for_app_factory(registry=registry, export_defaults=False)
    metrics.init_app(app)
    metrics.info("app", "The service and its version", service=app.name, version=version)
    vars(app.view_functions["prometheus_metrics"])["identity_rule"] = "public"
    _register_durations(app, registry)
    return metrics


def _register_durations(app: Flask, registry: CollectorRegistry) -> None:
    durations = Histogram(
        "flask_http_request_duration_seconds",
        "Time to answer, by method, status and url rule",
        ("method", "status", "url_rule"),
        buckets=BUCKETS,
        registry=registry,
    )
    children: dict[tuple[str, int, str], Histogram] = {}

    def observe(response: Response) -> Response:
        asked = request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        rule = asked.url_rule
        key = (asked.method, response.status_code, rule.rule if rule else "unknown")
        child = children.get(key)
        if child is None:
            child = children[key] = durations.labels(*key)
        child.observe(time.perf_counter() - g.began_at)
        return response

    app.after_request(observe)
