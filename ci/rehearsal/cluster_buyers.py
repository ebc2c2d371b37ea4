"""Who reads and buys through a cluster's front door while it releases, and what they saw."""

import contextlib
import functools
import importlib.util
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import httpx

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "gitops" / "envs" / "components" / "smoke" / "buy.py"
SERVICES = ("registration", "ticket", "order", "payment", "waitingroom")
DEEDS = READ, PURCHASE = "read", "purchase"
READ_PAUSE_SECONDS = 0.1
# Ten smoke accounts may open twelve orders a day each: so often, they last for forty minutes.
PURCHASE_SECONDS = 20.0
ACCOUNTS = 10
# So long a purchase that has begun may go on when all acts are over.
ENDING_SECONDS = 120.0


class Tried(NamedTuple):
    """One read or purchase, and what was wrong with it."""

    deed: str
    began: float
    seconds: float
    failure: str


@dataclass
class Seen:
    """What the buyers saw; a step looks at what came after its start, the verdict at everything."""

    tried: list[Tried] = field(default_factory=list)

    def note(self, deed: str, began: float, failure: str = "") -> None:
        self.tried.append(Tried(deed, began, time.monotonic() - began, failure))

    def since(self, start: float) -> tuple[int, int, float]:
        """How many were asked and how many failed, of those that are known by now; the slowest."""
        of_step = [one for one in self.tried if one.began >= start]
        slowest = max((one.seconds for one in of_step), default=0.0)
        return len(of_step), sum(bool(one.failure) for one in of_step), slowest

    def faults(self) -> list[str]:
        """Of everything: what begins in one step and ends after it is in no step's count."""
        failures = [one.failure for one in self.tried if one.failure]
        succeeded = {one.deed for one in self.tried if not one.failure}
        faults = [
            f"no {deed} succeeded, so nothing is proved" for deed in DEEDS if deed not in succeeded
        ]
        if not failures:
            return faults
        return [f"{len(failures)} of {len(self.tried)} failed, the first: {failures[0]}", *faults]


def smoke_program(base_url: str):
    """The purchase that the analysis makes against a preview, made through the front door."""
    for service in SERVICES:
        os.environ[f"SMOKE_{service.upper()}_URL"] = base_url
    found = importlib.util.spec_from_file_location("smoke_buy", SMOKE)
    program = importlib.util.module_from_spec(found)
    found.loader.exec_module(program)
    return program


@contextlib.contextmanager
def buying(base_url: str, provider: str, every_seconds: float, seen: Seen) -> Iterator[None]:
    is_over = threading.Event()
    deeds = {
        READ: functools.partial(_read, base_url, seen, is_over),
        PURCHASE: functools.partial(_buy, base_url, provider, every_seconds, seen, is_over),
    }
    threads = [
        threading.Thread(target=_to_the_end, name=deed, args=(deed, go, seen), daemon=True)
        for deed, go in deeds.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            began = time.monotonic()
            thread.join(ENDING_SECONDS)
            if thread.is_alive():
                seen.note(thread.name, began, f"the last {thread.name} does not end")


def _to_the_end(deed: str, go: Callable[[], None], seen: Seen) -> None:
    """A thread that breaks off sees nothing any more, and that would look like nothing wrong."""
    try:
        go()
    except (SystemExit, Exception) as error:  # noqa: BLE001 - whatever ends it is a failure
        seen.note(deed, time.monotonic(), f"the {deed}s broke off: {error!r}")


def _read(base_url: str, seen: Seen, is_over: threading.Event) -> None:
    """Ask something of every service again and again, without forgiving."""
    with httpx.Client(base_url=base_url, timeout=15.0) as http:
        while not is_over.is_set():
            for service in SERVICES:
                began, failure = time.monotonic(), ""
                try:
                    answer = http.get(f"/api/{service}/openapi.json")
                    failure = "" if answer.status_code == 200 else f"{service} {answer.status_code}"
                except httpx.HTTPError as error:
                    failure = f"{service} {type(error).__name__}"
                seen.note(READ, began, failure)
            is_over.wait(READ_PAUSE_SECONDS)


def _buy(
    base_url: str, provider: str, every_seconds: float, seen: Seen, is_over: threading.Event
) -> None:
    program, accounts = smoke_program(base_url), itertools.cycle(range(ACCOUNTS))
    while not is_over.is_set():
        began, failure = time.monotonic(), ""
        os.environ["SMOKE_EMAIL"] = f"smoke-{next(accounts)}@railgate.example"
        try:
            passenger = program.Passenger("")
            passenger.sign_in()
            order = program.hold_a_seat(passenger)
            if provider:
                program.pay_and_cancel(passenger, order, provider)
            else:
                path = f"/api/order/orders/{order['order_id']}/release"
                passenger.ask("PUT", "order", path)
        except (SystemExit, Exception) as error:  # noqa: BLE001 - whatever fails is a failure
            failure = f"purchase: {error}"
        seen.note(PURCHASE, began, failure)
        is_over.wait(every_seconds)
