"""What is made for Secrets Manager and what is left alone, with a vault in memory."""

import base64
from urllib.parse import urlsplit

import pytest
from ci.infrastructure.filling import Places, fill, filled, password_in, wanted
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SERVICES = ("registration", "ticket", "order", "payment", "waitingroom")


class Memory:
    def __init__(self):
        self.kept = {}
        self.cache = {}

    def read(self, key):
        return dict(self.kept.get(key, {}))

    def write(self, key, values):
        self.kept[key] = dict(values)

    def set_cache_password(self, user, word):
        self.cache[user] = word


def places(environment="dev"):
    users = {service: f"railgate-{environment}-{service}" for service in SERVICES}
    return Places(environment, {
        "database": {"host": "db.example", "port": 5432},
        "cache": {"host": "cache.example", "port": 6379, "users": users},
    })  # fmt: skip


def test_everything_that_gitops_reads_is_filled_but_what_only_a_person_knows(capsys):
    vault = Memory()
    left = fill(places(), vault, wanted())
    asked = {f"{key}: {name}" for key, names in wanted().items() for name in names}
    made = {f"{key}: {name}" for key, values in vault.kept.items() for name in values}
    assert made | set(left) == asked
    assert not made & set(left)
    assert {name for name in left if not name.startswith("alerting")} == {
        f"{service}: SMTP_URL" for service in ("order", "payment", "registration")
    }
    values = [value for kept in vault.kept.values() for value in kept.values()]
    said = capsys.readouterr().out
    assert "order: made DATABASE_URL" in said
    assert [value for value in values if value in said] == []


def test_a_second_time_changes_nothing():
    vault = Memory()
    fill(places(), vault, wanted())
    before, cache = dict(vault.kept), dict(vault.cache)
    fill(places(), vault, wanted())
    assert (vault.kept, vault.cache) == (before, cache)


def test_what_is_there_stays_when_something_is_added():
    vault = Memory()
    vault.kept["order"] = {"IDENTITY_KEY": "sealed with this", "SMTP_URL": "by a person"}
    fill(places(), vault, wanted())
    assert vault.kept["order"]["IDENTITY_KEY"] == "sealed with this"
    assert vault.kept["order"]["SMTP_URL"] == "by a person"


def test_the_user_of_the_cache_gets_the_password_that_stands_in_the_address():
    vault = Memory()
    fill(places(), vault, wanted())
    url = vault.kept["order"]["REDIS_URL"]
    assert urlsplit(url).username == "railgate-dev-order"
    assert url.startswith("rediss://")
    assert vault.cache["railgate-dev-order"] == password_in(url)


def test_service_and_migration_are_two_logins():
    made = filled("order", {"DATABASE_URL", "MIGRATION_DATABASE_URL"}, {}, places())
    service, migration = (urlsplit(made[name]) for name in sorted(made))
    assert (service.username, migration.username) == ("order_a", "order_migration")
    assert service.password != migration.password
    assert (service.hostname, service.path, service.query) == (
        "db.example",
        "/order",
        "sslmode=require",
    )


def test_keys_are_what_the_services_take():
    made = filled(
        "x", {"ACCESS_TOKEN_KEY", "ADMISSION_KEY", "IDENTITY_KEY", "HASH_KEY"}, {}, places()
    )
    for name in ("ACCESS_TOKEN_KEY", "ADMISSION_KEY"):
        assert load_pem_private_key(made[name].encode(), None)
    for name in ("IDENTITY_KEY", "HASH_KEY"):
        assert len(base64.b64decode(made[name])) == 32


@pytest.mark.parametrize(("environment", "is_made"), [("dev", True), ("prod", False)])
def test_a_real_providers_key_is_not_invented(environment, is_made):
    made = filled("payment", {"PROVIDER_KEY"}, {}, places(environment))
    assert ("PROVIDER_KEY" in made) is is_made
