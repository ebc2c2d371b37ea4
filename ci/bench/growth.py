"""
What a refusal must not depend on: how many runs are asked for, how many claims a run has, and how
many people wait for it. Each row is the same refusal with more of one of them.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import httpx
import jwt
import redis
from ci.bench.cases import Case, Seats, open_window, place, put, wish
from ci.bench.town import ACCOUNTS, BenchTown

from ticket.importers import normalised
from waitingroom import numbers

RUNS = (1, 100, 1_000)
WAITING = (1_000, 100_000, 1_000_000)
REFUSED_A_ROUND = 12_000
DAYS_ON_SALE = 10
# Until order has heard of a new window.
HEARD_SECONDS = 3.0


def growth_cases(town: BenchTown) -> Iterator[Case]:
    """Each case is prepared when it is its turn: those before it shall not know of it."""
    definitions = list(_every_run_on_sale(town, most=max(RUNS)))
    seats = [_first_seat(definition) for definition in definitions]
    place(town, [(str(uuid.uuid4()), taken) for taken in seats])
    for count in (*RUNS[:-1], len(seats)):
        name, refused = f"refused, {count:,} runs asked for", _refused(town, seats[:count])
        # Each process shall have met each run.
        yield _case(name, refused, warm_up=1_000 + 6 * count)
    yield from _with_claims(town, definitions)
    yield from _with_people_waiting(town, seats[1])


def _every_run_on_sale(town: BenchTown, most: int) -> Iterator[dict]:
    with httpx.Client(base_url=f"{town.address('ticket')}/api/ticket/runs/") as client:
        answers = (client.get(str(run_id)) for run_id in _runs())
        found = (answer.json() for answer in answers if answer.status_code == 200)
        yield from islice(filter(_is_on_sale, found), most)


def _runs() -> Iterator[uuid.UUID]:
    today = datetime.now(UTC).date()
    for days in range(1, DAYS_ON_SALE + 2):
        for train in normalised.read().trains:
            name = f"railgate:run:{train.train_number}:{today + timedelta(days=days)}"
            yield uuid.uuid5(uuid.NAMESPACE_URL, name)


def _is_on_sale(definition: dict) -> bool:
    sales, now = definition["sales"], datetime.now(UTC)
    opens_at, closes_at = (datetime.fromisoformat(sales[k]) for k in ("opens_at", "closes_at"))
    return bool(definition["fares"]) and opens_at < now < closes_at


def _first_seat(definition: dict) -> dict:
    _, fare, seat_id = next(Seats.every_seat([definition]))
    return wish(definition, fare, [seat_id])


def _with_claims(town: BenchTown, definitions: list[dict]) -> Iterator[Case]:
    """The same seat of the largest run, with a claim and then with one on each of its seats."""
    largest = max(definitions, key=lambda d: sum(len(c["seats"]) for c in d["coaches"]))
    taken, *others = [wish(d, fare, [seat]) for d, fare, seat in Seats.every_seat([largest])]
    yield _case("refused, 1 claim on the run", _refused(town, [taken]))
    place(town, [(str(uuid.uuid4()), other) for other in others])
    yield _case(f"refused, {len(others) + 1:,} claims on the run", _refused(town, [taken]))
    by_class = {**taken, "seat_class": _class_of(largest, taken["seat_ids"][0])}
    del by_class["seat_ids"]
    yield _case("refused, its class is held", _refused(town, [by_class]))


def _class_of(definition: dict, seat_id: int) -> str:
    return next(
        coach["seat_class"]
        for coach in definition["coaches"]
        if any(seat["seat_id"] == seat_id for seat in coach["seats"])
    )


def _with_people_waiting(town: BenchTown, taken: dict) -> Iterator[Case]:
    """With a pass of the window for the refusal, and without one for the way to the line."""
    window_id, waiting = open_window(town, [taken["run_id"]]), 0
    passes = [_pass(town, n, window_id) for n in range(ACCOUNTS)]
    time.sleep(HEARD_SECONDS)
    for count in WAITING:
        _fill(town, window_id, count - waiting)
        waiting = count
        yield _case(f"refused, {count:,} people waiting", _refused(town, [taken], passes))
        refused = _refused(town, [taken])
        yield _case(f"not admitted, {count:,} people waiting", refused, status=403)


def _case(
    name: str, requests: Callable[[], list[bytes]], *, status: int = 409, warm_up: int = 1_000
) -> Case:
    return Case(name, "order", status, requests, aim=0.8, warm_up=warm_up)


def _refused(
    town: BenchTown, taken: list[dict], passes: list[dict] | None = None
) -> Callable[[], list[bytes]]:
    """Somebody else asks for what is taken, of each run in turn."""
    stranger = {"name": "Bench", "identity_kind": "nid", "identity_number": "9999999999"}

    def requests() -> list[bytes]:
        return [
            put(
                town,
                n,
                str(uuid.uuid4()),
                {**taken[n % len(taken)], "passengers": [stranger]},
                headers=passes[n % ACCOUNTS] if passes else {},
            )
            for n in range(REFUSED_A_ROUND)
        ]

    return requests


def _pass(town: BenchTown, n: int, window_id: str) -> dict[str, str]:
    """As the waiting room signs it, without the wait."""
    address = town.town.address("waitingroom")
    [key] = httpx.get(f"{address}/api/waitingroom/jwks.json").json()["keys"]
    token = town.account(n)["Authorization"].removeprefix("Bearer ")
    account_id = jwt.decode(token, options={"verify_signature": False})["sub"]
    now = int(time.time())
    claims = {"iss": "railgate-waitingroom", "aud": "railgate-order", "sub": account_id}
    claims |= {"window_id": window_id, "iat": now, "exp": now + 3_600}
    signed = jwt.encode(
        claims,
        town.town.keys["admission_key"],
        algorithm="EdDSA",
        headers={"kid": key["kid"]},
    )
    return {"Admission-Pass": signed}


def _fill(town: BenchTown, window_id: str, count: int) -> None:
    """Write places where the waiting room keeps them."""
    window = uuid.UUID(window_id)
    with redis.Redis.from_url(town.town.state["redis_urls"]["waitingroom"]) as client:
        for begin in range(0, count, 10_000):
            with client.pipeline(transaction=False) as pipe:
                for n in range(begin, min(begin + 10_000, count)):
                    account_id = uuid.uuid4()
                    pipe.hset(numbers._bucket(window, account_id), account_id.bytes, n)
                pipe.execute()
