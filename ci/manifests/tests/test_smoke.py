"""The gate's own program, against services that really run: good ones, and one that is dead."""

import os
import subprocess
import sys

import pytest
from ci.manifests.rendering import ROOT
from ci.town import started_town

PROGRAM = ROOT / "gitops" / "envs" / "components" / "smoke" / "buy.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def town():
    with started_town(settings={}, for_tests=True) as town:
        yield town


def smoke(town, *, preview="order", **changed):
    addresses = {
        f"SMOKE_{service.upper()}_URL": town.address(service)
        for service in ("registration", "ticket", "order", "payment")
    }
    account = {
        "SMOKE_EMAIL": "passenger@railgate.example",
        "ACCOUNT_PASSWORD": town.keys["passenger_password"],
        "SMOKE_PREVIEW": preview,
    }
    return subprocess.run(
        [sys.executable, PROGRAM],
        env=os.environ | addresses | account | changed,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_holds_seats_and_gives_them_back_where_nobody_may_pay(town):
    done = smoke(town)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "release" in done.stdout


def test_it_pays_and_cancels_where_a_test_card_pays(town):
    done = smoke(town, preview="payment", SMOKE_PROVIDER_URL=town.address("sandbox"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cancellation" in done.stdout


def test_a_wrong_answer_fails_the_release(town):
    assert smoke(town, ACCOUNT_PASSWORD="not the password at all").returncode != 0


def test_a_dead_preview_fails_the_release(town):
    assert smoke(town, SMOKE_ORDER_URL="http://127.0.0.1:9").returncode != 0
