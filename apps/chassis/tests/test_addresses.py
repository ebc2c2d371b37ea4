"""A limit by address is worth nothing if the caller can choose the address."""

from dataclasses import dataclass

import pytest
from flask import Flask

from chassis.addresses import client_address


@dataclass
class Proxies:
    trusted_proxies: int = 1


def seen(header, *, proxies=1, peer="10.0.0.9"):
    app = Flask(__name__)
    app.extensions["settings"] = Proxies(proxies)
    headers = {} if header is None else {"X-Forwarded-For": header}
    with app.test_request_context(headers=headers, environ_base={"REMOTE_ADDR": peer}):
        return client_address()


@pytest.mark.parametrize(
    ("header", "proxies", "address"),
    [
        (None, 1, "10.0.0.9"),
        ("203.0.113.5", 1, "203.0.113.5"),
        ("1.1.1.1, 203.0.113.5", 1, "203.0.113.5"),
        ("1.1.1.1, 203.0.113.5, 10.0.0.7", 2, "203.0.113.5"),
        ("203.0.113.5", 0, "10.0.0.9"),
        ("203.0.113.5", 2, "10.0.0.9"),
        ("nonsense", 1, "10.0.0.9"),
        ("1.1.1.1, ", 1, "10.0.0.9"),
        ("2001:db8::1", 1, "2001:db8::/64"),
        ("2001:db8::2", 1, "2001:db8::/64"),
        ("::ffff:203.0.113.5", 1, "203.0.113.5"),
    ],
)
def test_only_what_our_own_proxy_wrote_counts(header, proxies, address):
    assert seen(header, proxies=proxies) == address


def test_a_caller_without_an_address_still_has_a_name():
    assert seen(None, peer="") == "unknown"
