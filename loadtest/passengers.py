"""
A passenger in the rush, from the arrival to a real answer: look, fight for a seat, pay on the
provider's page, walk away, come back, try again.
"""

import random
import time
import uuid

import gevent
from locust import task
from locust.exception import StopUser

from loadtest.asking import Answer, NoAnswerError
from loadtest.record import BOUGHT, GAVE_UP, NO_ANSWER, REFUSED, SOLD_OUT, WALKED_AWAY
from loadtest.scenario import Choice
from loadtest.waiting import Ended, WaitingPassenger

GOOD_CARD, DECLINING_CARD = "4000000000000000", "4000000000000002"
CARDS = (GOOD_CARD, "4000000000000044", "4000000000000051", "4000000000000077")
CARD_WEIGHTS = (94, 2, 2, 2)
PAID_WITHIN_SECONDS = 180.0
TRIES_MAX = 40
# A declined attempt may still be on its way to be written off when the next one begins.
RETRIES_WHILE_PAYING = 5
LOST = frozenset({"seat_taken", "sold_out", "seats_held"})


class Passenger(WaitingPassenger):
    """
    `choices` are the trains that would do, the first one first. `kind` says what is special:
    plain, fan (wants one certain seat), walker, changer, decliner, or a cheat.
    """

    choices: list[Choice]
    opens_at = 0.0
    party = 1
    names_seats = False
    searches = False
    service_date = ""
    serial = 0
    gone: set[str]
    pass_ = ""

    @task
    def live(self) -> None:
        story = self.story
        try:
            self.rush()
        except Ended as ended:
            self.record.end(story, ended.end, ended.why)
        except NoAnswerError as silence:
            self.record.end(story, NO_ANSWER, str(silence))
        except Exception as fault:  # noqa: BLE001 - a fault here must not look like an answer
            self.record.end(story, NO_ANSWER, f"the load test is at fault: {fault!r}")
        raise StopUser

    def rush(self) -> None:
        self.gone = set()
        if self.window_id:
            self.join()
            self.pass_ = self.wait_for_turn(self.opens_at)
        else:
            self._sleep_until(self.opens_at + random.uniform(0.0, self.first_look_seconds))
        if self.searches:
            self._search(self.choices[0])
        order = self.fight()
        if self.kind == "changer":
            order = self.change_mind(order)
        if self.kind == "walker":
            raise Ended(WALKED_AWAY, "left the seats to lapse")
        self.pay(order)

    @property
    def kind(self) -> str:
        return self.story.kind

    def fight(self) -> dict:
        """
        Try one train and then the next, seats by name or any, until some are held.

        Raises:
            Ended: all trains are sold out, or what is left is held and patience is over.
        """
        if self.kind == "fan":
            answer = self.place(self.choices[0], seat_ids=[self.choices[0].rows[0][0]])
            if answer.is_good:
                return answer.body
        for attempt in range(TRIES_MAX):
            choice = self._next_choice(attempt)
            if choice.run_id not in self.gone and self._looks_free(choice):
                answer = self.place(choice, **self._wish(choice))
                if answer.is_good:
                    return answer.body
                self._learn(choice, answer)
            if len(self.gone) == len(self.choices):
                raise Ended(SOLD_OUT, "on all trains that would do")
            if attempt and attempt % len(self.choices) == 0:
                self._come_back()
        raise Ended(GAVE_UP, "others were faster each time")

    def _search(self, choice: Choice) -> None:
        query = f"from={choice.start}&to={choice.end}&date={self.service_date}"
        self.ask("search", "GET", f"/api/ticket/runs?{query}")

    def _next_choice(self, attempt: int) -> Choice:
        return self.choices[attempt % len(self.choices)]

    def _looks_free(self, choice: Choice) -> bool:
        path = f"/api/order/runs/{choice.run_id}/availability?from={choice.start}&to={choice.end}"
        answer = self.ask("availability", "GET", path)
        for found in answer.body.get("classes", ()):
            if found["seat_class"] == choice.seat_class:
                if found["seats_free"] + found["seats_held"] < self.party:
                    self.gone.add(choice.run_id)
                return found["seats_free"] >= self.party
        self.gone.add(choice.run_id)
        return False

    def _wish(self, choice: Choice) -> dict:
        """Look at the map and point at seats beside each other, or let the machine choose."""
        if self.names_seats and choice.rows:
            path = f"/api/order/runs/{choice.run_id}/seat-map?from={choice.start}&to={choice.end}"
            coaches = self.ask("seat map", "GET", path).body.get("coaches", ())
            free = {s["seat_id"] for c in coaches for s in c["seats"] if s["state"] == "free"}
            rows = [[seat for seat in row if seat in free] for row in choice.rows]
            wide = [row for row in rows if len(row) >= self.party]
            if wide:
                return {"seat_ids": random.choice(wide)[: self.party]}
        return {"seat_class": choice.seat_class}

    def place(self, choice: Choice, *, order_id: str = "", **wish) -> Answer:
        self.story.attempts += 1
        for seat_id in wish.get("seat_ids", ()):
            self.record.seat_attempts[f"{choice.run_id} {seat_id}"] += 1
        path = f"/api/order/orders/{order_id or uuid.uuid4()}"
        body = self.order_body(choice, **wish)
        answer = self.ask("order", "PUT", path, body=body, admission=self.pass_)
        self.story.served_at = self.story.served_at or time.time()
        if answer.code == "not_admitted" and self.window_id:
            self.pass_ = self.readmission()
            answer = self.ask("order", "PUT", path, body=body, admission=self.pass_)
        if answer.is_good or answer.code in LOST:
            return answer
        raise Ended(REFUSED, answer.code)

    def order_body(self, choice: Choice, **wish) -> dict:
        people = len(wish.get("seat_ids", ())) or self.party
        return {
            "run_id": choice.run_id,
            "from": choice.start,
            "to": choice.end,
            "passengers": [
                {
                    "name": f"Traveller {n}",
                    "identity_kind": "nid",
                    "identity_number": f"{self.serial:012d}{n}",
                }
                for n in range(people)
            ],
            **wish,
        }

    def _learn(self, choice: Choice, answer: Answer) -> None:
        if answer.code == "sold_out":
            self.gone.add(choice.run_id)

    def _come_back(self) -> None:
        """After all trains were tried in vain: most people go, some look again later."""
        if not self.stays_when_held or time.time() > self.patient_until:
            raise Ended(GAVE_UP, "the last seats are held by others")
        gevent.sleep(random.uniform(8.0, 20.0))

    def change_mind(self, order: dict) -> dict:
        self.ask("release", "PUT", f"/api/order/orders/{order['order_id']}/release")
        gevent.sleep(random.uniform(0.5, 2.0))
        return self.fight()

    def pay(self, order: dict) -> None:
        """
        Raises:
            Ended: with what became of the order.
        """
        gevent.sleep(random.uniform(0.5, 3.0))
        if self.kind == "decliner":
            self._pay_by(order, DECLINING_CARD, "declined")
        state = self._pay_by(order, random.choices(CARDS, CARD_WEIGHTS)[0], "confirmed")
        if state == "confirmed":
            self.story.seats = len(order["passengers"])
            raise Ended(BOUGHT)
        raise Ended(REFUSED, f"order {state}")

    def _pay_by(self, order: dict, card: str, until: str) -> str:
        for _ in range(RETRIES_WHILE_PAYING):
            path = f"/api/payment/payments/{uuid.uuid4()}"
            payment = self.ask("payment", "PUT", path, body={"order_id": order["order_id"]})
            if payment.code != "already_paying":
                break
            gevent.sleep(random.uniform(1.0, 3.0))
        if not payment.is_good:
            raise Ended(REFUSED, payment.code)
        page = payment.body["redirect_url"]
        self.ask("provider page", "GET", page)
        gevent.sleep(random.uniform(0.5, 3.0))
        self.ask("provider form", "POST", page, form={"card": card})
        return self._await(path if until == "declined" else self._order_path(order), until)

    def _await(self, path: str, until: str) -> str:
        """As the page after payment does: look every second or two, then less often."""
        deadline, pause = time.monotonic() + PAID_WITHIN_SECONDS, 0.7
        while time.monotonic() < deadline:
            gevent.sleep(pause)
            state = self.ask("is it paid", "GET", path).body.get("state", "")
            if state in {until, "expired", "released", "cancelled", "voided", "failed"}:
                return state
            pause = min(pause * 1.4, 5.0)
        raise NoAnswerError(f"paid, and no answer in {PAID_WITHIN_SECONDS:.0f} s")

    @staticmethod
    def _order_path(order: dict) -> str:
        return f"/api/order/orders/{order['order_id']}"
