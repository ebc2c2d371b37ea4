"""The worker: lines move as order bears it and as seats are left, and everybody can read it."""

import json
from datetime import timedelta
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from chassis.application import utc_now
from waitingroom import publishing, queries, serving
from waitingroom.calls import NOTICED_WITHIN, CallWatch
from waitingroom.clients.order import OrderClient
from waitingroom.clients.ticket import TicketClient
from waitingroom.operations import NotYetServed, WindowSoldOut, admit
from waitingroom.serving import PressureWatch, Watches
from waitingroom.stock import QUESTIONS_A_ROUND, StockWatch
from waitingroom.window import EARLY, LATE, Place
from waitingroom.worker import loops_of

SECOND = timedelta(seconds=1)


class Neighbours:
    """Order and the catalogue: runs of three stops, `free` and `held` seats on each leg."""

    def __init__(self):
        self.free, self.held, self.down = {}, {}, False
        self.asked, self.spent_seconds = [], 0.0

    def set_leg(self, run_id, leg, *, free=0, held=0):
        self.free[str(run_id), leg], self.held[str(run_id), leg] = free, held

    def set_run(self, run_id, *, free=0, held=0):
        for leg in ("A-B", "B-C"):
            self.set_leg(run_id, leg, free=free, held=held)

    def answer(self, address):
        path, query = urlsplit(address).path, parse_qs(urlsplit(address).query)
        self.asked.append(address)
        if self.down:
            return 503, {}
        if path == "/metrics":
            name = "flask_http_request_duration_seconds"
            return (
                200,
                f'{name}_sum{{method="GET",status="200",url_rule="/x"}} {self.spent_seconds}\n',
            )
        run_id = path.split("/")[4]
        if path.startswith("/api/ticket/"):
            if (run_id, "A-B") not in self.free:
                return 404, {"code": "run_not_found"}
            return 200, self._definition()
        key = (run_id, f"{query['from'][0]}-{query['to'][0]}")
        counts = {"seats_free": self.free[key], "seats_held": self.held[key]}
        return 200, {"classes": [{"seat_class": "S", **counts}]}

    def _definition(self):
        pairs = ((0, 1), (1, 2), (0, 2))
        return {
            "stops": [{"sequence": n, "station_code": code} for n, code in enumerate("ABC")],
            "fares": [
                {"seat_class": "S", "from_sequence": start, "to_sequence": end}
                for start, end in pairs
            ],
        }

    def questions(self):
        return [address for address in self.asked if "availability" in address]


@pytest.fixture
def neighbours(neighbour_at):
    neighbours = Neighbours()
    neighbours.url = neighbour_at(neighbours.answer)
    return neighbours


class Worker:
    """One worker with a clock of its own; each round is a second."""

    def __init__(self, parts, url):
        order = OrderClient(url)
        self.parts, self.now = parts, utc_now()
        stock = StockWatch(order, TicketClient(url))
        self.watches = Watches(PressureWatch(order), stock, CallWatch())

    def round(self, *, seconds=1.0):
        self.now += timedelta(seconds=seconds)
        serving.move_lines(parts=self.parts, watches=self.watches, now=self.now)

    def rounds(self, count):
        for _ in range(count):
            self.round()

    def rounds_with_comers(self, window_id, count):
        """Everybody who is called comes at once; gives the number that each round reached."""
        reached = [read(window_id).serving]
        for _ in range(count):
            self.round()
            reached.append(read(window_id).serving)
            for number in range(reached[-2] + 1, reached[-1] + 1):
                self.parts.comers.note(window_id, uuid4(), number, 600)
        return reached[1:]


@pytest.fixture
def worker(parts, neighbours):
    return Worker(parts, neighbours.url)


@pytest.fixture
def rush(new_window, neighbours):
    """A window of one run with 500 seats and 10,000 people of before the opening."""
    run_id = uuid4()
    neighbours.set_run(run_id, free=500)
    return new_window(run_ids=[run_id], early_places=10_000), run_id


def read(window_id):
    return queries.window_by_id(window_id)


def test_the_line_moves_faster_each_second_while_order_is_at_ease(worker, rush):
    window_id, _ = rush
    worker.rounds(3)
    seen = [read(window_id).serving]
    for _ in range(3):
        worker.round()
        seen.append(read(window_id).serving)
    steps = [later - earlier for earlier, later in pairwise(seen)]
    assert steps == sorted(steps)
    assert steps[0] < steps[-1] < 100


def test_the_line_slows_down_when_order_is_full(worker, rush, neighbours):
    window_id, _ = rush
    worker.rounds(8)
    before = read(window_id).people_per_second
    neighbours.spent_seconds += 7.9
    worker.round()
    assert read(window_id).people_per_second == pytest.approx(before / 2)


def test_while_order_does_not_answer_hardly_anybody_is_let_in(worker, rush, neighbours):
    window_id, _ = rush
    worker.rounds(8)
    neighbours.down = True
    worker.round()
    before = read(window_id).serving
    worker.round()
    assert read(window_id).serving == before + 1


def test_a_pace_that_the_last_seats_bound_is_not_raised(worker, rush, neighbours):
    window_id, run_id = rush
    worker.rounds_with_comers(window_id, 4)
    neighbours.set_run(run_id, free=1)
    worker.rounds_with_comers(window_id, 1)
    before = read(window_id)
    worker.rounds_with_comers(window_id, 40)
    after = read(window_id)
    assert after.people_per_second == before.people_per_second
    assert before.serving + 2 <= after.serving <= before.serving + 3 * 2


def test_who_was_called_and_has_not_come_yet_counts_as_coming(worker, rush):
    """Five hundred free seats: a thousand people on their way, however fast the pace."""
    window_id, _ = rush
    called = worker.rounds_with_comers(window_id, 40)
    seconds = int(NOTICED_WITHIN.total_seconds())
    steps = range(len(called) - seconds)
    assert max(called[step + seconds] - called[step] for step in steps) <= 1_000
    assert called[seconds - 1] == 1_000 < called[-1]


def test_sold_out_closes_the_line_and_returned_seats_open_it_again(
    parts, worker, rush, neighbours, take
):
    window_id, run_id = rush
    worker.rounds(4)
    neighbours.set_run(run_id)
    worker.round()
    window = read(window_id)
    assert window.stock == "sold_out"
    worker.rounds(3)
    assert read(window_id).serving == window.serving
    early = take(parts, window_id)
    with pytest.raises(WindowSoldOut):
        admit(
            parts=parts,
            window_id=window_id,
            account_id=early.place.account_id,
            token=early.token,
            now=utc_now(),
        )
    neighbours.set_leg(run_id, "B-C", held=2)
    worker.round()
    assert read(window_id).stock == "held_by_others"
    neighbours.set_leg(run_id, "B-C", free=2)
    worker.round()
    assert read(window_id).stock == "open"
    assert window.serving < read(window_id).serving <= window.serving + 4


def test_a_last_seat_is_offered_on_when_most_of_the_line_has_gone_home(worker, rush, neighbours):
    """One seat and nobody who comes: two at first, then ever more, thousands after minutes."""
    window_id, run_id = rush
    neighbours.set_run(run_id, free=1)
    worker.rounds(3)
    before = read(window_id).serving
    worker.rounds(25)
    assert read(window_id).serving <= before + 2
    worker.rounds(240)
    assert read(window_id).serving > before + 2_000


def test_half_a_journey_that_is_left_is_not_sold_out(worker, rush, neighbours):
    window_id, run_id = rush
    neighbours.set_leg(run_id, "A-B", free=0)
    neighbours.set_leg(run_id, "B-C", free=3)
    worker.rounds(2)
    assert read(window_id).stock == "open"


def test_a_run_that_nobody_knows_has_nothing_to_sell(worker, new_window):
    window_id = new_window(early_places=100)
    worker.rounds(2)
    assert read(window_id).stock == "sold_out"


def test_many_runs_cost_order_few_questions(worker, new_window, neighbours):
    run_ids = [uuid4() for _ in range(100)]
    for run_id in run_ids:
        neighbours.set_run(run_id, free=1)
    new_window(run_ids=run_ids, early_places=10)
    worker.round()
    assert len(neighbours.questions()) <= QUESTIONS_A_ROUND
    worker.rounds(2)
    assert {address.split("/")[4] for address in neighbours.questions()} == set(map(str, run_ids))


def test_a_window_is_not_called_sold_out_before_all_runs_were_looked_at(
    worker, new_window, neighbours
):
    run_ids = [uuid4() for _ in range(60)]
    for run_id in run_ids:
        neighbours.set_run(run_id)
    window_id = new_window(run_ids=run_ids, early_places=10)
    worker.round()
    assert read(window_id).stock == "open"
    worker.rounds(3)
    assert read(window_id).stock == "sold_out"


def test_two_workers_move_the_line_once(parts, rush, neighbours):
    window_id, _ = rush
    first, second = Worker(parts, neighbours.url), Worker(parts, neighbours.url)
    second.now = first.now
    for each in (first, second):
        each.rounds(2)
    before = read(window_id).serving
    first.round()
    moved = read(window_id).serving
    second.round()
    assert moved > before
    assert read(window_id).serving == moved


def test_nobody_is_served_before_the_opening(worker, new_window, neighbours):
    run_id = uuid4()
    neighbours.set_run(run_id, free=500)
    window_id = new_window(run_ids=[run_id], opens_in=timedelta(hours=1))
    worker.rounds(5)
    assert (read(window_id).serving, read(window_id).early_places) == (0, None)


def test_windows_of_the_same_hour_share_the_pace(worker, new_window, neighbours):
    window_ids = []
    for _ in range(2):
        run_id = uuid4()
        neighbours.set_run(run_id, free=500)
        window_ids.append(new_window(run_ids=[run_id], early_places=10_000))
    worker.rounds(5)
    pace, _ = queries.inlet()
    assert [read(each).people_per_second for each in window_ids] == [pace / 2, pace / 2]


def test_a_window_whose_line_stays_empty_cools_down(worker, new_window, neighbours, client):
    run_id = uuid4()
    neighbours.set_run(run_id, free=500)
    window_id = new_window(run_ids=[run_id], early_places=0)
    worker.rounds(3)
    assert read(window_id).cooled_at is None
    worker.round(seconds=301)
    told = client.get(f"/api/waitingroom/windows/{window_id}/now-serving").json
    assert (told["state"], told["is_hot"]) == ("open", False)


def test_the_rush_is_over_after_a_time_in_any_case(client, new_window):
    window_id = new_window(opens_in=timedelta(hours=-3))
    assert not client.get(f"/api/waitingroom/windows/{window_id}/now-serving").json["is_hot"]


def test_when_the_rush_is_over_nobody_waits_for_a_line_that_moves_no_more(
    parts, new_window, change_window, take
):
    window_id = new_window(serving=0)
    late = take(parts, window_id)
    asked = {"window_id": window_id, "account_id": late.place.account_id, "token": late.token}
    with pytest.raises(NotYetServed):
        admit(parts=parts, **asked, now=utc_now())
    change_window(window_id, cooled_at=utc_now())
    assert admit(parts=parts, **asked, now=utc_now()).admission_pass


def test_people_are_let_in_in_the_order_of_their_numbers(worker, rush, neighbours, valkey):
    """Early and late ones, a flush in the middle: whoever is let in later has a later number."""
    window_id, run_id = rush
    neighbours.set_run(run_id, free=5_000)
    early = [Place(window_id, uuid4(), EARLY, None) for _ in range(300)]
    late = [Place(window_id, uuid4(), LATE, number) for number in range(1, 30)]
    admitted_in = {}
    for turn in range(20):
        worker.round(seconds=2)
        if turn == 10:
            valkey.flushdb()
        window = read(window_id)
        for place in (*early, *late):
            if place.account_id not in admitted_in and window.serves(place):
                admitted_in[place.account_id] = turn
    window = read(window_id)
    numbers = {place.account_id: window.number_of(place) for place in (*early, *late)}
    by_number = sorted(admitted_in, key=lambda account_id: numbers[account_id])
    turns = [admitted_in[account_id] for account_id in by_number]
    assert turns == sorted(turns)
    assert 50 < len(admitted_in) < 329
    assert all(numbers[a] > window.serving for a in set(numbers) - set(admitted_in))


def test_whoever_reads_that_his_number_is_served_gets_his_pass(parts, worker, rush, take, tmp_path):
    window_id, _ = rush
    person = take(parts, window_id)
    worker.rounds(3)
    number = person.window.number_of(person.place)
    with pytest.raises(NotYetServed):
        admit(parts=parts, window_id=window_id, account_id=person.place.account_id,
              token=person.token, now=utc_now())  # fmt: skip
    while read(window_id).serving < number:
        worker.round(seconds=2)
    publishing.publish(parts=parts, folder=tmp_path, now=utc_now())
    assert json.loads((tmp_path / f"{window_id}.json").read_bytes())["serving"] >= number
    assert admit(parts=parts, window_id=window_id, account_id=person.place.account_id,
                 token=person.token, now=utc_now()).admission_pass  # fmt: skip


def test_what_is_published_is_what_the_origin_says(parts, client, new_window, tmp_path):
    window_id = new_window(early_places=3, serving=2)
    (tmp_path / f"{uuid4()}.json").write_text("of a window long gone")
    publishing.publish(parts=parts, folder=tmp_path, now=utc_now())
    (path,) = tmp_path.iterdir()
    published = json.loads(path.read_bytes())
    told = client.get(f"/api/waitingroom/windows/{window_id}/now-serving").json
    assert {**published, "as_of": ""} == {**told, "as_of": ""}
    assert path.name == f"{window_id}.json"


def test_the_worker_s_loops_run_on_an_empty_town(app, tmp_path, with_settings):
    with_settings(now_serving_folder=str(tmp_path / "new"))
    assert [loop.work() for loop in loops_of(app)] == [0, 0, 0, 0]
    assert (tmp_path / "new").is_dir()


def test_without_a_folder_nothing_is_published(app, with_settings):
    with_settings(now_serving_folder="")
    assert [loop.work() for loop in loops_of(app)] == [0, 0, 0, 0]
