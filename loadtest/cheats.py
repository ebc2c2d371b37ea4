"""
Passengers who are impatient or cheat: two clicks, fifty requests, a forged pass, two devices. What
each is stopped by is counted; `got through` must stay at zero.
"""

import uuid

import gevent

from loadtest.asking import Answer
from loadtest.passengers import Passenger
from loadtest.record import REFUSED
from loadtest.scenario import Choice
from loadtest.waiting import Ended

FORGED = (
    "eyJhbGciOiJFZERTQSIsImtpZCI6IngiLCJ0eXAiOiJKV1QifQ"
    ".eyJpc3MiOiJyYWlsZ2F0ZS13YWl0aW5ncm9vbSJ9.AAAA"
)


def _quietly(place, choice: Choice, order_id: str, wish: dict):
    try:
        return place(choice, order_id=order_id, **wish)
    except Exception as error:  # noqa: BLE001 - told by whoever gathers the answers
        return error


class RepeatingPassenger(Passenger):
    """Clicks `clicks` times at once: it shall be one order and one charge."""

    clicks = 2

    def place(self, choice: Choice, *, order_id: str = "", **wish) -> Answer:
        order_id = order_id or str(uuid.uuid4())
        place = super().place
        first = gevent.spawn(_quietly, place, choice, order_id, wish)
        others = [
            gevent.spawn(_quietly, place, choice, order_id, wish) for _ in range(self.clicks - 1)
        ]
        gevent.joinall([first, *others])
        answers = [g.value for g in (first, *others) if isinstance(g.value, Answer)]
        good = [answer for answer in answers if answer.is_good]
        seats = {tuple(p["seat_id"] for p in answer.body["passengers"]) for answer in good}
        made = sum(answer.status == 201 for answer in good)
        is_one = len(seats) <= 1 and made <= 1
        self.record.cheats[f"{self.kind}: {'one order' if is_one else 'got through'}"] += 1
        if good:
            return good[0]
        if answers:
            return answers[0]
        raise first.value if isinstance(first.value, Exception) else Ended(REFUSED, "all at once")


class ForgingPassenger(Passenger):
    """Skips the line with a pass that nobody signed; without a line, with a token like that."""

    def rush(self) -> None:
        self.gone = set()
        self._sleep_until(self.opens_at)
        choice = self.choices[0]
        body = self.order_body(choice, seat_class=choice.seat_class)
        path = f"/api/order/orders/{uuid.uuid4()}"
        token = "" if self.window_id else FORGED
        answer = self.ask("order", "PUT", path, body=body, admission=FORGED, token=token)
        is_stopped = answer.code in {"not_admitted", "unauthenticated", "invalid_token"}
        word = answer.code if is_stopped or not answer.is_good else "got through"
        self.record.cheats[f"forger: {word}"] += 1
        raise Ended(REFUSED, answer.code)


class TwoDevicesPassenger(Passenger):
    """Joins twice, and orders the same people twice at once: one place, one order."""

    def join(self) -> None:
        super().join()
        number, self.place_token = self.story.number, ""
        super().join()
        # Before the opening an early place has no number yet, a moment later it may have one.
        is_same = number is None or number == self.story.number
        self.record.cheats[f"two devices: {'one place' if is_same else 'got through'}"] += 1

    def place(self, choice: Choice, *, order_id: str = "", **wish) -> Answer:
        wish = {"seat_class": choice.seat_class}
        other = gevent.spawn(_quietly, super().place, choice, "", wish)
        own = _quietly(super().place, choice, "", wish)
        other.join()
        answers = [found for found in (own, other.value) if isinstance(found, Answer)]
        good = [answer for answer in answers if answer.is_good]
        word = "got through" if len(good) > 1 else "one order"
        self.record.cheats[f"two devices: {word}"] += 1
        if good or answers:
            return (good or answers)[0]
        raise own
