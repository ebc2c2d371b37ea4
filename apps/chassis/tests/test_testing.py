"""The servers that all test processes share."""

import pytest
import redis

from chassis.testing import redis_url


def test_no_test_process_can_empty_the_redis_of_another():
    with redis.Redis.from_url(redis_url()) as client:
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.flushall()
        assert client.flushdb()
