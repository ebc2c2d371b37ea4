"""
The generator of the breakpoint: `python -m loadtest.selecting <assignment.json>`. Passengers choose
seats, more of them a second with each step, whether or not the earlier ones were answered.
"""

import json
import random
import sys
import time
from dataclasses import asdict
from pathlib import Path

import gevent
from gevent.pool import Group
from locust.env import Environment

# After Locust, which makes the standard library cooperative.
from loadtest.asking import UNSEEN, begin_asking
from loadtest.passengers import Passenger
from loadtest.record import Story
from loadtest.scenario import Choice
from loadtest.steps import DAY_SHARE, RATES, STEP_SECONDS, Step


class Selector(Passenger):
    """Looks once, asks for seats once, and leaves what it holds to lapse."""

    step: Step

    def select(self) -> None:
        step, choice = self.step, self.choices[0]
        leg = f"from={choice.start}&to={choice.end}"
        looked = self._timed("GET", f"/api/order/runs/{choice.run_id}/availability?{leg}")
        path = f"/api/order/orders/{self.story.account}"
        body = self.order_body(choice, seat_class=choice.seat_class)
        ordered = self._timed("PUT", path, body)
        step.held += ordered.status == 201
        step.answered += looked.status not in UNSEEN and ordered.status not in UNSEEN

    def _timed(self, method: str, path: str, body: dict | None = None):
        began = time.perf_counter()
        answer = self.ask_once("order" if body else "availability", method, path, body=body)
        self.step.times.append((time.perf_counter() - began) * 1e3)
        self.step.failed += answer.status in UNSEEN
        return answer


def main() -> None:
    assignment = json.loads(Path(sys.argv[1]).read_text())
    begin_asking(assignment["base_url"])
    rush = [Choice(**c) for c in assignment["scenario"]["rush"]]
    day = [Choice(**c) for c in assignment["scenario"]["day"]]
    began, steps = time.process_time(), []
    with Path(assignment["accounts"]).open() as accounts:
        for rate in RATES:
            steps.append(_step(rate, rush, day, accounts, assignment))
            told = {key: value for key, value in asdict(steps[-1]).items() if key != "times"}
            print(json.dumps(told | {"broken_by": steps[-1].broken_by}), flush=True)
            if steps[-1].broken_by:
                break
    cpu_seconds = time.process_time() - began
    body = {"steps": [asdict(step) for step in steps], "cpu_seconds": cpu_seconds}
    Path(assignment["result"]).write_text(json.dumps(body))


def _step(rate: int, rush: list[Choice], day: list[Choice], accounts, assignment) -> Step:
    environment, people = Environment(host=assignment["base_url"]), Group()
    step = Step(rate, time.time())
    for n in range(round(rate * STEP_SECONDS)):
        gevent.sleep(max(0.0, step.began_at + n / rate - time.time()))
        line = accounts.readline().split()
        if not line:
            break
        person = Selector(environment)
        person.story = Story(line[0], "plain", "rush", time.time())
        person.token, person.step, person.party = line[1], step, random.choice((1, 1, 2, 3))
        person.serial = assignment["first_serial"] + int(line[0][:6], 16) * 100 + n % 100
        person.choices = [random.choice(day if day and random.random() < DAY_SHARE else rush)]
        people.spawn(person.select)
        step.asked += 1
    people.join(timeout=2.0)
    step.ended_at = time.time()
    people.join(timeout=30.0)
    return step


if __name__ == "__main__":
    main()
