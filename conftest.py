"""
Real PostgreSQL and Valkey for the whole test run: started once, on free ports, in a folder that
goes when the run ends. Parallel test processes share them, each with databases of its own; tests
that share something that is dear to make run in one process.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from chassis.batches import flush_batches

pytest_plugins = ["chassis.testing"]
# Two whole Railgates; the plans of every environment.
TOGETHER = ("ci/journeys/", "ci/manifests/tests/test_smoke.py", "ci/infrastructure/tests/")
MINUTE_SECONDS, COUNTED_WITHIN_SECONDS = 60, 6
_stack = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    if "TEST_POSTGRES_ADMIN_URL" in os.environ and "TEST_REDIS_URL" in os.environ:
        return
    from railgate.servers import PostgresServer, ValkeyServer

    folder = Path(_stack.enter_context(tempfile.TemporaryDirectory(prefix="railgate-tests-")))
    folder.chmod(0o755)
    postgres = _stack.enter_context(PostgresServer(folder / "postgres", for_tests=True))
    valkey = _stack.enter_context(ValkeyServer(folder / "valkey", for_tests=True))
    with redis.Redis.from_url(valkey.url) as client:
        # It would empty the databases of every other test process in the middle of its test.
        client.acl_setuser("default", enabled=True, commands=["-flushall"])
    os.environ["TEST_POSTGRES_ADMIN_URL"] = postgres.admin_url
    os.environ["TEST_REDIS_URL"] = valkey.url.removesuffix("/0")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Its own marks of groups are lost with pytest 9.2 (xdist 3.8)."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            """Tests of one scope stay in one process."""
            return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid)

    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def _lines_of_requests_are_written_within_their_test() -> Iterator[None]:
    yield
    flush_batches()


@pytest.fixture
def whole_window() -> None:
    """
    A throttle counts by the clock's windows, all of which end with a minute: what a test counts
    within seconds shall fall into one.
    """
    left = MINUTE_SECONDS - time.time() % MINUTE_SECONDS
    if left < COUNTED_WITHIN_SECONDS:
        time.sleep(left)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _stack.close()
