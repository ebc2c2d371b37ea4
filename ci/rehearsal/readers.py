"""Who needs the catalogue: people who search, and staff who change it meanwhile."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from itertools import count

from ci.rehearsal.asking import Ledger, Visitor
from ci.rehearsal.purchases import FROM, LEG, TO
from ci.town import Town

API = "/api/ticket"
STAFF = f"{API}/staff"
# Beyond the days that are on sale by themselves, so that the run is staff's alone.
DAYS_TO_THE_EXTRA_RUN = 20
STAFF_REST_SECONDS = 0.5
SEARCHED, MADE = "searches", "trains made by staff"
_trains = count(1)


class Searcher(Visitor):
    """Looks a train up, down to the definition that order sells by, and again with its ETag."""

    def __init__(self, town: Town, ledger: Ledger) -> None:
        super().__init__(town, ledger)
        self._after = 0

    def visit(self) -> None:
        stations = self.ask("GET", f"{API}/stations?q=chatt", 200).body["stations"]
        self.expect(stations[0]["station_code"] == TO, "Chattogram is not found by its name")
        day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
        runs = self.ask("GET", f"{API}/runs", 200, params={**LEG, "date": day}).body["runs"]
        for run in runs[:3]:
            self._read(f"{API}/runs/{run['run_id']}")
        self.ask("GET", f"{API}/trains/{runs[0]['train_number']}", 200)
        changes = self.ask("GET", f"{API}/run-changes", 200, params={"after": self._after})
        self._after = changes.body["next_after"]
        self.ledger.deeds.append(SEARCHED)

    def _read(self, path: str) -> None:
        current = self.ask("GET", path, 200)
        version = self.ask("GET", f"{path}/versions/{current.body['version']}", 200)
        self.expect(version.body == current.body, f"{path} is not its own version")
        known = {"If-None-Match": current.headers["ETag"]}
        self.ask("GET", path, 304, headers=known)


class Staff(Visitor):
    """Makes a train, gives it coaches, fares and a run, and cancels the run again."""

    def visit(self) -> None:
        self.http.headers.update(self.town.account(roles=["staff"]))
        number = f"R{next(_trains)}"
        train = f"{STAFF}/trains/{number}"
        terms = {"name": "Rehearsal Special", "running_days": "", "stops": [
            {"station_code": FROM, "arrives_minute": None, "departs_minute": 480},
            {"station_code": TO, "arrives_minute": 800, "departs_minute": None},
        ]}  # fmt: skip
        self.ledger.begun.append(train)
        self.ask("PUT", train, 201, json=terms)
        self.ask("PUT", train, 200, json=terms)
        self._offer(train)
        self._run(number)
        self.ledger.finish(train, MADE)
        time.sleep(STAFF_REST_SECONDS)

    def _offer(self, train: str) -> None:
        classes = self.ask("GET", f"{API}/seat-classes", 200).body["seat_classes"]
        seat_class = classes[0]["seat_class"]
        coach = {"coach_number": 1, "letter": "KA", "seat_class": seat_class,
                 "rows": 5, "left_seats": 2, "right_seats": 2}  # fmt: skip
        fare = {"seat_class": seat_class, "from_code": FROM, "to_code": TO,
                "price_minor": 34500, "vat_minor": 4500}  # fmt: skip
        self.ask("PUT", f"{train}/coach-plan", 201, json={"coaches": [coach]})
        self.ask("PUT", f"{train}/fares", 201, json={"fares": [fare]})

    def _run(self, number: str) -> None:
        """What is written through one version is read through either at once."""
        later = datetime.now(UTC) + timedelta(days=DAYS_TO_THE_EXTRA_RUN)
        day = later.date().isoformat()
        run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"railgate:run:{number}:{day}"))
        wish = {"train_number": number, "service_date": day}
        made = self.ask("PUT", f"{STAFF}/runs/{run_id}", 201, json=wish)
        self.ledger.made.append(("ticket", run_id, made.version))
        self._expect_state(run_id, "scheduled")
        reason = {"reason": "The rehearsal is over."}
        self.ask("PUT", f"{STAFF}/runs/{run_id}/cancellation", 201, json=reason)
        self._expect_state(run_id, "cancelled")

    def _expect_state(self, run_id: str, state: str) -> None:
        shown = self.ask("GET", f"{API}/runs/{run_id}", 200).body["state"]
        self.expect(shown == state, f"run {run_id} is {shown}, not {state}")
