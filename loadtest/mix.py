"""
The generator of a slice of the real half hour: `python -m loadtest.mix <assignment.json>`. For each
ticket that is bought, as many take a place and as many look at what is served as on 11 April 2023.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.pool import Group
from locust.env import Environment
from locust.exception import StopUser

# After Locust, which makes the standard library cooperative.
from loadtest import asking
from loadtest.capacity import HITS, TICKETS, USERS
from loadtest.generator import GROUP_SIZES, GROUP_WEIGHTS, NAMING_SHARE, SEARCHING_SHARE
from loadtest.passengers import Passenger
from loadtest.record import Story
from loadtest.scenario import Choice
from loadtest.waiting import Ended

PARTY = sum(s * w for s, w in zip(GROUP_SIZES, GROUP_WEIGHTS, strict=True)) / sum(GROUP_WEIGHTS)
# What a purchase asks after its place in the line: admission, looks, order, payment, its pages.
REQUESTS_A_PURCHASE = 9
PATIENCE_SECONDS = 120.0


class Mix:
    """Events at even rates with random gaps, whether or not earlier ones were answered."""

    def __init__(self, assignment: dict) -> None:
        self.assignment, self.record = assignment, asking.begin_asking(assignment["base_url"])
        self.environment, self.people = Environment(host=assignment["base_url"]), Group()
        asking.Asking.first_look_seconds = 0.1
        self.day = [Choice(**c) for c in assignment["scenario"]["day"]]
        self.stop_at = time.time() + assignment["seconds"]
        self.serial = assignment["first_serial"]

    def run(self) -> None:
        tickets = self.assignment["tickets_per_second"]
        purchases, places = tickets / PARTY, tickets * USERS / TICKETS
        polls = tickets * HITS / TICKETS - places - purchases * REQUESTS_A_PURCHASE
        looker = self._person("")
        with Path(self.assignment["accounts"]).open() as accounts:
            self.accounts = accounts
            streams = [
                gevent.spawn(self._stream, rate, begin)
                for rate, begin in (
                    (purchases, lambda: self._passenger().live()),
                    (places - purchases, self._join),
                    (polls, looker.look_at_the_number),
                )
            ]
            gevent.joinall(streams, raise_error=True)
        self.people.join(timeout=PATIENCE_SECONDS)

    def _stream(self, per_second: float, begin: Callable[[], object]) -> None:
        due_at = time.time()
        while due_at < self.stop_at:
            due_at += random.expovariate(per_second)
            gevent.sleep(max(0.0, due_at - time.time()))
            self.people.spawn(self._quietly, begin)

    @staticmethod
    def _quietly(begin: Callable[[], object]) -> None:
        """Whose way is over says so by raising; the record has it."""
        try:
            begin()
        except (Ended, StopUser):
            return

    def _join(self) -> None:
        self._person(self.assignment["scenario"]["window_id"]).join()

    def _passenger(self) -> Passenger:
        person = self._person(self.assignment["scenario"]["day_window_id"])
        person.choices = random.sample(self.day, 2)
        person.party = random.choices(GROUP_SIZES, GROUP_WEIGHTS)[0]
        person.names_seats = random.random() < NAMING_SHARE
        person.searches = random.random() < SEARCHING_SHARE
        return person

    def _person(self, window_id: str) -> Passenger:
        """With an account where a window is given; without one it can only look at the number."""
        person = Passenger(self.environment)
        account, token = self.accounts.readline().split() if window_id else ("", "")
        person = Passenger(self.environment)
        person.story = Story(account, "plain", "day", time.time())
        person.token, person.window_id = (
            token,
            window_id or self.assignment["scenario"]["window_id"],
        )
        person.service_date = self.assignment["scenario"]["service_date"]
        person.patient_until = self.stop_at + PATIENCE_SECONDS
        self.serial += 1
        person.serial = self.serial
        return person


def main() -> None:
    assignment = json.loads(Path(sys.argv[1]).read_text())
    began, mix = time.process_time(), Mix(assignment)
    mix.run()
    mix.record.write(Path(assignment["result"]), cpu_seconds=time.process_time() - began)


if __name__ == "__main__":
    main()
