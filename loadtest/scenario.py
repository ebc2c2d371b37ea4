"""
What is sold in the rush, made through the staff API as the railway would: five trains of five
coaches of 55 seats, whose sales open at a set moment, and beside them the real trains of a day.
"""

import time
import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta

import httpx
from ci.town import Town

TRAINS, COACHES, ROWS = 5, 5, 11
SEATS_TOTAL = TRAINS * COACHES * ROWS * 5
FROM, TO, SEAT_CLASS = "DA", "CTG", "S_CHAIR"
REAL_DAYS_AHEAD, QUIET_DAYS_AHEAD = 6, 3
DEFINITIONS_MAX = 400


@dataclass
class Choice:
    """One thing to buy: a leg of a run in a class, and how its coaches are seated."""

    run_id: str
    start: str
    end: str
    seat_class: str
    rows: list[list[int]] = field(default_factory=list)


@dataclass
class Scenario:
    """`rush` are the five trains; `day` the real trains; `quiet` takes no part in the rush."""

    opens_at: float
    service_date: str
    rush: list[Choice]
    day: list[Choice]
    quiet: list[Choice]
    window_id: str = ""
    day_window_id: str = ""

    def as_dict(self) -> dict:
        return asdict(self)

    @property
    def rush_run_ids(self) -> list[str]:
        return [choice.run_id for choice in self.rush]

    @property
    def day_run_ids(self) -> list[str]:
        return sorted({choice.run_id for choice in self.day})


class Staff:
    """The railway's staff at work; every request must succeed."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._http = httpx.Client(
            base_url=town.base_url, timeout=30, headers=town.account(roles=["staff"])
        )

    def put(self, path: str, body: dict) -> dict:
        answer = self._http.put(path, json=body)
        if answer.status_code not in {200, 201}:
            raise SystemExit(f"{path}: {answer.status_code} {answer.text}")
        return answer.json()

    def get(self, path: str, **query: str) -> dict | None:
        answer = self._http.get(path, params=query)
        return answer.json() if answer.status_code == 200 else None


def prepare(town: Town, *, lead_seconds: float, with_room: bool, with_day: bool) -> Scenario:
    """Write the trains, wait until order can sell them, and open the waiting rooms."""
    staff, today = Staff(town), datetime.now(UTC).date()
    service_date = today + timedelta(days=REAL_DAYS_AHEAD)
    numbers = _write_trains(staff, service_date)
    day = _choices_of_day(staff, service_date) if with_day else []
    quiet = _choices_of_day(staff, today + timedelta(days=QUIET_DAYS_AHEAD), most=6)
    opens_at = time.time() + lead_seconds
    for number in numbers:
        _open_sales(staff, _run_id(number, service_date), opens_at)
    rush = [_choice(staff, _run_id(number, service_date)) for number in numbers]
    scenario = Scenario(opens_at, service_date.isoformat(), rush, day, quiet)
    if with_room:
        _open_rooms(staff, scenario)
    return scenario


def close_rooms(town: Town, scenario: Scenario) -> None:
    """End what was opened: the trains of the day are not to stay behind a waiting room."""
    staff = Staff(town)
    for window_id, run_ids, seats in _rooms(scenario):
        staff.put(
            f"/api/waitingroom/staff/windows/{window_id}",
            _room(run_ids, seats, scenario.opens_at, time.time() - 1),
        )


def _write_trains(staff: Staff, service_date: date) -> list[str]:
    serial = f"{int(time.time()) % 10_000_000:07d}"
    numbers = [f"R{serial}{n}" for n in range(1, TRAINS + 1)]
    first = service_date.isoformat()
    for n, number in enumerate(numbers):
        path = f"/api/ticket/staff/trains/{number}"
        minute = 600 + 60 * n
        stops = [
            {"station_code": FROM, "arrives_minute": None, "departs_minute": minute},
            {"station_code": TO, "arrives_minute": minute + 300, "departs_minute": None},
        ]
        staff.put(
            path,
            {
                "name": f"Rush Express {n + 1}",
                "running_days": "",
                "from_date": first,
                "stops": stops,
            },
        )
        staff.put(f"{path}/coach-plan", {"from_date": first, "coaches": _coaches()})
        staff.put(f"{path}/fares", {"from_date": first, "fares": [_fare()]})
        run = {"train_number": number, "service_date": first}
        staff.put(f"/api/ticket/staff/runs/{_run_id(number, service_date)}", run)
    return numbers


def _coaches() -> list[dict]:
    return [
        {
            "coach_number": n,
            "letter": "ABCDE"[n - 1],
            "seat_class": SEAT_CLASS,
            "rows": ROWS,
            "left_seats": 2,
            "right_seats": 3,
        }
        for n in range(1, COACHES + 1)
    ]


def _fare() -> dict:
    leg = {"seat_class": SEAT_CLASS, "from_code": FROM, "to_code": TO}
    return {**leg, "price_minor": 40_500, "vat_minor": 0}


def _open_sales(staff: Staff, run_id: str, opens_at: float) -> None:
    moment = {"run_id": run_id, "opens_at": _instant(opens_at)}
    staff.put(f"/api/ticket/staff/sales-windows/{uuid.uuid4()}", moment)


def _open_rooms(staff: Staff, scenario: Scenario) -> None:
    scenario.window_id = str(uuid.uuid4())
    scenario.day_window_id = str(uuid.uuid4()) if scenario.day else ""
    for window_id, run_ids, seats in _rooms(scenario):
        closes_at = scenario.opens_at + 7_200
        body = _room(run_ids, seats, scenario.opens_at, closes_at)
        staff.put(f"/api/waitingroom/staff/windows/{window_id}", body)


def _rooms(scenario: Scenario) -> list[tuple[str, list[str], int]]:
    rooms = []
    if scenario.window_id:
        rooms.append((scenario.window_id, scenario.rush_run_ids, SEATS_TOTAL))
    if scenario.day_window_id:
        rooms.append((scenario.day_window_id, scenario.day_run_ids, 0))
    return rooms


def _room(run_ids: list[str], seats: int, opens_at: float, closes_at: float) -> dict:
    return {
        "run_ids": run_ids,
        "seats_total": seats,
        "opens_at": _instant(opens_at),
        "closes_at": _instant(max(closes_at, opens_at + 1)),
    }


def _choices_of_day(staff: Staff, service_date: date, most: int = DEFINITIONS_MAX) -> list[Choice]:
    """Every leg on sale of the real trains of a day, as the catalogue publishes them."""
    found: list[Choice] = []
    trains = (staff.get("/api/ticket/trains", limit="500") or {"trains": []})["trains"]
    runs = 0
    for train in trains:
        if train["train_number"].startswith("R") or runs >= most:
            continue
        definition = staff.get(f"/api/ticket/runs/{_run_id(train['train_number'], service_date)}")
        if definition is not None and definition["fares"]:
            runs += 1
            found += _legs(definition)
    return found


def _legs(definition: dict) -> list[Choice]:
    codes = [stop["station_code"] for stop in definition["stops"]]
    return [
        Choice(
            definition["run_id"],
            codes[fare["from_sequence"]],
            codes[fare["to_sequence"]],
            fare["seat_class"],
        )
        for fare in definition["fares"]
    ]


def _choice(staff: Staff, run_id: str) -> Choice:
    definition = staff.get(f"/api/ticket/runs/{run_id}")
    assert definition is not None
    rows: dict[tuple[int, int], list[int]] = {}
    for coach in definition["coaches"]:
        for seat in coach["seats"]:
            rows.setdefault((coach["coach_number"], seat["row"]), []).append(seat["seat_id"])
    return Choice(run_id, FROM, TO, SEAT_CLASS, list(rows.values()))


def _run_id(train_number: str, service_date: date) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"railgate:run:{train_number}:{service_date}"))


def _instant(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
