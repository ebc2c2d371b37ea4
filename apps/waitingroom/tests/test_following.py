"""Windows that nobody makes by hand: they follow the catalogue's openings, and staff come first."""

import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from chassis import testing
from chassis.application import utc_now
from waitingroom import following, queries
from waitingroom.clients.ticket import TicketClient
from waitingroom.models import WaitingWindow, db
from waitingroom.openings import Opening
from waitingroom.operations import WindowClosed
from waitingroom.staffing import WindowTerms, put_window

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Catalogue:
    """Ticket as far as the waiting room asks it: `opens` says which run opens when."""

    def __init__(self):
        self.opens, self.seats, self.status = {}, {}, 200

    def add(self, opens_at, *, seats=100):
        run_id = uuid4()
        self.opens[run_id], self.seats[run_id] = opens_at, seats
        return run_id

    def answer(self, address):
        return self.status, self._openings(address) if self.status == 200 else {}

    def _openings(self, address):
        query = {name: found[0] for name, found in parse_qs(urlsplit(address).query).items()}
        start, end = (datetime.fromisoformat(query[name]) for name in ("from", "until"))
        moments = sorted({at for at in self.opens.values() if start <= at < end})
        runs = {
            moment: [
                {"run_id": str(run_id), "seats_total": self.seats[run_id]}
                for run_id, at in self.opens.items()
                if at == moment
            ]
            for moment in moments
        }
        return {"openings": [{"opens_at": m.isoformat(), "runs": runs[m]} for m in moments]}


@pytest.fixture
def catalogue(neighbour_at):
    catalogue = Catalogue()
    catalogue.url = neighbour_at(catalogue.answer)
    return catalogue


@pytest.fixture
def now():
    return utc_now()


@pytest.fixture
def opens_at(now):
    """Like every time of the catalogue a whole second."""
    return (now + 6 * HOUR).replace(microsecond=0)


@pytest.fixture
def follow(app, catalogue):
    def round_(at, parts=None):
        following.follow_openings(
            parts=parts or app.extensions["parts"], ticket=TicketClient(catalogue.url), now=at
        )
        return {window.window_id: window for window in queries.told_windows()}

    return round_


@pytest.fixture
def only(follow):
    """Follow, and give the one window there is."""

    def round_(at):
        (window,) = follow(at).values()
        return window

    return round_


@pytest.fixture
def write_window(parts):
    """What staff do: make a window, or change one."""

    def write(run_ids, opens_at, *, window_id=None, closes_in=HOUR, now=None):
        window_id = window_id or uuid4()
        put_window(
            parts=parts,
            window_id=window_id,
            terms=WindowTerms(sorted(run_ids), opens_at, opens_at + closes_in, 7),
            account_id=uuid4(),
            now=now or utc_now(),
        )
        return window_id

    return write


# --- made in time, once ---


def test_each_opening_has_one_window_of_its_runs(follow, catalogue, now, opens_at):
    west = [catalogue.add(opens_at, seats=seats) for seats in (40, 60)]
    east = catalogue.add(opens_at + 6 * HOUR)
    found = follow(now)
    assert [(w.opens_at, w.run_ids, w.seats_total) for w in found.values()] == [
        (opens_at, tuple(sorted(west)), 100),
        (opens_at + 6 * HOUR, (east,), 100),
    ]
    for window in found.values():
        assert window.is_automatic
        assert window.is_hot(now, hot_seconds_max=7_200)
        assert window.closes_at == window.opens_at + 2 * HOUR


def test_however_often_it_is_asked_a_window_stays_as_it_was_made(only, catalogue, now, opens_at):
    catalogue.add(opens_at)
    first = only(now)
    assert first == only(now + MINUTE)
    assert first.window_id == Opening(opens_at, {}).window_id


def test_two_workers_at_once_make_one_window(app, follow, catalogue, now, opens_at):
    catalogue.add(opens_at)
    start, found = threading.Barrier(4), []

    def work():
        with app.app_context():
            start.wait()
            found.append(follow(now))
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(windows) for windows in found] == [1] * 4
    assert len({w.seed for windows in found for w in windows.values()}) == 1


def test_an_opening_beyond_the_setting_has_to_wait(follow, catalogue, now, with_settings):
    opens_at = (now + 3 * HOUR).replace(microsecond=0)
    catalogue.add(opens_at)
    parts = with_settings(windows_ahead_seconds=7_200)
    assert follow(now, parts) == {}
    assert len(follow(now + HOUR + MINUTE, parts)) == 1


def test_an_opening_at_short_notice_is_left_to_who_sets_it(follow, catalogue, now):
    catalogue.add((now + 14 * MINUTE).replace(microsecond=0))
    assert follow(now) == {}


def test_switched_off_nothing_is_made_or_changed(follow, catalogue, now, opens_at, with_settings):
    run_id = catalogue.add(opens_at)
    before = follow(now)
    off = with_settings(windows_ahead_seconds=0)
    del catalogue.opens[run_id]
    catalogue.add(opens_at + HOUR)
    assert follow(now, off) == before


@pytest.mark.parametrize("status", [404, 503])
def test_while_the_catalogue_does_not_answer_nothing_changes(
    only, catalogue, now, opens_at, status
):
    catalogue.add(opens_at)
    before = only(now)
    catalogue.opens.clear()
    catalogue.status = status
    assert only(now + MINUTE) == before


# --- following until it opens ---


def test_a_run_that_is_added_or_cancelled_before_the_opening_is_followed(
    only, catalogue, now, opens_at
):
    first = catalogue.add(opens_at)
    before = only(now)
    second = catalogue.add(opens_at, seats=50)
    window = only(now)
    assert (set(window.run_ids), window.seats_total) == ({first, second}, 150)
    del catalogue.opens[first]
    window = only(now)
    assert (window.run_ids, window.seats_total) == ((second,), 50)
    assert (window.seed, window.window_id) == (before.seed, before.window_id)


def test_a_moved_opening_moves_its_runs_to_another_window(follow, catalogue, now, opens_at):
    run_id = catalogue.add(opens_at)
    (old,) = follow(now)
    catalogue.opens[run_id] = opens_at + HOUR
    found = follow(now)
    new = found.pop(Opening(opens_at + HOUR, {}).window_id)
    assert (new.run_ids, new.state_at(now)) == ((run_id,), "before")
    assert (found[old].state_at(now), found[old].is_hot(now, hot_seconds_max=7_200)) == (
        "closed",
        False,
    )


def test_an_opening_that_is_put_off_by_minutes_keeps_a_waiting_room(follow, catalogue, opens_at):
    """The notice is for openings that are new; this one has its crowd already."""
    run_id = catalogue.add(opens_at)
    follow(opens_at - HOUR)
    catalogue.opens[run_id] = opens_at + 5 * MINUTE
    found = follow(opens_at - MINUTE)
    assert found[Opening(opens_at + 5 * MINUTE, {}).window_id].run_ids == (run_id,)


def test_who_waits_for_an_opening_that_is_called_off_is_told(
    only, catalogue, now, opens_at, take, parts
):
    catalogue.add(opens_at)
    window = only(now)
    place = take(parts, window.window_id, now=now).token
    catalogue.opens.clear()
    only(now)
    with pytest.raises(WindowClosed):
        take(parts, window.window_id, shown=place, now=now)


def test_an_opening_that_returns_has_its_old_window_and_seed(only, catalogue, now, opens_at):
    run_id = catalogue.add(opens_at)
    before = only(now)
    catalogue.opens.clear()
    assert only(now).withdrawn_at == now
    catalogue.opens[run_id] = opens_at
    assert only(now + MINUTE) == before


def test_what_has_opened_is_not_touched(only, catalogue, now, opens_at):
    run_id = catalogue.add(opens_at)
    before = only(now)
    catalogue.add(opens_at)
    del catalogue.opens[run_id]
    assert only(opens_at + timedelta(seconds=1)) == before


# --- staff come first ---


def test_runs_of_a_window_of_staff_get_no_other(follow, catalogue, now, opens_at, write_window):
    theirs, other = catalogue.add(opens_at), catalogue.add(opens_at)
    window_id = write_window([theirs], opens_at)
    found = follow(now)
    assert found.pop(window_id).seats_total == 7
    ((_, automatic),) = found.items()
    assert automatic.run_ids == (other,)


def test_a_window_of_staff_takes_its_runs_at_once(follow, catalogue, now, opens_at, write_window):
    """Not at the next round: between the two the line could open."""
    first, second = catalogue.add(opens_at), catalogue.add(opens_at)
    (automatic,) = follow(now)
    write_window([first], opens_at)
    assert queries.window_by_id(automatic).run_ids == (second,)
    write_window([second], opens_at + HOUR)
    assert queries.window_by_id(automatic).state_at(now) == "closed"
    assert len(follow(now)) == 3
    assert queries.window_by_id(automatic).state_at(now) == "closed"


def test_a_window_that_staff_changed_is_theirs(only, catalogue, now, opens_at, write_window):
    run_id = catalogue.add(opens_at)
    window_id = only(now).window_id
    write_window([run_id], opens_at + HOUR, window_id=window_id)
    changed = queries.window_by_id(window_id)
    catalogue.add(opens_at)
    assert only(now) == changed
    assert (changed.is_automatic, changed.opens_at) == (False, opens_at + HOUR)


def test_a_window_that_staff_ended_is_not_made_again(only, catalogue, now, opens_at, write_window):
    run_id = catalogue.add(opens_at)
    window_id = only(now).window_id
    write_window([run_id], now - MINUTE, window_id=window_id, closes_in=MINUTE / 2)
    assert only(now).state_at(now) == "closed"


def test_an_automatic_window_that_has_opened_keeps_its_runs(
    follow, catalogue, opens_at, write_window
):
    """People stand in its line."""
    run_id = catalogue.add(opens_at)
    (automatic,) = follow(opens_at - HOUR)
    later = opens_at + MINUTE
    write_window([run_id], later + HOUR, now=later)
    assert queries.window_by_id(automatic).run_ids == (run_id,)


def test_everybody_sees_which_windows_are_automatic(client, follow, catalogue, opens_at):
    run_id = catalogue.add(opens_at)
    follow(utc_now())
    (told,) = client.get("/api/waitingroom/windows").json["windows"]
    assert (told["is_automatic"], told["run_ids"]) == (True, [str(run_id)])


def test_staff_s_taking_over_is_kept(client, only, catalogue, now, opens_at):
    run_id = catalogue.add(opens_at)
    window = only(now)
    headers = testing.signed_in(roles=("staff",))
    body = {
        "run_ids": [str(run_id)],
        "opens_at": window.opens_at.isoformat(),
        "closes_at": window.closes_at.isoformat(),
        "seats_total": window.seats_total,
    }
    path = "/api/waitingroom/staff"
    written = client.put(f"{path}/windows/{window.window_id}", json=body, headers=headers)
    assert (written.status_code, written.json["is_automatic"]) == (200, False)
    (change,) = client.get(f"{path}/changes", headers=headers).json["changes"]
    assert change["before"].pop("is_automatic") is True
    assert change["after"].pop("is_automatic") is False
    assert change["before"] == change["after"]


def test_windows_of_before_the_migration_are_staff_s(new_window):
    assert db.session.get(WaitingWindow, new_window()).is_automatic is False


def test_the_id_does_not_depend_on_how_the_moment_is_written():
    utc = datetime(2026, 11, 25, 2, tzinfo=UTC)
    dhaka = datetime.fromisoformat("2026-11-25T08:00:00+06:00")
    assert Opening(utc, {}).window_id == Opening(dhaka, {}).window_id
