"""What the README tells people to type names all that it must."""

import re

from ci.manifests.references import inputs_of
from ci.manifests.rendering import ROOT


def test_new_peer_secrets_reach_all_that_read_them(rendered):
    lines = (ROOT / "gitops" / "README.md").read_text().splitlines()
    restarted = set(re.findall(r"[\w-]+", " ".join(one for one in lines if "restart" in one)))
    readers = {
        pod.name
        for pod in rendered.environments["prod"].pods()
        if pod.kind in {"Rollout", "Deployment"}
        and any(name == "peer-secrets" for _, name, _ in inputs_of(pod))
    }
    assert {"order", "order-worker", "payment", "payment-worker"} <= readers <= restarted
