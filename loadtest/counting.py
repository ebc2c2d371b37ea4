"""
The count that matters: what the databases of order and payment say when the rush is over. HTTP
answers are not asked.
"""

import subprocess
import sys
import time
from dataclasses import dataclass

import psycopg2
from ci.town import Town

from loadtest.scenario import SEATS_TOTAL, Scenario

SETTLE_SECONDS = 420
RUSH_SQL = """
    SELECT (SELECT count(*) FROM seat_claim WHERE run_id = ANY(%(runs)s::uuid[])
            AND state = 'sold'),
           (SELECT count(*) FROM seat_claim a JOIN seat_claim b USING (run_id, seat_id)
            WHERE run_id = ANY(%(runs)s::uuid[]) AND a.claim_id < b.claim_id
            AND a.state IN ('held', 'sold') AND b.state IN ('held', 'sold')
            AND a.segments && b.segments),
           (SELECT count(*) FROM seat_claim WHERE run_id = ANY(%(runs)s::uuid[])
            AND state = 'held' AND expires_at > now()),
           (SELECT count(*) FROM seat_claim WHERE run_id = ANY(%(runs)s::uuid[])
            AND state = 'held' AND expires_at < now() - interval '60 seconds'),
           (SELECT count(*) FROM ticket JOIN orders USING (order_id)
            WHERE run_id = ANY(%(runs)s::uuid[]) AND ticket.state = 'issued'),
           (SELECT count(*) FROM orders WHERE run_id = ANY(%(runs)s::uuid[])
            AND state = 'confirmed'),
           (SELECT coalesce(sum(amount_minor), 0) FROM orders
            WHERE run_id = ANY(%(runs)s::uuid[]) AND state = 'confirmed'),
           (SELECT count(*) FROM orders WHERE run_id = ANY(%(runs)s::uuid[]))
"""
MONEY_SQL = """
    SELECT coalesce(sum(captured_minor), 0),
           count(*) FILTER (WHERE captured_minor > 0),
           (SELECT coalesce(sum(refund.amount_minor), 0)
            FROM refund JOIN payment p USING (payment_id)
            WHERE p.order_id = ANY(%(orders)s::uuid[]) AND refund.state <> 'failed')
    FROM payment WHERE order_id = ANY(%(orders)s::uuid[])
"""
SOLD_AT_SQL = """
    SELECT extract(epoch FROM confirmed_at)::float8, count(*)
    FROM orders JOIN passenger USING (order_id)
    WHERE run_id = ANY(%(runs)s::uuid[]) AND state = 'confirmed' GROUP BY 1 ORDER BY 1
"""


@dataclass
class Sold:
    """What is sold of some runs, and the money for it."""

    seats_sold: int
    oversold: int
    held: int
    stuck: int
    tickets: int
    orders_confirmed: int
    confirmed_minor: int
    orders: int
    captured_minor: int = 0
    payments_captured: int = 0
    refunded_minor: int = 0

    def since(self, before: "Sold") -> "Sold":
        """What came in addition: the day's real trains were on sale before the rush."""
        grown = {name: value - vars(before)[name] for name, value in vars(self).items()}
        return Sold(**grown | {name: vars(self)[name] for name in ("oversold", "held", "stuck")})

    @property
    def faults(self) -> list[str]:
        """What must not be, in words; empty when all is well."""
        found = []
        if self.oversold:
            found.append(f"{self.oversold} claims overlap")
        if self.stuck:
            found.append(f"{self.stuck} claims are stuck")
        if self.tickets != self.seats_sold:
            found.append(f"{self.tickets} tickets for {self.seats_sold} seats sold")
        if self.captured_minor != self.confirmed_minor + self.refunded_minor:
            found.append(
                f"money in {self.captured_minor}, confirmed {self.confirmed_minor}, "
                f"refunded {self.refunded_minor}"
            )
        return found


def await_quiet(town: Town, scenario: Scenario, *, seconds: float = SETTLE_SECONDS) -> float:
    """Wait until no seat of the rush is held any more; give how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        sold = count(town, scenario.rush_run_ids)
        print(f"\r  {sold.seats_sold} seats sold, {sold.held} held ...   ", end="", flush=True)
        if sold.held == 0:
            break
        time.sleep(2.0)
    print()
    return time.monotonic() - began


def count(town: Town, run_ids: list[str]) -> Sold:
    order = _rows(town, "order", RUSH_SQL, runs=run_ids)[0]
    sold = Sold(*order)
    ids = _rows(
        town, "order", "SELECT order_id::text FROM orders WHERE run_id = ANY(%(runs)s::uuid[])",
        runs=run_ids,
    )  # fmt: skip
    money = _rows(town, "payment", MONEY_SQL, orders=[row[0] for row in ids])[0]
    sold.captured_minor, sold.payments_captured, sold.refunded_minor = map(int, money)
    sold.confirmed_minor = int(sold.confirmed_minor)
    return sold


def sold_at(town: Town, run_ids: list[str]) -> list[tuple[float, int]]:
    return _rows(town, "order", SOLD_AT_SQL, runs=run_ids)


def audit(town: Town, wait_seconds: int = 90) -> tuple[bool, str]:
    command = [sys.executable, "-m", "railgate.commands", "--folder", str(town.folder)]
    command += ["audit", "--wait", str(wait_seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def is_sold_out(sold: Sold) -> bool:
    return sold.seats_sold == SEATS_TOTAL


def _rows(town: Town, service: str, statement: str, **values) -> list[tuple]:
    """The databases may be restarting: that is waited for."""
    for attempt in range(30):
        try:
            url = town.state["databases"][service]
            with psycopg2.connect(url) as link, link.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall()
        except psycopg2.OperationalError:
            if attempt == 29:
                raise
            time.sleep(1.0)
    raise AssertionError("the last attempt returns or raises")
