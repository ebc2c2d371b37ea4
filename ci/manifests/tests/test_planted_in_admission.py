"""Faults planted in the last door, in the order of add-ons and services, and in Envoy's kinds."""

import shutil
import subprocess

import pytest
from ci.manifests.tests.planting import container_of, expect, rollout, schema_faults


def signed(environment):
    return environment.named("ImageValidatingPolicy", "images-are-signed")["spec"]


def identity(environment):
    return signed(environment)["attestors"][0]["cosign"]["keyless"]["identities"][0]


def argocd(tree, kind, name):
    found = (one for one in tree.argocd if one["kind"] == kind)
    return next(one for one in found if one["metadata"]["name"] == name)


# The last door


def test_a_policy_that_lets_in_what_it_cannot_judge_is_named(tree, prod, code):
    signed(prod)["failurePolicy"] = "Ignore"
    expect(tree, code, "images-are-signed", "lets in what it cannot judge")


def test_a_policy_that_only_warns_is_named(tree, prod, code):
    prod.named("ValidatingPolicy", "pods-are-hardened")["spec"]["validationActions"] = ["Audit"]
    expect(tree, code, "pods-are-hardened", "only writes it down")


def test_a_policy_that_writes_digests_in_is_named(tree, prod, code):
    signed(prod)["validationConfigurations"]["mutateDigest"] = True
    expect(tree, code, "images-are-signed", "must demand a digest, and write in none")


@pytest.mark.parametrize(
    "subject",
    [
        "https://github.com/railgate/railgate/.github/workflows/main.yml@refs/heads/feature",
        "https://github.com/railgate/railgate/.*",
    ],
)
def test_a_signer_that_is_not_main_is_named(tree, prod, code, subject):
    identity(prod)["subject"] = subject
    expect(tree, code, "images-are-signed", "trusts another signer")


def test_a_signer_that_signs_nothing_is_named(tree, prod, code):
    subject = identity(prod)["subject"]
    identity(prod)["subject"] = subject.replace("main.yml", "nightly.yml")
    expect(tree, code, "trusts .github/workflows/nightly.yml, which signs nothing")


def test_an_image_that_would_not_be_let_in_is_named(tree, prod, code):
    container = container_of(rollout(prod))
    container["image"] = container["image"].replace("111122223333", "444455556666")
    expect(tree, code, "Rollout order", "railgate/order would not be let in")


def test_init_containers_that_nobody_looks_at_are_named(tree, prod, code):
    validation = signed(prod)["validations"][0]
    validation["expression"] = validation["expression"].replace("+ images.initContainers", "")
    expect(tree, code, "does not ask for images.initContainers")


def test_a_policy_for_another_namespace_is_named(tree, prod, code):
    constraints = signed(prod)["matchConstraints"]
    constraints["namespaceSelector"] = {"matchLabels": {"team": "railgate"}}
    expect(tree, code, "does not look at this environment's namespace")


def test_a_policy_that_forgets_changed_pods_is_named(tree, prod, code):
    signed(prod)["matchConstraints"]["resourceRules"][0]["operations"] = ["CREATE"]
    expect(tree, code, "does not look at every pod that is made or changed")


def test_a_kyverno_that_does_not_enforce_digests_is_named(tree, code):
    generators = argocd(tree, "ApplicationSet", "platform")["spec"]["generators"]
    elements = generators[0]["matrix"]["generators"][1]["list"]["elements"]
    kyverno = next(one for one in elements if one["name"] == "kyverno")
    kyverno["source"]["targetRevision"] = "3.8.2"
    expect(tree, code, "Kyverno's chart 3.8.2 is too old")


def test_a_misspelt_field_of_a_policy_is_named(tree, prod):
    signed(prod)["validationConfigurations"]["verifyDigests"] = True
    assert any("verifyDigests" in fault for fault in schema_faults(tree))


# Envoy Gateway's kinds, which no folder of schemas has


@pytest.mark.parametrize(
    ("kind", "path", "value", "word"),
    [
        ("EnvoyProxy", ["shutdown", "drainTimeouts"], "60s", "drainTimeouts"),
        ("EnvoyProxy", ["provider", "kubernetes", "envoyHpa", "maxReplicas"], "12", "maxReplicas"),
        ("ClientTrafficPolicy", ["timeout", "http", "idleTimeout"], 60, "idleTimeout"),
        ("BackendTrafficPolicy", ["retry", "retryOn", "triggers"], ["5xx"], "5xx"),
        ("BackendTrafficPolicy", ["targetRefs"], [], "targetRefs"),
    ],
)
def test_a_wrong_field_of_envoys_is_named(tree, prod, kind, path, value, word):
    place = prod.named(kind, "railgate")["spec"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    found = schema_faults(tree)
    assert any(word in fault and f"{kind} railgate" in fault for fault in found), found


# Add-ons before services


def test_services_before_the_add_ons_are_named(tree, code):
    annotations = argocd(tree, "ApplicationSet", "services")["metadata"]["annotations"]
    annotations["argocd.argoproj.io/sync-wave"] = "-1"
    expect(tree, code, "do not come in this order")


def test_add_ons_that_nobody_waits_for_are_named(tree, code):
    del argocd(tree, "ApplicationSet", "platform")["metadata"]["labels"]
    expect(tree, code, "services would not wait for the add-ons")


def test_an_argo_cd_that_cannot_tell_health_is_named(tree, code):
    settings = argocd(tree, "ConfigMap", "argocd-cm")["data"]
    del settings["resource.customizations.health.argoproj.io_ApplicationSet"]
    expect(tree, code, "cannot tell whether an ApplicationSet is well")


LUA = shutil.which("lua5.1") or shutil.which("lua")
needs_lua = pytest.mark.skipif(
    LUA is None, reason="THE HEALTH OF ADD-ONS WAS NOT TRIED: there is no Lua (Debian: lua5.1)."
)
MADE = {"type": "ResourcesUpToDate", "status": "True"}
BROKEN = {"type": "ErrorOccurred", "status": "True", "message": "no such list"}


def told(value):
    """As Lua writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{told(k)}] = {told(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(told, value)) + "}"
    return f'"{value}"'


def health(tree, kind, obj):
    settings = argocd(tree, "ConfigMap", "argocd-cm")["data"]
    judge = settings[f"resource.customizations.health.argoproj.io_{kind}"]
    program = f"obj = {told(obj)}\nlocal found = (function()\n{judge}\nend)()\n"
    program += "print(found.status, found.message)"
    done = subprocess.run([LUA, "-e", program], capture_output=True, text=True, check=True)
    return done.stdout.strip().partition("\t")


def application_set(conditions, *statuses, is_waited_for=True):
    labels = {"railgate.example/waited-for": "true"} if is_waited_for else {}
    made = [{"name": f"add-on-{n}", "health": {"status": s}} for n, s in enumerate(statuses)]
    status = {"conditions": conditions, "resources": made}
    return {"metadata": {"labels": labels}, "status": status}


@needs_lua
@pytest.mark.parametrize(
    ("obj", "status"),
    [
        ({"metadata": {}}, "Progressing"),
        (application_set([MADE]), "Progressing"),
        (application_set([MADE], "Healthy", "Progressing"), "Progressing"),
        (application_set([MADE], "Healthy", "Missing"), "Progressing"),
        (application_set([MADE], "Progressing", "Degraded"), "Degraded"),
        (application_set([MADE], "Healthy", "Healthy"), "Healthy"),
        (application_set([BROKEN], "Healthy"), "Degraded"),
        (application_set([MADE], "Degraded", is_waited_for=False), "Healthy"),
    ],
)
def test_a_set_is_well_when_what_is_waited_for_is(rendered, obj, status):
    assert health(rendered, "ApplicationSet", obj)[0] == status


@needs_lua
def test_an_application_says_its_own_health(rendered):
    degraded = {"status": {"health": {"status": "Degraded", "message": "no pod"}}}
    assert health(rendered, "Application", degraded) == ("Degraded", "\t", "no pod")
    assert health(rendered, "Application", {})[0] == "Progressing"
