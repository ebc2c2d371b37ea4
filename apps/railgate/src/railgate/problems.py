"""The gateway's own refusals: the same words whichever program does the forwarding."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    status: int
    title: str
    headers: Mapping[str, str]

    def members(self, code: str, request_id: str) -> dict[str, object]:
        return {
            "type": f"urn:railgate:problem:{code}",
            "title": self.title,
            "status": self.status,
            "detail": self.title,
            "code": code,
            "request_id": request_id,
        }


REFUSALS = {
    "not_found": Refusal(404, "There is nothing at this address.", {}),
    "unknown_service": Refusal(404, "There is no such service.", {}),
    "body_too_large": Refusal(413, "The body is larger than 1 MiB.", {}),
    "bad_gateway": Refusal(502, "The service broke off its answer.", {}),
    "service_unavailable": Refusal(
        503, "The service is not there at the moment.", {"Retry-After": "1"}
    ),
    "gateway_timeout": Refusal(504, "The service did not answer in time.", {}),
}
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
