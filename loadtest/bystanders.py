"""
Those who take no part in the rush: they look up their own ticket and their orders, another day's
trains and what is free there, and now and then one signs in. They must not notice the rush.
"""

import random
import time

import gevent
from locust import task

from loadtest.asking import Asking, NoAnswerError
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
