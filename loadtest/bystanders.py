"""
Those who take no part in the rush: they look up their own ticket and their orders, another day's
trains and what is free there, and now and then one signs in. They must not notice the rush.

They are a process of their own, `python -m loadtest.bystanders <assignment.json>`, until SIGTERM:
among thousands of others in one process they would mostly wait for each other.
"""

import json
import random
import signal
import sys
import time
from pathlib import Path

import gevent
from gevent.event import Event
from gevent.pool import Group
from locust import task
from locust.env import Environment

# After Locust, which makes the standard library cooperative.
from loadtest.asking import Asking, NoAnswerError, begin_asking
from loadtest.scenario import Choice

PAUSE_SECONDS = (0.3, 0.9)
# All sign in as one account, which may do so fifty times in a quarter of an hour.
SIGN_IN_SHARE = 0.006


class Bystander(Asking):
    """`order_id` is an order of its own on a run of another day."""

    order_id = ""
    quiet: list[Choice]
    day = ""
    sign_in: dict

    @task
    def look(self) -> None:
        choice = random.choice(self.quiet)
        leg = f"from={choice.start}&to={choice.end}"
        looks = {
            "own ticket": ("GET", f"/api/order/orders/{self.order_id}", None),
            "own orders": ("GET", "/api/order/orders", None),
            "search another day": ("GET", f"/api/ticket/runs?{leg}&date={self.day}", None),
            "availability another day": (
                "GET",
                f"/api/order/runs/{choice.run_id}/availability?{leg}",
                None,
            ),
        }
        if random.random() < SIGN_IN_SHARE:
            looks = {"sign in": ("POST", "/api/registration/sessions", self.sign_in)}
        step, (method, path, body) = random.choice(list(looks.items()))
        began = time.perf_counter()
        try:
            answer = self.ask_once(f"bystander: {step}", method, path, body=body)
            took = (time.perf_counter() - began) * 1e3
            row = (time.time(), step, round(took, 2), answer.is_good)
            self.record.bystanders.append(row)
        except NoAnswerError:
            self.record.bystanders.append((time.time(), step, 1e5, False))
        gevent.sleep(random.uniform(*PAUSE_SECONDS))


def main() -> None:
    assignment = json.loads(Path(sys.argv[1]).read_text())
    over, onlookers = Event(), Group()
    gevent.signal_handler(signal.SIGTERM, over.set)
    record = begin_asking(assignment["base_url"])
    environment = Environment(host=assignment["base_url"])
    quiet = [Choice(**choice) for choice in assignment["scenario"]["quiet"]]
    for told in assignment["bystanders"]:
        person = Bystander(environment)
        person.token, person.order_id = told["token"], told["order_id"]
        person.quiet, person.day, person.sign_in = quiet, told["day"], told["sign_in"]
        person.start(onlookers)
    over.wait(timeout=max(1.0, assignment["stop_at"] - time.time()))
    onlookers.kill(timeout=2)
    record.write(Path(assignment["result"]))


if __name__ == "__main__":
    main()
