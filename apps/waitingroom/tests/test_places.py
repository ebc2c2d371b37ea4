"""Taking a place: one an account, in order of coming, whatever becomes of Redis."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from chassis.application import utc_now
from waitingroom import serving
from waitingroom.numbers import NumbersPaused
from waitingroom.operations import WindowClosed
from waitingroom.signing import PlaceNotValid
from waitingroom.windows import WindowNotFound

SOON = timedelta(minutes=10)


def numbers_of(joined):
    return [one.place.late_number for one in joined]


def in_parallel(app, count, call):
    """Each call in a thread and an application context of its own, all let go at once."""
    start = threading.Barrier(count)

    def run(index):
        with app.app_context():
            start.wait()
            return call(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def until_numbers_flow(ask):
    """After a loss numbers pause for the rest of a lease; give the first answer after it."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return ask()
        except NumbersPaused:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_late_people_get_the_numbers_in_their_order_of_coming(parts, new_window, take):
    window_id = new_window()
    joined = [take(parts, window_id) for _ in range(450)]
    assert numbers_of(joined) == list(range(1, 451))
    assert all(one.is_new for one in joined)


def test_coming_again_gives_the_same_place(parts, new_window, take):
    window_id, account_id = new_window(), uuid4()
    first = take(parts, window_id, account_id)
    take(parts, window_id)
    again = take(parts, window_id, account_id)
    assert (again.place, again.is_new) == (first.place, False)


def test_one_account_on_fifty_devices_has_one_place(app, parts, new_window, take):
    window_id, account_id = new_window(), uuid4()
    joined = in_parallel(app, 50, lambda _: take(parts, window_id, account_id))
    assert len({one.place for one in joined}) == 1
    assert sum(one.is_new for one in joined) == 1


def test_fifty_accounts_at_once_never_share_a_number(app, parts, new_window, take):
    window_id = new_window()
    joined = in_parallel(app, 50, lambda _: take(parts, window_id))
    assert sorted(numbers_of(joined)) == list(range(1, 51))


def test_counting_without_the_script_would_share_numbers(app, new_window, valkey):
    """The negative control: reading and writing apart, as a careless counter does, collides."""

    def careless(_):
        number = int(valkey.get("careless") or 0) + 1
        time.sleep(0.001)
        valkey.set("careless", number)
        return number

    assert len(set(in_parallel(app, 50, careless))) < 50


def test_blocks_follow_each_other_while_many_come(app, with_settings, new_window, take):
    parts, window_id = with_settings(block_size=7), new_window()
    rounds = in_parallel(app, 20, lambda _: [take(parts, window_id) for _ in range(10)])
    numbers = [one.place.late_number for joined in rounds for one in joined]
    assert sorted(numbers) == list(range(1, 201))


def test_a_lease_is_renewed_and_no_number_is_left_out(parts, new_window, take):
    window_id = new_window()
    first = take(parts, window_id)
    time.sleep(0.4)
    second = take(parts, window_id)
    assert numbers_of([first, second]) == [1, 2]


def test_after_a_flush_newcomers_stand_behind_everybody(parts, new_window, take, valkey):
    window_id = new_window()
    before = [take(parts, window_id) for _ in range(30)]
    valkey.flushdb()
    with pytest.raises(NumbersPaused):
        take(parts, window_id)
    after = until_numbers_flow(lambda: take(parts, window_id))
    assert after.place.late_number > max(numbers_of(before))
    follower = take(parts, window_id)
    assert follower.place.late_number == after.place.late_number + 1


def test_after_a_flush_many_processes_agree_on_one_line(app, settings, new_window, take, valkey):
    from waitingroom.parts import build_parts

    processes = [build_parts(settings, app.extensions["redis"]) for _ in range(8)]
    window_id = new_window()
    before = [take(processes[0], window_id) for _ in range(10)]
    valkey.flushdb()
    after = in_parallel(app, 8, lambda n: until_numbers_flow(lambda: take(processes[n], window_id)))
    assert len(set(numbers_of(after))) == 8
    assert min(numbers_of(after)) > max(numbers_of(before))


def test_a_place_that_is_shown_survives_a_flush(parts, new_window, take, valkey):
    window_id, account_id = new_window(), uuid4()
    first = take(parts, window_id, account_id)
    valkey.flushdb()
    shown = take(parts, window_id, account_id, shown=first.token)
    assert (shown.place, shown.is_new) == (first.place, False)
    elsewhere = take(parts, window_id, account_id)
    assert elsewhere.place == first.place


def test_of_two_places_the_earlier_one_counts(parts, new_window, take, valkey):
    window_id, account_id = new_window(), uuid4()
    first = take(parts, window_id, account_id)
    valkey.flushdb()
    second = until_numbers_flow(lambda: take(parts, window_id, account_id))
    assert second.place.late_number > first.place.late_number
    shown = take(parts, window_id, account_id, shown=first.token)
    assert shown.place == first.place
    assert take(parts, window_id, account_id).place == first.place


def test_without_redis_numbers_wait_for_the_lease_and_go_on_above(
    parts, parts_without_redis, new_window, take
):
    """The process that lost Redis must not overtake, nor be overtaken by, those that have it."""
    window_id = new_window()
    with_redis = [take(parts, window_id) for _ in range(5)]
    with pytest.raises(NumbersPaused):
        take(parts_without_redis, window_id)
    without = until_numbers_flow(lambda: take(parts_without_redis, window_id))
    assert without.place.late_number > max(numbers_of(with_redis))
    back = until_numbers_flow(lambda: take(parts, window_id))
    assert back.place.late_number > without.place.late_number


def test_nobody_overtakes_while_redis_comes_and_goes(
    app, parts, parts_without_redis, new_window, take, valkey
):
    """Served in order of coming: each number is above every one given before it was asked for."""
    window_id, given = new_window(), []
    for turn in range(20):
        if turn % 10 == 3:
            valkey.flushdb()
        source = parts_without_redis if turn % 10 in {6, 7} else parts
        given.append(until_numbers_flow(lambda source=source: take(source, window_id)))
    assert numbers_of(given) == sorted(set(numbers_of(given)))


def test_an_evicted_counter_is_as_good_as_a_flush(parts, new_window, take, valkey):
    window_id = new_window()
    first = take(parts, window_id)
    valkey.delete(*valkey.keys("*:block"))
    after = until_numbers_flow(lambda: take(parts, window_id))
    assert after.place.late_number > first.place.late_number


def test_before_the_opening_everybody_gets_a_ticket_without_a_number(parts, new_window, take):
    window_id, account_id = new_window(opens_in=SOON), uuid4()
    joined = take(parts, window_id, account_id)
    assert (joined.place.arrival, joined.place.late_number) == ("early", None)
    assert joined.window.number_of(joined.place) is None
    assert not take(parts, window_id, account_id).is_new


def test_an_early_place_needs_no_redis_at_all(parts_without_redis, new_window, take):
    window_id, account_id = new_window(opens_in=SOON), uuid4()
    first = take(parts_without_redis, window_id, account_id)
    again = take(parts_without_redis, window_id, account_id)
    assert first.place == again.place


def test_early_people_stay_early_on_another_device_after_the_opening(parts, new_window, take):
    window_id, account_id = new_window(opens_in=SOON), uuid4()
    take(parts, window_id, account_id)
    after = utc_now() + 2 * SOON
    joined = take(parts, window_id, account_id, now=after)
    assert joined.place.arrival == "early"
    late = take(parts, window_id, now=after)
    assert late.window.number_of(late.place) > joined.window.number_of(joined.place)


def test_the_opening_is_fixed_once_by_whoever_comes_first(parts, new_window, take):
    window_id = new_window(opens_in=SOON)
    early = [take(parts, window_id) for _ in range(20)]
    after = utc_now() + 2 * SOON
    window = take(parts, window_id, now=after).window
    assert 18 <= window.early_places <= 22
    numbers = [window.number_of(one.place) for one in early]
    assert all(1 <= number <= window.early_places for number in numbers)
    for _ in range(50):
        parts.numbers.stand(window_id, uuid4(), is_early=True, shown=None, kept_seconds=60)
    assert take(parts, window_id, now=after).window.early_places == window.early_places


def test_the_count_of_early_people_survives_a_flush(parts, new_window, take, valkey):
    window_id = new_window(opens_in=SOON)
    first = [uuid4() for _ in range(60)]
    for account_id in first:
        take(parts, window_id, account_id)
    serving.keep_early_counts(parts=parts, now=utc_now())
    valkey.flushdb()
    for account_id in [*first[:30], *(uuid4() for _ in range(40))]:
        take(parts, window_id, account_id)
    serving.keep_early_counts(parts=parts, now=utc_now())
    window = take(parts, window_id, now=utc_now() + 2 * SOON).window
    assert 96 <= window.early_places <= 104


def test_the_copy_is_enough_when_redis_is_gone_at_the_opening(
    parts, parts_without_redis, new_window, take
):
    window_id = new_window(opens_in=SOON)
    for _ in range(25):
        take(parts, window_id)
    serving.keep_early_counts(parts=parts, now=utc_now())
    window = take(parts_without_redis, window_id, now=utc_now() + 2 * SOON).window
    assert 24 <= window.early_places <= 26


def test_only_one_s_own_place_of_this_window_is_taken_for_one(parts, new_window, take):
    window_id, other_window, account_id = new_window(), new_window(), uuid4()
    token = take(parts, window_id, account_id).token
    for window, account in ((window_id, uuid4()), (other_window, account_id)):
        with pytest.raises(PlaceNotValid):
            take(parts, window, account, shown=token)
    with pytest.raises(PlaceNotValid):
        take(parts, window_id, account_id, shown=token[:-2] + "xx")


def test_there_is_no_line_where_there_is_no_window_or_it_is_closed(parts, new_window, take):
    closed = new_window(opens_in=timedelta(hours=-2), closes_in=timedelta(minutes=-1))
    with pytest.raises(WindowClosed):
        take(parts, closed)
    with pytest.raises(WindowNotFound):
        take(parts, uuid4())


def test_places_of_a_window_lie_in_small_packed_hashes(parts, new_window, take, valkey):
    window_id = new_window()
    for _ in range(50):
        take(parts, window_id)
    buckets = valkey.keys(f"waitingroom:{{{window_id}}}:places:*")
    assert 40 <= len(buckets) <= 50
    assert {valkey.object("encoding", bucket) for bucket in buckets} == {b"listpack"}
    assert all(valkey.ttl(bucket) > 0 for bucket in buckets)
