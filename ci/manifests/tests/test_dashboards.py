"""
Every panel shows something while the shop runs: its question is put to invented series, with the
labels that the real ones have, by Prometheus's own test program.
"""

import json
import subprocess

import pytest
import yaml
from ci.manifests.promql import filled_in, promtool, recorded_in

pytestmark = pytest.mark.skipif(
    promtool() is None, reason="NO PANEL WAS TRIED: promtool comes with Prometheus."
)

POD = {"namespace": "railgate-prod", "pod": "order-7d9-abc", "instance": "10.0.0.1:8080"}
SERVED = POD | {"rollouts_pod_template_hash": "7d9", "railgate_example_role": "active"}
REQUESTS = [
    ("order", "PUT", "/api/order/orders/<uuid:order_id>", "201"),
    ("order", "PUT", "/api/order/orders/<uuid:order_id>", "409"),
    ("order", "PUT", "/api/order/orders/<uuid:order_id>/confirmation", "201"),
    ("order", "PUT", "/api/order/orders/<uuid:order_id>/release", "200"),
    ("order", "PUT", "/api/order/orders/<uuid:order_id>/cancellation", "200"),
    ("order", "PUT", "/api/order/orders/<uuid:order_id>/payment-failure", "200"),
    ("order", "GET", "/api/order/runs/<uuid:run_id>/seat-map", "200"),
    ("order", "GET", "/readyz", "200"),
    ("order", "GET", "/readyz", "503"),
    ("payment", "PUT", "/api/payment/payments/<uuid:payment_id>", "201"),
    ("payment", "POST", "/api/payment/provider-events", "204"),
    ("payment", "PUT", "/api/payment/refunds/<uuid:refund_id>", "201"),
    ("waitingroom", "PUT", "/api/waitingroom/windows/<uuid:window_id>/places/me", "201"),
    ("waitingroom", "PUT", "/api/waitingroom/windows/<uuid:window_id>/admission", "201"),
    ("waitingroom", "GET", "/api/waitingroom/windows/<uuid:window_id>/now-serving", "200"),
]
KUBE = {"namespace": "railgate-prod", "job": "kube-state-metrics", "instance": "10.0.0.9:8080"}
SCALER = KUBE | {"horizontalpodautoscaler": "order"}
WEB = KUBE | {"pod": "order-7d9-abc", "container": "web"}
RELEASE = {"namespace": "railgate-prod", "name": "order", "job": "argo-rollouts-metrics"}
OTHERS = [
    ("up", SERVED | {"job": "order"}, "1+0"),
    ("failing_checks_total", SERVED | {"job": "order", "check": "redis"}, "0+1"),
    ("kube_horizontalpodautoscaler_status_current_replicas", SCALER, "3+0"),
    ("kube_horizontalpodautoscaler_spec_max_replicas", SCALER, "12+0"),
    ("kube_pod_container_resource_requests", WEB | {"resource": "cpu", "node": "a"}, "0.5+0"),
    ("kube_pod_container_status_restarts_total", WEB, "0+1"),
    ("container_cpu_usage_seconds_total", WEB | {"job": "kubelet", "cpu": "total"}, "0+3"),
    ("rollout_info", RELEASE | {"phase": "Progressing", "strategy": "blueGreen"}, "1+0"),
    ("rollout_events_total", RELEASE | {"reason": "RolloutCompleted", "type": "Normal"}, "0+1"),
    ("analysis_run_info", RELEASE | {"phase": "Running"}, "1+0"),
    ("analysis_run_metric_phase", RELEASE | {"metric": "p95", "phase": "Successful"}, "1+0"),
    (
        "argocd_app_info",
        {
            "name": "order-prod",
            "project": "railgate-prod",
            "sync_status": "OutOfSync",
            "health_status": "Healthy",
        },
        "1+0",
    ),
]


def series(name, labels, values):
    told = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return {"series": f"{name}{{{told}}}", "values": f"{values}x240"}


def invented():
    found = [series(name, labels, values) for name, labels, values in OTHERS]
    for job, method, rule, status in REQUESTS:
        labels = SERVED | {"job": job, "method": method, "url_rule": rule, "status": status}
        metric = "flask_http_request_duration_seconds"
        found.append(series(f"{metric}_count", labels, "0+30"))
        found.append(series(f"{metric}_sum", labels, "0+3"))
        for bound, values in (("0.1", "0+20"), ("+Inf", "0+30")):
            found.append(series(f"{metric}_bucket", labels | {"le": bound}, values))
    return found


def panels(environment):
    for text in environment.named("ConfigMap", "dashboards")["data"].values():
        board = json.loads(text)
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                if "expr" in target:
                    yield f"{board['uid']}: {panel['title']}", target["expr"]


def test_every_panel_shows_something_while_the_shop_runs(rendered, tmp_path):
    prod = rendered.environments["prod"]
    rules = prod.named("PrometheusRule", "objectives")["spec"]["groups"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": rules}))
    asked = list(panels(prod))
    assert len(asked) > 30
    assert any(name in query for _, query in asked for name in recorded_in(prod))
    samples = [
        {
            "expr": f"sgn(count({filled_in(query)}))",
            "eval_time": "55m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for _, query in asked
    ]
    test = {"interval": "15s", "input_series": invented(), "promql_expr_test": samples}
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [test]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(whole))
    command = [promtool(), "test", "rules", tmp_path / "test.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    empty = [title for title, query in asked if f"sgn(count({filled_in(query)}))" in said]
    assert (empty, done.returncode) == ([], 0), said[:2000]
