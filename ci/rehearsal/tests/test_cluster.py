"""
The cluster test's own judgement, tried on a kubectl that plays a cluster's answers. No cluster runs
here: what this shows is that the test would see a failed release, not that releases work.
"""

import json
import socket
import sys
import textwrap
import threading

import pytest
import yaml
from ci.rehearsal import cluster as e2e
from ci.rehearsal import cluster_buyers as buyers

TEMPLATE = {"spec": {"containers": [{"name": "web", "env": [
    {"name": "WEB_BIND", "value": "0.0.0.0:8080"}, {"name": "JWKS_URL", "value": "http://x"},
]}]}}  # fmt: skip


def a_rollout(*, stable="aaa", current="aaa", phase="Healthy", generation=3, seen="3", abort=False):
    return {
        "metadata": {"generation": generation},
        "spec": {"template": TEMPLATE},
        "status": {
            "stableRS": stable,
            "currentPodHash": current,
            "phase": phase,
            "observedGeneration": seen,
            "abort": abort,
        },
    }


def test_promoted_is_another_hash_seen_and_healthy():
    assert e2e.is_promoted(a_rollout(stable="bbb", current="bbb"), "aaa")
    assert not e2e.is_promoted(a_rollout(stable="aaa", current="aaa"), "aaa")
    assert not e2e.is_promoted(a_rollout(stable="aaa", current="bbb"), "aaa")
    assert not e2e.is_promoted(a_rollout(stable="bbb", current="bbb", phase="Paused"), "aaa")
    assert not e2e.is_promoted(a_rollout(stable="bbb", current="bbb", seen="2"), "aaa")


def test_the_broken_release_keeps_the_rest_of_its_container_and_is_mended():
    good = a_rollout()
    told = e2e.broken_patch(good)["spec"]["template"]["spec"]["containers"][0]["env"]
    variables = {one["name"]: one["value"] for one in told}
    assert variables["WEB_BIND"] == "0.0.0.0:8080"
    assert variables["JWKS_URL"] == e2e.BROKEN["JWKS_URL"]
    assert len(told) == len(variables)
    mended = e2e.mended_patch(good)["spec"]["template"]["spec"]
    assert mended == TEMPLATE["spec"]


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    """A program named kubectl that answers from a file and writes down what it was asked."""
    answers = tmp_path / "answers.json"
    program = tmp_path / "kubectl"
    program.write_text(
        textwrap.dedent(f"""\
        #!{sys.executable}
        import json, pathlib, sys
        words = [w for w in sys.argv[1:] if not w.startswith("--")][1:]
        asked = pathlib.Path({str(tmp_path / "asked")!r})
        asked.write_text((asked.read_text() if asked.exists() else "") + " ".join(words) + "\\n")
        answers = json.loads(pathlib.Path({str(answers)!r}).read_text())
        found = answers.get(" ".join(words[:3]), answers.get(words[0]))
        if found is None:
            sys.exit("not found")
        if isinstance(found, list):
            found = found[min(asked.read_text().count(" ".join(words[:3])), len(found)) - 1]
        print(json.dumps(found))
        """)
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(e2e.time, "sleep", lambda _seconds: None)

    def play(**said):
        answers.write_text(json.dumps({name.replace("_", " "): v for name, v in said.items()}))

    return play


def acts():
    return e2e.Acts(e2e.Cluster("railgate-dev"), "order", buyers.Seen())


def a_service(pod_hash):
    return {"spec": {"selector": {e2e.HASH: pod_hash}}}


def test_a_release_is_waited_for_until_it_is_promoted(kubectl):
    old, on_its_way = a_rollout(), a_rollout(current="bbb", phase="Progressing")
    new = a_rollout(stable="bbb", current="bbb")
    kubectl(get_rollout_order=[old, on_its_way, new], patch={})
    played = acts()
    played.act("release", played.release)
    assert played.faults == []
    assert "aaa -> bbb" in played.lines[0]


def test_a_broken_release_that_is_aborted_is_a_good_sign(kubectl):
    aborted = a_rollout(current="bbb", phase="Degraded", abort=True)
    kubectl(
        get_rollout_order=[a_rollout(), aborted, a_rollout()],
        get_service_order=a_service("aaa"),
        patch={},
    )
    played = acts()
    played.act("broken release", played.release_broken)
    assert played.faults == []


def test_a_broken_release_that_reaches_buyers_fails_the_test(kubectl):
    kubectl(get_rollout_order=a_rollout(), get_service_order=a_service("bbb"), patch={})
    played = acts()
    played.act("broken release", played.release_broken)
    assert "was promoted" in played.faults[0]


def test_a_release_that_never_comes_fails_the_test(kubectl, monkeypatch):
    monkeypatch.setattr(e2e, "RELEASE_SECONDS", 0.0)
    kubectl(get_rollout_order=a_rollout(), patch={})
    played = acts()
    played.act("release", played.release)
    assert "was not promoted" in played.faults[0]


def test_one_lost_request_is_counted_in_its_act_and_fails_the_test(kubectl):
    kubectl(get_rollout_order=a_rollout(), patch={})
    played = acts()

    def lose_one():
        for deed in buyers.DEEDS:
            played.seen.note(deed, e2e.time.monotonic())
        played.seen.note(buyers.READ, e2e.time.monotonic(), "order 502")
        return "done"

    played.act("release", lose_one)
    assert "3 asked    1 failed" in played.lines[0]
    assert played.seen.faults() == ["1 of 3 failed, the first: order 502"]


def test_where_nobody_read_or_nobody_bought_nothing_is_proved():
    seen = buyers.Seen()
    seen.note(buyers.READ, 0.0)
    assert seen.faults() == ["no purchase succeeded, so nothing is proved"]
    seen.note(buyers.PURCHASE, 0.0)
    assert seen.faults() == []
    assert "no read succeeded, so nothing is proved" in buyers.Seen().faults()


def test_one_who_breaks_off_is_not_silently_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(buyers, "SMOKE", tmp_path / "none.py")
    for service in e2e.SERVICES:
        monkeypatch.setenv(f"SMOKE_{service.upper()}_URL", "")
    seen = buyers.Seen()
    with buyers.buying("http://127.0.0.1:none", "", 0.1, seen):
        pass
    said = [one.failure for one in seen.tried]
    assert any("the reads broke off: InvalidURL" in failure for failure in said)
    assert any("the purchases broke off: FileNotFoundError" in failure for failure in said)


def test_one_who_does_not_come_to_an_end_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(buyers, "ENDING_SECONDS", 0.1)
    for service in e2e.SERVICES:
        monkeypatch.setenv(f"SMOKE_{service.upper()}_URL", "")
    for name in ("SMOKE_EMAIL", "ACCOUNT_PASSWORD"):
        monkeypatch.setenv(name, "")
    seen = buyers.Seen()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with buyers.buying(address, "", 0.1, seen):
            threading.Event().wait(0.5)
    assert "the last purchase does not end" in [one.failure for one in seen.tried]


def test_drift_without_argo_cd_is_said_not_to_have_been_tried(kubectl):
    kubectl(patch={})
    played = acts()
    played.act("drift", played.heal_drift)
    assert "NOT TRIED" in played.lines[0]


def test_without_a_cluster_it_says_so_loudly(tmp_path, monkeypatch, kubectl):
    cluster = e2e.Cluster("railgate-dev")
    kubectl(patch={})
    with pytest.raises(e2e.NoCluster, match="does not answer"):
        e2e.demand_kubectl(cluster)
    kubectl(version={})
    with pytest.raises(e2e.NoCluster, match="no Argo Rollouts"):
        e2e.demand_kubectl(cluster)
    with pytest.raises(e2e.NoCluster, match="has no Rollout order"):
        e2e.demand_release(cluster, "order")
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(e2e.NoCluster, match="NOTHING WAS TRIED: there is no cluster"):
        e2e.main([])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(e2e.NoCluster, match="kubectl is not on this machine"):
        e2e.main([])


def test_a_release_that_another_clusters_argo_cd_would_take_back_is_not_tried(kubectl):
    owned = a_rollout()
    owned["metadata"]["annotations"] = {e2e.OWNED: "order-dev:argoproj.io/Rollout:dev/order"}
    kubectl(get_rollout_order=owned)
    with pytest.raises(e2e.NoCluster, match="would take the release back"):
        e2e.demand_release(e2e.Cluster("railgate-dev"), "order")


def test_the_set_of_applications_lets_one_of_them_be_held_still():
    text = (e2e.ROOT / "gitops" / "argocd" / "services.yaml").read_text()
    spec = yaml.safe_load(text)["spec"]
    assert e2e.PAUSED in spec["preservedFields"]["annotations"]
    named = spec["template"]["metadata"]["name"]
    assert named == "{{.path.basename}}-{{.environment}}"


def test_the_smoke_program_buys_through_the_front_door(monkeypatch):
    for service in e2e.SERVICES:
        monkeypatch.setenv(f"SMOKE_{service.upper()}_URL", "")
    program = buyers.smoke_program("https://dev.railgate.example")
    assert program.Passenger("").address("order") == "https://dev.railgate.example"
