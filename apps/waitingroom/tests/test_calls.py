"""How many of the called come: learned from who came, and doubted where that cannot be known."""

import dataclasses
from datetime import timedelta
from uuid import uuid4

import pytest

from chassis.application import utc_now
from waitingroom import queries
from waitingroom.calls import COMING_SHARE_MIN, NOTICED_WITHIN, CallWatch
from waitingroom.operations import admit


@pytest.fixture
def line(new_window, parts):
    """A line whose numbers are called at will."""
    return Line(queries.window_by_id(new_window(early_places=10_000)), parts.comers)


class Line:
    def __init__(self, window, comers):
        self.window, self.comers, self.now = window, comers, utc_now()
        self.watch = CallWatch()

    def called_up_to(self, serving, *, stock="open"):
        """And what is seen when everybody has had the time to notice."""
        self.call(serving, stock=stock)
        self.now += NOTICED_WITHIN
        return self.seen()

    def call(self, serving, *, stock="open"):
        self.now += timedelta(seconds=1)
        self.window = dataclasses.replace(self.window, serving=serving, stock=stock)
        return self.seen()

    def seen(self):
        return self.watch.calls(self.window, self.comers, self.now)

    def come(self, *numbers):
        for number in numbers:
            self.comers.note(self.window.window_id, uuid4(), number, 600)

    def gone_home(self):
        """A hundred were called, had the time to notice, and two came."""
        self.call(0)
        self.come(7, 40)
        return self.called_up_to(100)


def test_at_first_everybody_is_thought_to_come(line):
    assert line.called_up_to(5).coming_share == 1.0


def test_where_few_come_the_share_is_theirs(line):
    assert line.gone_home().coming_share == pytest.approx(3 / 101)


def test_where_everybody_comes_the_share_stays_one(line):
    line.call(0)
    line.come(*range(1, 101))
    assert line.called_up_to(100).coming_share == 1.0


def test_who_is_still_on_the_way_does_not_count_as_gone(line):
    line.call(0)
    seen = line.call(50)
    assert (seen.on_their_way, seen.coming_share) == (50, 1.0)


def test_the_longer_nobody_comes_the_smaller_the_share(line):
    line.gone_home()
    shares = [line.called_up_to(number).coming_share for number in (400, 2_000, 10_000)]
    assert shares == pytest.approx([1 / 361, 1 / 1_961, 1 / 9_961], rel=0.01)


def test_it_is_never_nothing(line):
    line.call(0)
    assert line.called_up_to(100_000).coming_share == COMING_SHARE_MIN


def test_new_people_who_come_are_noticed_at_once(line):
    line.gone_home()
    line.come(*range(101, 109))
    assert line.call(110).coming_share == 0.8


def test_who_was_called_when_nothing_was_free_proves_nothing(line):
    share = line.gone_home().coming_share
    line.called_up_to(200, stock="held_by_others")
    assert line.called_up_to(200).coming_share == pytest.approx(share)


def test_an_emptied_redis_does_not_look_like_people_gone_home(line, valkey):
    line.call(0)
    line.come(*range(1, 101))
    line.called_up_to(100)
    valkey.flushdb()
    assert line.called_up_to(100).coming_share == 1.0
    line.come(*range(101, 121))
    assert line.called_up_to(120).coming_share == 1.0


def test_without_redis_everybody_is_thought_to_come(line, parts_without_redis):
    line.comers = parts_without_redis.comers
    line.call(0)
    assert line.called_up_to(100).coming_share == 1.0


def test_who_is_let_in_twice_came_once(parts, new_window, take):
    window_id = new_window(serving=10)
    late = take(parts, window_id)
    asked = {"window_id": window_id, "account_id": late.place.account_id, "token": late.token}
    for _ in range(2):
        admit(parts=parts, **asked, now=utc_now())
    number = queries.window_by_id(window_id).number_of(late.place)
    assert parts.comers.count(window_id, after=0, noticed=10, newest=10) == (1, number, 1, 0)
