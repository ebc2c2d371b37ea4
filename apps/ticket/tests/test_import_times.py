"""Stated times: read, unrolled over midnight, and disbelieved where they contradict the others."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticket.importers.running_times import (
    DAY,
    StatedTime,
    UnreadableTimeError,
    believable,
    minute_of_day,
    spread,
    unrolled,
)


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("07:13 pm BST", 19 * 60 + 13),
        ("12:00 am BST", 0),
        ("12:00 pm BST", 12 * 60),
        ("12:59 AM", 59),
        ("1:05 am bst", 65),
    ],
)
def test_a_12_hour_time_is_read(text, minute):
    assert minute_of_day(text, zone_label="BST") == minute


@pytest.mark.parametrize("text", ["13:00 pm BST", "00:10 am BST", "07:60 pm BST", "19:13", "soon"])
def test_another_form_is_no_time(text):
    with pytest.raises(UnreadableTimeError, match="12-hour"):
        minute_of_day(text, zone_label="BST")


def test_a_time_of_another_zone_is_refused():
    with pytest.raises(UnreadableTimeError, match="zone BST"):
        minute_of_day("07:13 pm IST", zone_label="BST")


def test_a_drop_by_hours_is_the_next_day_and_a_drop_by_minutes_is_not():
    assert unrolled([1400, 1430, 5, 40, 30, 60]) == [1400, 1430, 1445, 1480, 1470, 1500]


def test_a_train_of_two_nights_counts_on():
    assert unrolled([1300, 400, 1100, 200]) == [1300, 1840, 2540, 3080]


@given(st.lists(st.integers(0, DAY - 1), max_size=12))
def test_unrolling_keeps_the_clock_and_never_leaps_half_a_day(minutes):
    line = unrolled(minutes)
    assert [minute % DAY for minute in line] == minutes
    steps = [later - sooner for sooner, later in pairwise(line)]
    assert all(-DAY // 2 < step <= DAY // 2 for step in steps)


def stated(*minutes, weights=None):
    weights = weights or [1] * len(minutes)
    return [
        StatedTime(stop, is_departure=False, minute=minute, weight=weight)
        for stop, (minute, weight) in enumerate(zip(minutes, weights, strict=True))
    ]


def test_the_one_that_goes_back_is_disbelieved():
    kept = believable(stated(10, 20, 5, 30, 40))
    assert [time.minute for time in kept] == [10, 20, 30, 40]


def test_a_heavy_time_outweighs_a_light_one():
    kept = believable(stated(10, 50, 30, weights=[8, 1, 8]))
    assert [time.minute for time in kept] == [10, 30]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 8)), max_size=8))
def test_nothing_heavier_could_have_been_believed(pairs):
    times = stated(*(m for m, _ in pairs), weights=[w for _, w in pairs])
    kept = believable(times)
    assert [time.minute for time in kept] == sorted(time.minute for time in kept)
    heaviest = max(
        sum(time.weight for time in some)
        for size in range(len(times) + 1)
        for some in combinations(times, size)
        if [time.minute for time in some] == sorted(time.minute for time in some)
    )
    assert sum(time.weight for time in kept) == heaviest


def test_moments_are_spread_evenly():
    assert spread(100, 130, 2) == [110, 120]
    assert spread(100, 100, 1) == [100]
