"""The address a request came from, for limits: behind our own proxies it is in a header."""

import ipaddress
from typing import cast

from flask import current_app, request

from chassis.settings import ServiceSettings

IPV6_PREFIX_BITS = 64


def client_address() -> str:
    """
    What the outermost proxy of ours saw; the caller may write anything before it. An IPv6
    address stands for its /64, which one subscriber can fill at will.
    """
    settings = cast("ServiceSettings", current_app.extensions["settings"])
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    has_passed_ours = 0 < settings.trusted_proxies <= len(hops)
    seen = hops[-settings.trusted_proxies] if has_passed_ours else ""
    for candidate in (seen, request.remote_addr or ""):
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
