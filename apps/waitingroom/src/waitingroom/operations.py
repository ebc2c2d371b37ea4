"""Taking a place in the line, and being let in when its number is served."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, update

from chassis.database import transaction
from chassis.problems import Problem
from waitingroom.models import WaitingWindow, db
from waitingroom.numbers import Standing
from waitingroom.parts import Parts
from waitingroom.signing import sign_pass
from waitingroom.window import (
    BEFORE,
    CLOSED,
    EARLY,
    HELD_BY_OTHERS,
    LATE,
    SOLD_OUT,
    Place,
    Window,
)

# What Redis keeps of a window outlives it by a day.
KEPT_AFTER = timedelta(days=1)
RETRY_SECONDS_MAX = 60


class WindowClosed(Problem):
    status, code, title = 409, "window_closed", "This waiting room is closed."


class WindowSoldOut(Problem):
    status, code, title = 409, "sold_out", "Everything of these trains is sold."


class WindowHeldByOthers(Problem):
    status, code, title = (
        409,
        "held_by_others",
        "The last seats are held by others; some may come back.",
    )


class NotYetServed(Problem):
    status, code, title = 409, "not_yet_served", "Your number has not come up yet."


@dataclass(frozen=True)
class Joined:
    place: Place
    window: Window
    token: str
    is_new: bool


@dataclass(frozen=True)
class Admission:
    window_id: UUID
    admission_pass: str
    expires_at: datetime
    is_new: bool


def take_place(
    *, parts: Parts, window_id: UUID, account_id: UUID, shown: str | None, now: datetime
) -> Joined:
    """
    Give the account its one place in the line, the same however often and from wherever it asks.
    A place that was given before and is shown again is kept, even where nobody remembers it.

    Raises:
        WindowNotFound, WindowClosed: there is no line to stand in.
        PlaceNotValid: what is shown is not this account's place here.
        NumbersPaused: no fair number can be given at this moment.
    """
    window = parts.windows.get(window_id)
    if window.state_at(now) == CLOSED:
        raise WindowClosed
    known = None
    if shown is not None:
        known = parts.places.read(shown, window_id=window_id, account_id=account_id)
    if not window.is_before(now):
        window = fix_early_places(parts=parts, window=window)
    standing = parts.numbers.stand(
        window_id,
        account_id,
        is_early=window.is_before(now),
        shown=None if known is None else known.late_number or 0,
        kept_seconds=kept_seconds(window, now),
    )
    place = _place(window_id, account_id, standing)
    return Joined(place, window, parts.places.sign(place), standing.is_new)


def _place(window_id: UUID, account_id: UUID, standing: Standing) -> Place:
    if standing.late_number == 0:
        return Place(window_id, account_id, EARLY, None)
    return Place(window_id, account_id, LATE, standing.late_number)


def kept_seconds(window: Window, now: datetime) -> int:
    return int((window.closes_at - now + KEPT_AFTER).total_seconds())


def fix_early_places(*, parts: Parts, window: Window) -> Window:
    """
    Fix at the opening, once and for good, how many numbers belong to the early ones. Whoever
    comes first after the opening does it, so nothing depends on the worker.
    """
    if window.early_places is not None:
        return window
    counted = parts.early_count.count(window.window_id)
    with transaction(db) as session:
        session.execute(
            update(WaitingWindow)
            .where(WaitingWindow.window_id == window.window_id)
            .where(WaitingWindow.early_places.is_(None))
            .values(early_places=func.greatest(counted, WaitingWindow.early_counted))
        )
    parts.windows.forget()
    return parts.windows.get(window.window_id)


def admit(
    *, parts: Parts, window_id: UUID, account_id: UUID, token: str, now: datetime
) -> Admission:
    """
    Give a pass to whom the line has reached; to everybody when the rush is over, since the line
    moves no more. Asked again, it gives another pass: who was let in may come back while the window
    lasts.

    Raises:
        WindowNotFound, WindowClosed: there is nothing to be let in to.
        PlaceNotValid: this is not the account's place here.
        WindowSoldOut, WindowHeldByOthers: nobody is let in, for good or for the moment.
        NotYetServed: others come first.
    """
    place = parts.places.read(token, window_id=window_id, account_id=account_id)
    window = parts.windows.get(window_id)
    if not window.serves(place):
        window = parts.windows.again(window_id)
    is_over = not window.is_hot(now, hot_seconds_max=parts.settings.hot_seconds_max)
    _refuse(window, place, now, is_over=is_over)
    number, is_new = window.number_of(place), True
    if number is not None:
        is_new = parts.comers.note(window_id, account_id, number, kept_seconds(window, now))
    lifetime = timedelta(seconds=parts.settings.pass_seconds)
    signed = sign_pass(
        parts.settings.admission_key,
        window_id=window_id,
        account_id=account_id,
        now=now,
        lifetime=lifetime,
    )
    return Admission(window_id, signed, now + lifetime, is_new)


def _refuse(window: Window, place: Place, now: datetime, *, is_over: bool) -> None:
    state = window.state_at(now)
    if state == CLOSED:
        raise WindowClosed
    if state == SOLD_OUT:
        raise WindowSoldOut
    if state == HELD_BY_OTHERS:
        raise WindowHeldByOthers(headers={"Retry-After": "5"})
    if state == BEFORE or not (is_over or window.serves(place)):
        raise NotYetServed(
            headers={"Retry-After": str(wait_seconds(window, place, now))},
            number=window.number_of(place),
            serving=window.serving,
        )


def wait_seconds(window: Window, place: Place, now: datetime) -> int:
    """About how long until the number comes up, between a second and a minute."""
    number = window.number_of(place)
    if number is None:
        wait = (window.opens_at - now).total_seconds()
    else:
        wait = (number - window.serving) / max(window.people_per_second, 1.0)
    return int(min(max(wait, 1), RETRY_SECONDS_MAX))
