"""Planted secrets are found. They are put together here, so that none stands in a file."""

import random
import string

import pytest
from ci.pipeline import secret_scan
from ci.pipeline.gates import State

RANDOM = random.Random(7)
LETTERS = string.ascii_letters + string.digits


def made(length: int, letters: str = LETTERS) -> str:
    return "".join(RANDOM.choice(letters) for _ in range(length)) + "a1B"


PLANTED = {
    "private key": "-----BEGIN " + "RSA PRIVATE" + " KEY-----",
    "AWS access key": "id = " + "AKIA" + "".join(RANDOM.choices(string.ascii_uppercase, k=16)),
    "GitHub token": "t: " + "ghp_" + made(40),
    "Slack token": "x = '" + "xoxb-" + made(24) + "'",
    "Sonar token": "sqp_" + "".join(RANDOM.choices("0123456789abcdef", k=40)),
    "JSON web token": ".".join(["eyJ" + made(20), "eyJ" + made(30), made(40)]),
    "password in an address": "postgresql://order:" + made(20) + "@db.example/order",
    "value of a secret's name": "pass" + "word = '" + made(20) + "'",
    "long random number": "'" + "".join(RANDOM.choices("0123456789abcdef", k=64)) + "'",
    "long random text": "x = '" + made(44) + "='",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_secret_is_found(kind):
    assert kind in [found for found, _ in secret_scan.secrets_in(PLANTED[kind])]


def test_an_unquoted_secret_of_a_manifest_is_found():
    line = "  api_" + "token: " + made(24)
    assert [kind for kind, _ in secret_scan.secrets_in(line)] == ["value of a secret's name"]


@pytest.mark.parametrize(
    "line",
    [
        "password = os.environ['DATABASE_PASSWORD']",
        "secretKeyRef: {name: order, key: HASH_KEY}",
        "DATABASE_URL: postgresql://order:${PASSWORD}@db/order",
        "uses: actions/checkout@" + "0123456789abcdef" * 2 + "01234567",
        "digest: sha256:" + "0123456789abcdef" * 4,
        "secretName: order-database-credentials",
        "run_id = 'f47ac10b-58cc-4372-a567-0e02b2c3d479'",
    ],
)
def test_what_only_speaks_of_secrets_is_left_alone(line):
    assert list(secret_scan.secrets_in(line)) == []


def test_a_secret_in_a_file_fails_and_is_not_printed(repository):
    secret = "ghp_" + made(40)
    repository.commit("settings.py", f"TOKEN = '{secret}'\n")
    result = secret_scan.secrets_gate(repository.space())
    assert result.state == State.FAILED
    assert any("settings.py:1: GitHub token" in fault for fault in result.faults)
    assert secret not in "".join(result.faults)


def test_a_secret_that_a_later_commit_took_away_still_fails(repository):
    base = repository.commit("settings.py", "\n")
    leak = repository.commit("settings.py", "TOKEN = '" + "ghp_" + made(40) + "'\n")
    repository.commit("settings.py", "TOKEN = environ['TOKEN']\n")
    result = secret_scan.secrets_gate(repository.space(base))
    assert any(f"{leak[:12]} settings.py: GitHub token" in fault for fault in result.faults)


def test_an_allowance_fits_one_string_only():
    first, second = (secret_scan.Finding("x", "a:1", "a", made(30)) for _ in range(2))
    faults = secret_scan.not_allowed([first, second], {first.digest: "an example"})
    assert faults == [str(second)]


def test_an_allowance_that_nothing_needs_fails():
    assert secret_scan.not_allowed([], {"0" * 16: "gone"}) == [
        f"allowance {'0' * 16} fits nothing any more"
    ]


def test_every_allowance_says_why():
    assert all(len(why) > 15 for why in secret_scan.read_allowed().values())
