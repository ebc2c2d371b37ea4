"""How windows and places look to people: plain dictionaries, ready to be written as JSON."""

from datetime import UTC, datetime
from typing import Any

from waitingroom.lottery import commitment_to
from waitingroom.operations import Admission, Joined
from waitingroom.parts import Parts
from waitingroom.window import Window


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_serving_body(parts: Parts, window: Window, now: datetime) -> dict[str, Any]:
    """
    What everybody who waits asks for again and again. With the seed and `early_places` a page
    works out its own number at the opening, without asking anybody.
    """
    return {
        "window_id": str(window.window_id),
        "state": window.state_at(now),
        "is_hot": window.is_hot(now, hot_seconds_max=parts.settings.hot_seconds_max),
        "serving": window.serving,
        "people_per_second": round(window.people_per_second, 1),
        "early_places": window.early_places,
        "seed": revealed_seed(window, now),
        "opens_at": _instant(window.opens_at),
        "closes_at": _instant(window.closes_at),
        "as_of": _instant(now),
    }


def revealed_seed(window: Window, now: datetime) -> str | None:
    """Secret until the opening has come and the number of early places is fixed."""
    if window.is_before(now) or window.early_places is None:
        return None
    return window.seed.hex()


def window_body(parts: Parts, window: Window, now: datetime) -> dict[str, Any]:
    return {
        **now_serving_body(parts, window, now),
        "run_ids": [str(run_id) for run_id in window.run_ids],
        "seats_total": window.seats_total,
        "seed_commitment": commitment_to(window.seed),
        "is_automatic": window.is_automatic,
    }


def place_body(joined: Joined, now: datetime) -> dict[str, Any]:
    window, place = joined.window, joined.place
    return {
        "window_id": str(place.window_id),
        "account_id": str(place.account_id),
        "arrival": place.arrival,
        "number": window.number_of(place),
        "state": window.state_at(now),
        "serving": window.serving,
        "opens_at": _instant(window.opens_at),
        "place": joined.token,
    }


def admission_body(admission: Admission) -> dict[str, Any]:
    return {
        "window_id": str(admission.window_id),
        "admission_pass": admission.admission_pass,
        "expires_at": _instant(admission.expires_at),
    }
