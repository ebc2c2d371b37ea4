"""
`/metrics` by prometheus-flask-exporter, over all gunicorn workers where
PROMETHEUS_MULTIPROC_DIR is set.

The exporter's default hooks look every label up anew at each request and write to a mapped file
twice; here durations are counted in batches (ARCHITECTURE.md, "What a request costs") under the
same name and labels, by url rule and never by raw path.
"""

import functools
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client import Counter as Counted
from prometheus_flask_exporter import PrometheusMetrics
from prometheus_flask_exporter.multiprocess import GunicornInternalPrometheusMetrics

from chassis.batches import flush_batches
from chassis.visits import Visit

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
Labels = tuple[str, int, str]


class Durations:
    """Time to answer, by method, status and url rule."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._histogram = Histogram(
            "flask_http_request_duration_seconds",
            "Time to answer, by method, status and url rule",
            ("method", "status", "url_rule"),
            buckets=BUCKETS,
            registry=registry,
        )
        self._children: dict[Labels, Histogram] = {}

    def count(self, visits: Iterable[Visit]) -> None:
        found: dict[Labels, list[float]] = {}
        for visit in visits:
            found.setdefault((visit.method, visit.status, visit.rule), []).append(visit.seconds)
        for labels, seconds in found.items():
            _observe_all(self._child(labels), seconds)

    def _child(self, labels: Labels) -> Histogram:
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._histogram.labels(*labels)
        return child


def _observe_all(child: Histogram, seconds: list[float]) -> None:
    """`Histogram.observe` of each, with one write a bucket; the library has no call for that."""
    child._sum.inc(sum(seconds))  # noqa: SLF001
    for bucket, count in Counter(bisect_left(BUCKETS, found) for found in seconds).items():
        child._buckets[bucket].inc(count)  # noqa: SLF001


def register_metrics(app: Flask, *, version: str) -> Durations:
    registry = CollectorRegistry()
    kind = (
        GunicornInternalPrometheusMetrics
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        else PrometheusMetrics
    )
    metrics = kind.for_app_factory(registry=registry, export_defaults=False)
    metrics.init_app(app)
    metrics.info("app", "The service and its version", service=app.name, version=version)
    shown = _with_the_latest(app.view_functions["prometheus_metrics"])
    vars(shown)["identity_rule"] = "public"
    app.view_functions["prometheus_metrics"] = shown
    app.extensions["failing_checks"] = Counted(
        "failing_checks", "Checks of /readyz that failed, by name", ("check",), registry=registry
    )
    return Durations(registry)


def _with_the_latest(view: Callable[..., Any]) -> Callable[..., Any]:
    """Write first what waits in this process; the others' numbers lag a tenth of a second."""

    @functools.wraps(view)
    def shown(*args: Any, **kwargs: Any) -> Any:
        flush_batches()
        return view(*args, **kwargs)

    return shown
