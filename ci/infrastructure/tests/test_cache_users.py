"""The users of the cache, on a real Valkey: what a service sees, and what it cannot do."""

import os
import secrets
from urllib.parse import urlsplit

import pytest
import redis
from ci.infrastructure.fit import read_services

ENTER = "return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', 1000)"


@pytest.fixture
def enter(planned):
    """Signs in as a service, with the access string that is planned for it."""
    address = os.environ["TEST_REDIS_URL"]
    admin, names = redis.Redis.from_url(address), []
    word = secrets.token_urlsafe(16)
    # The address signs in as somebody else.
    host, port = urlsplit(address).hostname, urlsplit(address).port

    def entered(service):
        (user,) = (
            one
            for one in planned["envs/prod"].of_kind("aws_elasticache_user")
            if one.values["user_id"] == f"railgate-prod-{service}"
        )
        names.append(f"test-{service}-{secrets.token_hex(4)}")
        rules = user.values["access_string"].split()
        admin.execute_command("ACL", "SETUSER", names[-1], f">{word}", *rules)
        return redis.Redis(host, port, username=names[-1], password=word)

    yield entered
    for name in names:
        admin.acl_deluser(name)
    admin.close()


def test_a_service_uses_its_own_keys_and_the_counters(enter):
    with enter("order") as link:
        key = f"order:gate:{secrets.token_hex(8)}"
        assert link.eval(ENTER, 1, key, "x") in (b"OK", "OK")
        with link.pipeline(transaction=False) as pipe:
            assert pipe.get(key).pttl(key).delete(key).execute()[2] == 1
        with link.pipeline(transaction=True) as pipe:
            pipe.incr("throttle:test").expire("throttle:test", 1).execute()
        assert link.ping()


@pytest.mark.parametrize("service", sorted(set(read_services()) - {"order", "sandbox"}))
def test_no_service_sees_anothers_keys(service, enter):
    with enter(service) as link, pytest.raises(redis.exceptions.NoPermissionError):
        link.get("order:claim-changes")


@pytest.mark.parametrize("command", [("FLUSHDB",), ("KEYS", "*"), ("CONFIG", "GET", "*")])
def test_no_service_empties_or_searches_the_cache(command, enter):
    with enter("order") as link, pytest.raises(redis.exceptions.NoPermissionError):
        link.execute_command(*command)
