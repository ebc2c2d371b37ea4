"""The address a request came from, for limits: behind our own proxies it is in a header."""

import ipaddress
from collections.abc import Mapping
from typing import Any, cast

from flask import current_app, request

from chassis.settings import ServiceSettings

IPV6_PREFIX_BITS = 64


def client_address() -> str:
    """
    What the outermost proxy of ours saw; the caller may write anything before it. An IPv6
    address stands for its /64, which one subscriber can fill at will.
    """
    settings = cast("ServiceSettings", current_app.extensions["settings"])
    return address_of(request.environ, trusted_proxies=settings.trusted_proxies)


def address_of(environ: Mapping[str, Any], *, trusted_proxies: int) -> str:
    hops = [hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    has_passed_ours = 0 < trusted_proxies <= len(hops)
    seen = hops[-trusted_proxies] if has_passed_ours else ""
    for candidate in (seen, environ.get("REMOTE_ADDR", "")):
        try:
            address = ipaddress.ip_address(candidate)
        except ValueError:
            continue
        if isinstance(address, ipaddress.IPv6Address):
            address = address.ipv4_mapped or address
        if isinstance(address, ipaddress.IPv4Address):
            return str(address)
        return str(ipaddress.ip_network((int(address), IPV6_PREFIX_BITS), strict=False))
    return "unknown"
