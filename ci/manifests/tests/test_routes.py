"""
Who hears of what: faults planted in the tree of routes, and the tree itself put to Alertmanager's
own programs.
"""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from datetime import UTC, datetime

import pytest
import yaml
from ci.manifests.alerting import native, route_of
from ci.manifests.tests.planting import expect, schema_faults

needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None,
    reason="THE ROUTES WERE NOT TRIED: amtool comes with Alertmanager (prometheus-alertmanager).",
)
PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
needs_alertmanager = pytest.mark.skipif(
    PROGRAM is None, reason="NO INHIBITION WAS TRIED: there is no Alertmanager on this machine."
)


def routes(environment):
    return environment.named("AlertmanagerConfig", "railgate")


# Planted


def test_an_alert_that_nobody_hears_of_is_named(tree, prod, code):
    del routes(prod)["spec"]["route"]["routes"][2]
    expect(tree, code, "AlertmanagerConfig railgate", "nobody hears of ReleaseAborted")


def test_a_page_that_wakes_nobody_is_named(tree, prod, code):
    routes(prod)["spec"]["route"]["routes"][1]["receiver"] = "chat"
    expect(tree, code, "prod/foundation", "BurnsBudgetWithinTwoDays wakes nobody")


def test_a_heartbeat_that_stands_still_is_named(tree, prod, code):
    del routes(prod)["spec"]["route"]["routes"][0]["repeatInterval"]
    expect(tree, code, "Watchdog does not beat")


def test_an_inhibition_that_stops_the_heartbeat_is_named(tree, prod, code):
    rule = routes(prod)["spec"]["inhibitRules"][0]
    rule["targetMatch"] = [{"name": "alertname", "value": ".*", "matchType": "=~"}]
    expect(tree, code, "an inhibition stops the heartbeat")


def test_an_inhibition_by_an_alert_that_was_renamed_is_named(tree, prod, code):
    routes(prod)["spec"]["inhibitRules"][1]["sourceMatch"][0]["value"] = "PostgresDown"
    expect(tree, code, "speaks of PostgresDown, which is no alert")


def test_a_receiver_that_does_not_exist_is_named(tree, prod, code):
    routes(prod)["spec"]["route"]["routes"][1]["receiver"] = "pagers"
    expect(tree, code, "there is no receiver pagers")


def test_a_receiver_whose_key_nobody_keeps_is_named(tree, prod, code):
    secret = prod.named("ExternalSecret", "alerting")
    secret["spec"]["data"] = secret["spec"]["data"][1:]
    expect(tree, code, "pager: Secret alerting has no key PAGER_ROUTING_KEY")


def test_an_address_in_git_is_named(tree, prod, code):
    heartbeat = routes(prod)["spec"]["receivers"][1]["webhookConfigs"][0]
    del heartbeat["urlSecret"]
    heartbeat["url"] = "https://beat.example/1234"
    expect(tree, code, "heartbeat names its address in Git")


def test_a_misspelt_field_of_the_tree_is_named(tree, prod):
    routes(prod)["spec"]["inhibitRules"][0]["targetMatchers"] = []
    assert any("targetMatchers" in fault for fault in schema_faults(tree))


def test_an_alertmanager_that_looks_at_one_namespace_only_is_named(tree, code):
    platform = next(
        b for b in tree.argocd if b["metadata"]["name"] == "platform" and "generators" in b["spec"]
    )
    lists = platform["spec"]["generators"][0]["matrix"]["generators"][1]["list"]["elements"]
    monitoring = next(one for one in lists if one["name"] == "monitoring")
    del monitoring["source"]["helm"]["valuesObject"]["alertmanager"]
    expect(tree, code, "would hear of one namespace only")


# Tried


@pytest.fixture(params=["dev", "staging", "prod"])
def config(request, rendered, tmp_path):
    body = routes(rendered.environments[request.param])
    path = tmp_path / "alertmanager.yaml"
    path.write_text(yaml.safe_dump(native(body)))
    return request.param, body, path


ALERTS = [
    {"alertname": "Watchdog", "severity": "none"},
    {"alertname": "BurnsBudgetWithinTwoDays", "severity": "page", "namespace": "railgate-prod"},
    {"alertname": "KubeAPIDown", "severity": "critical"},
    {"alertname": "ReleaseAborted", "severity": "ticket", "namespace": "railgate-prod"},
    {"alertname": "NodeClockSkewDetected", "severity": "warning"},
    {"alertname": "InfoInhibitor", "severity": "none"},
    {"alertname": "CPUThrottlingHigh", "severity": "info"},
]


@needs_amtool
def test_amtool_finds_no_fault_in_the_tree_and_leads_alerts_where_we_say(config):
    name, body, path = config
    subprocess.run(["amtool", "check-config", path], check=True, capture_output=True)
    pager = "pager" if name == "prod" else "chat"
    wanted = ["heartbeat", pager, pager, "chat", "chat", "nobody", "nobody"]
    for labels, receiver in zip(ALERTS, wanted, strict=True):
        command = ["amtool", "config", "routes", "test", f"--config.file={path}"]
        command += [f"{key}={value}" for key, value in labels.items()]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert done.stdout.split() == [receiver], labels
        assert route_of(body["spec"]["route"], labels)["receiver"] == receiver


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def alertmanager(rendered, tmp_path):
    path = tmp_path / "alertmanager.yaml"
    path.write_text(yaml.safe_dump(native(routes(rendered.environments["prod"]))))
    port = free_port()
    command = [PROGRAM, f"--config.file={path}", f"--storage.path={tmp_path}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    yield f"http://127.0.0.1:{port}/api/v2"
    process.terminate()
    process.wait(timeout=10)


def ask(address, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read() or "null")


def until(asked, seconds=20):
    ends = time.monotonic() + seconds
    while True:
        try:
            if found := asked():
                return found
        except OSError:
            pass
        assert time.monotonic() < ends, "Alertmanager did not answer"
        time.sleep(0.1)


def silenced(address, alerts):
    """The alerts that do not get through while all of these fire."""
    until(lambda: ask(f"{address}/status"))
    started = datetime.now(UTC).isoformat()
    ask(f"{address}/alerts", [{"labels": labels, "startsAt": started} for labels in alerts])
    until(lambda: len(ask(f"{address}/alerts")) == len(alerts))
    states = {
        (one["labels"]["alertname"], one["labels"].get("namespace"), one["labels"].get("job")): one
        for one in ask(f"{address}/alerts")
    }
    return {key for key, one in states.items() if one["status"]["inhibitedBy"]}


@needs_alertmanager
def test_what_follows_from_a_cause_is_silent_and_nothing_else(alertmanager):
    prod = {"namespace": "railgate-prod", "job": "order", "severity": "page"}
    alerts = [
        prod | {"alertname": "DatabaseDoesNotAnswer"},
        prod | {"alertname": "BurnsBudgetWithinTwoDays"},
        prod | {"alertname": "BurnsBudgetWithinTenDays", "severity": "ticket", "job": "payment"},
        prod | {"alertname": "SlowForTenMinutes"},
        prod | {"alertname": "NobodyIsScraped"},
        prod | {"alertname": "SlowForTenMinutes", "namespace": "railgate-dev"},
        {"alertname": "Watchdog", "severity": "none"},
    ]
    assert silenced(alertmanager, alerts) == {
        ("BurnsBudgetWithinTwoDays", "railgate-prod", "order"),
        ("BurnsBudgetWithinTenDays", "railgate-prod", "payment"),
        ("SlowForTenMinutes", "railgate-prod", "order"),
    }


@needs_alertmanager
def test_a_quick_burn_silences_the_slow_one_of_the_same_service(alertmanager):
    burn = {"namespace": "railgate-prod", "alertname": "BurnsBudgetWithinTenDays"}
    alerts = [
        burn | {"alertname": "BurnsBudgetWithinTwoDays", "job": "order", "severity": "page"},
        burn | {"job": "order", "severity": "ticket"},
        burn | {"job": "payment", "severity": "ticket"},
    ]
    assert silenced(alertmanager, alerts) == {
        ("BurnsBudgetWithinTenDays", "railgate-prod", "order")
    }
