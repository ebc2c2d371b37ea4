"""People in the waiting room: a place, a number, a pass, and the order that the pass is for."""

import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

from ci.passenger import PATIENCE_SECONDS, travellers
from ci.rehearsal.asking import LOOK_SECONDS, Got, Ledger, Lost, Visitor
from ci.rehearsal.purchases import DAYS_OF_BUYERS, LEG, open_runs
from ci.town import Town

API = "/api/waitingroom"
OPENS_AFTER_SECONDS = 2.0
# A new line so often: some of its people come before the opening, most after it.
WINDOW_SECONDS = 8.0
CLOSES_AFTER_SECONDS = 60.0
LET_IN = "people let in"


class Windows:
    """The newest window of a run which nobody buys otherwise, and all numbers given out."""

    def __init__(self, town: Town) -> None:
        self.run = open_runs(town.base_url, DAYS_OF_BUYERS.stop)[0]
        self.newest = ""
        self.numbers: list[tuple[str, int]] = []

    def given_twice(self) -> list[tuple[str, int]]:
        return [number for number, times in Counter(self.numbers).items() if times > 1]


class Stewards(Visitor):
    """Staff, who open one window after another."""

    def __init__(self, town: Town, ledger: Ledger, windows: Windows) -> None:
        super().__init__(town, ledger)
        self._windows = windows

    def visit(self) -> None:
        window_id, now = str(uuid.uuid4()), datetime.now(UTC)
        window = {
            "run_ids": [self._windows.run["run_id"]],
            "opens_at": (now + timedelta(seconds=OPENS_AFTER_SECONDS)).isoformat(),
            "closes_at": (now + timedelta(seconds=CLOSES_AFTER_SECONDS)).isoformat(),
            "seats_total": 100,
        }
        self.http.headers.update(self.town.account(roles=["staff"]))
        made = self.ask("PUT", f"{API}/staff/windows/{window_id}", 201, json=window)
        self.ledger.made.append(("waitingroom", window_id, made.version))
        self._windows.newest = window_id
        self.ledger.deeds.append("windows opened")
        time.sleep(WINDOW_SECONDS)
        twice = self._windows.given_twice()
        self.expect(not twice, f"{twice} were given to two accounts each")


class Waiter(Visitor):
    def __init__(self, town: Town, ledger: Ledger, windows: Windows) -> None:
        super().__init__(town, ledger)
        self._windows = windows

    def visit(self) -> None:
        if not self._windows.newest:
            time.sleep(LOOK_SECONDS)
            return
        path = f"{API}/windows/{self._windows.newest}"
        self.http.headers.update(self.town.account())
        self.http.headers.pop("Admission-Pass", None)
        place = self.ask("PUT", f"{path}/places/me", 201, json={}).body
        key = f"{path} {place['account_id']}"
        self.ledger.begun.append(key)
        self._show_again(path, place)
        self.ask("GET", f"{path}/now-serving", 200)
        self.http.headers["Admission-Pass"] = self._await_pass(path, place["place"])
        self._order_and_release()
        self.ledger.finish(key, LET_IN)

    def _show_again(self, path: str, place: dict) -> None:
        """The place is the same, whichever version gave it; an early one's number comes later."""
        again = self.ask("PUT", f"{path}/places/me", 200, json={"place": place["place"]}).body
        if place["arrival"] == "late":
            self._windows.numbers.append((place["window_id"], place["number"]))
            self.expect(
                again["number"] == place["number"],
                f"{place['account_id']} had {place['number']} and now has {again['number']}",
            )

    def _await_pass(self, path: str, place: str) -> str:
        """
        Raises:
            Lost: the line does not come to this number.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            told = self.ask("PUT", f"{path}/admission", 201, 409, json={"place": place})
            if told.status == 201:
                return told.body["admission_pass"]
            self._expect_to_wait(told)
            # Sixty a minute is what one account may ask.
            time.sleep(1.0)
        self.ledger.broken.append(f"{path}: nobody let us in within {PATIENCE_SECONDS:.0f} s")
        raise Lost(path)

    def _expect_to_wait(self, told: Got) -> None:
        """
        Raises:
            Lost: the refusal is for another reason.
        """
        if told.body["code"] != "not_yet_served":
            self.ledger.broken.append(f"an admission was refused: {told.body}")
            raise Lost(told.body["code"])

    def _order_and_release(self) -> None:
        run = self._windows.run
        order = f"/api/order/orders/{uuid.uuid4()}"
        wish = {"seat_class": run["classes"][0]["seat_class"], "passengers": travellers(1)}
        self.ask("PUT", order, 201, json={"run_id": run["run_id"], **LEG, **wish})
        self.ask("PUT", f"{order}/release", 200)
