"""
One process of the rush: `python -m loadtest.generator <assignment.json>`. Each passenger is a
Locust user that exists from the arrival to the answer; all share a pool of connections.
"""

import json
import random
import sys
import time
from pathlib import Path

import gevent
from gevent.pool import Group
from locust.env import Environment

# After Locust, which makes the standard library cooperative.
from loadtest import asking, shapes
from loadtest.cheats import ForgingPassenger, RepeatingPassenger, TwoDevicesPassenger
from loadtest.passengers import Passenger
from loadtest.record import NO_ANSWER, Story
from loadtest.scenario import Choice

KINDS = {
    "plain": 916, "fan": 15, "walker": 20, "changer": 15, "decliner": 15,
    "double click": 10, "fifty": 1, "forger": 5, "two devices": 3,
}  # fmt: skip
CLASSES = {
    "double click": RepeatingPassenger, "fifty": RepeatingPassenger,
    "forger": ForgingPassenger, "two devices": TwoDevicesPassenger,
}  # fmt: skip
GROUP_SIZES, GROUP_WEIGHTS = (1, 2, 3, 4), (45, 30, 13, 12)
DAY_SHARE = 0.03
NAMING_SHARE, SEARCHING_SHARE = 0.4, 0.5
STAYING_SHARE = 0.04
PATIENCE_SECONDS = (120.0, 420.0)
STAYING_SECONDS = (500.0, 700.0)
TRAINS_THAT_DO = 2
# Pages spread their first look at the opening, so that all of them together ask so often.
FIRST_LOOKS_PER_SECOND = 2_000


class Generator:
    def __init__(self, assignment: dict) -> None:
        self.assignment, self.record = assignment, asking.begin_asking(assignment["base_url"])
        self.chance = random.Random(assignment["seed"])
        random.seed(assignment["seed"])
        scenario = assignment["scenario"]
        self.opens_at = scenario["opens_at"]
        self.rush = [Choice(**c) for c in scenario["rush"]]
        self.day = [Choice(**c) for c in scenario["day"]]
        self.environment = Environment(host=assignment["base_url"])
        self.shape = shapes.Shape(**assignment["shape"])
        early = self.shape.users * self.shape.early
        asking.Asking.first_look_seconds = max(3.0, early / FIRST_LOOKS_PER_SECOND)
        self.people = Group()

    def run(self) -> None:
        with Path(self.assignment["accounts"]).open() as accounts:
            gevent.spawn(self._tell)
            moments = shapes.arrivals(self.shape, self.assignment["share"], self.chance)
            for n, moment in enumerate(moments):
                due_at = self.opens_at + moment
                gevent.sleep(max(0.0, due_at - time.time()))
                self._arrive(n, *accounts.readline().split(), late_by=time.time() - due_at)
        self.people.join(timeout=max(1.0, self.assignment["stop_at"] - time.time()))
        self._give_up_on_the_rest()

    def _arrive(self, n: int, account: str, token: str, *, late_by: float) -> None:
        self.record.arrived += 1
        if n % 20 == 0:
            self.record.late_seconds.append(round(max(0.0, late_by), 3))
        kind = self.chance.choices(list(KINDS), list(KINDS.values()))[0]
        person = CLASSES.get(kind, Passenger)(self.environment)
        wants_day = bool(self.day) and kind == "plain" and self.chance.random() < DAY_SHARE
        person.story = Story(account, kind, "day" if wants_day else "rush", time.time())
        person.token, person.opens_at = token, self.opens_at
        person.serial = self.assignment["first_serial"] + n
        person.clicks = 50 if kind == "fifty" else 2
        self._set_wishes(person, wants_day=wants_day)
        person.start(self.people)

    def _set_wishes(self, person: Passenger, *, wants_day: bool) -> None:
        chance, scenario = self.chance, self.assignment["scenario"]
        person.party = chance.choices(GROUP_SIZES, GROUP_WEIGHTS)[0]
        person.names_seats = chance.random() < NAMING_SHARE
        person.searches = chance.random() < SEARCHING_SHARE
        person.service_date = scenario["service_date"]
        person.stays_when_held = chance.random() < STAYING_SHARE
        patience = STAYING_SECONDS if person.stays_when_held else PATIENCE_SECONDS
        person.patient_until = max(time.time(), self.opens_at) + chance.uniform(*patience)
        if wants_day:
            person.window_id = scenario["day_window_id"]
            person.choices = [chance.choice(self.day)]
        else:
            person.window_id = scenario["window_id"]
            person.choices = chance.sample(self.rush, TRAINS_THAT_DO)
        if person.kind == "fan":
            person.choices = [self.rush[0], person.choices[-1]]

    def _give_up_on_the_rest(self) -> None:
        """Whoever has no answer by the end of the time has none: that is counted, not hidden."""
        ended = {id(story) for story in self.record.stories}
        stories = [g.args[0].story for g in self.people if g.args]
        self.people.kill(timeout=5)
        for story in stories:
            if id(story) not in ended:
                self.record.end(story, NO_ANSWER, "the time was over")

    def _tell(self) -> None:
        while True:
            said = {"arrived": self.record.arrived, "requests": self.record.requests}
            print(json.dumps(said | {"ends": dict(self.record.ends)}), flush=True)
            gevent.sleep(2.0)


def main() -> None:
    assignment = json.loads(Path(sys.argv[1]).read_text())
    began = time.process_time()
    generator = Generator(assignment)
    generator.run()
    generator.record.write(Path(assignment["result"]), cpu_seconds=time.process_time() - began)


if __name__ == "__main__":
    main()
