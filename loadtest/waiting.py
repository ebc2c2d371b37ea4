"""The line: taking a place, polling what is served as a page would, and being let in."""

import random
import time
from uuid import UUID

import gevent

from loadtest.asking import Asking
from loadtest.record import GAVE_UP, REFUSED, SOLD_OUT
from waitingroom.lottery import number_of_early

POLL_SECONDS_MIN, POLL_SECONDS_MAX = 2.0, 30.0
# Who is told that the last seats are held by others mostly goes; who stays looks now and then.
HELD_POLL_SECONDS = 20.0


class Ended(Exception):
    """The passenger's way is over, with the word for it and the reason."""

    def __init__(self, end: str, why: str = "") -> None:
        super().__init__(end)
        self.end, self.why = end, why


class WaitingPassenger(Asking):
    """Waits in one window's line. `patient_until` is when even a patient person goes."""

    abstract = True
    window_id = ""
    place_token = ""
    patient_until = 0.0
    stays_when_held = False

    def join(self) -> None:
        path = f"/api/waitingroom/windows/{self.window_id}/places/me"
        answer = self.ask(
            "join", "PUT", path, body={"place": self.place_token} if self.place_token else {}
        )
        if not answer.is_good:
            raise Ended(SOLD_OUT if answer.code == "window_closed" else REFUSED, answer.code)
        self.place_token = answer.body["place"]
        self.story.number = answer.body["number"]
        self.story.is_early = answer.body["arrival"] == "early"
        self.story.joined_at = time.time()
        if answer.body["state"] in {"sold_out", "closed"}:
            raise Ended(SOLD_OUT, "told on arrival")

    def wait_for_turn(self, opens_at: float) -> str:
        """Poll until served; give the admission pass."""
        self._sleep_until(opens_at + random.uniform(0.0, self.first_look_seconds))
        while True:
            told = self.look_at_the_number()
            number = self._number(told)
            if told["state"] in {"sold_out", "closed"}:
                raise Ended(SOLD_OUT, "told while waiting")
            if told["state"] == "held_by_others":
                self._stay_or_go()
            elif not told["is_hot"] or (number is not None and number <= told["serving"]):
                pass_ = self._admission()
                if pass_:
                    return pass_
            gevent.sleep(self._pause(number, told))
            if time.time() > self.patient_until:
                raise Ended(GAVE_UP, "waited too long")

    def look_at_the_number(self) -> dict:
        return self.poll("now serving", self._path("now-serving")).body

    def readmission(self) -> str:
        """A pass lasts minutes; who was let in gets another one."""
        return self._admission() or self.wait_for_turn(0.0)

    def _admission(self) -> str:
        answer = self.ask(
            "admission", "PUT", self._path("admission"), body={"place": self.place_token}
        )
        if answer.is_good:
            self.story.served_at = self.story.served_at or time.time()
            return answer.body["admission_pass"]
        if answer.code in {"sold_out", "window_closed"}:
            raise Ended(SOLD_OUT, "told at the door")
        if answer.code == "held_by_others":
            self._stay_or_go()
        elif answer.code != "not_yet_served":
            raise Ended(REFUSED, answer.code)
        return ""

    def _stay_or_go(self) -> None:
        if not self.stays_when_held or time.time() > self.patient_until:
            raise Ended(GAVE_UP, "the last seats are held by others")
        gevent.sleep(HELD_POLL_SECONDS * random.uniform(0.5, 1.5))

    def _number(self, told: dict) -> int | None:
        """An early one works the number out alone, from the seed that is published."""
        if self.story.number is None and told["seed"]:
            account, seed = UUID(self.story.account), bytes.fromhex(told["seed"])
            self.story.number = number_of_early(seed, account, told["early_places"])
        return self.story.number

    def _pause(self, number: int | None, told: dict) -> float:
        ahead = 0 if number is None else max(number - told["serving"], 0)
        wait = 0.6 * ahead / max(told["people_per_second"], 1.0)
        return min(max(wait, POLL_SECONDS_MIN), POLL_SECONDS_MAX) * random.uniform(0.8, 1.2)

    def _path(self, what: str) -> str:
        return f"/api/waitingroom/windows/{self.window_id}/{what}"

    @staticmethod
    def _sleep_until(moment: float) -> None:
        gevent.sleep(max(0.0, moment - time.time()))
