"""How many are let in: additive increase, multiplicative decrease, bounds, and what is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitingroom.inlet import Bounds, Calls, Pressure, Stock, next_pace, next_serving
from waitingroom.legs import Leg, deciding_legs
from waitingroom.pressure import Durations, pressure_between, read_durations

BOUNDS = Bounds(
    people_per_second_min=1,
    people_per_second_max=500,
    step=10,
    decrease=0.5,
    slow_seconds_max=0.25,
    in_flight_max=6,
)
EASE, SLOW, FULL = Pressure(0.05, 2), Pressure(1.0, 2), Pressure(0.05, 7.5)
PLENTY = Stock(10_000, 0)


def pace_after(pace, pressure, *, is_anybody_waiting=True, elapsed_seconds=1.0):
    return next_pace(
        pace,
        pressure=pressure,
        is_anybody_waiting=is_anybody_waiting,
        elapsed_seconds=elapsed_seconds,
        bounds=BOUNDS,
    )


def test_the_pace_rises_by_a_step_a_second_while_order_is_at_ease():
    assert pace_after(100, EASE) == 110
    assert pace_after(100, EASE, elapsed_seconds=0.5) == 105


@pytest.mark.parametrize("pressure", [SLOW, FULL])
def test_the_pace_is_halved_when_order_is_slow_or_full(pressure):
    assert pace_after(100, pressure) == 50


def test_an_order_service_that_does_not_answer_gets_the_least():
    assert pace_after(400, None) == 1


def test_the_pace_is_not_raised_by_an_idle_hour():
    assert pace_after(100, EASE, is_anybody_waiting=False) == 100


def test_after_a_pause_of_the_worker_the_pace_does_not_leap():
    assert pace_after(100, EASE, elapsed_seconds=3600) == 120


pressures = st.one_of(
    st.none(), st.builds(Pressure, st.floats(0, 10), st.floats(0, 100, allow_nan=False))
)


@given(st.floats(1, 500), st.lists(st.tuples(pressures, st.booleans(), st.floats(0, 5))))
def test_the_pace_never_leaves_its_bounds(pace, rounds):
    for pressure, is_anybody_waiting, elapsed_seconds in rounds:
        following = pace_after(
            pace,
            pressure,
            is_anybody_waiting=is_anybody_waiting,
            elapsed_seconds=elapsed_seconds,
        )
        assert 1 <= following <= 500
        assert following <= pace + 20
        pace = following


def test_the_pace_settles_around_what_order_can_bear():
    """A plant that is full above 130 people a second: the pace saws between half and all of it."""
    pace, seen = 20.0, []
    for _ in range(200):
        pace = pace_after(pace, FULL if pace > 130 else EASE)
        seen.append(pace)
    assert min(seen[50:]) >= 65
    assert max(seen[50:]) <= 140
    assert 90 < sum(seen[50:]) / 150 < 125


def serving_after(serving, *, tail, pace=50.0, elapsed_seconds=1.0, stock=PLENTY, **more):
    given = {"tail": tail, "pace": pace, "elapsed_seconds": elapsed_seconds, "stock": stock}
    return next_serving(serving, **given, **more)


def test_a_round_lets_in_what_the_pace_allows():
    assert serving_after(100, tail=10_000) == 150


def test_an_idle_hour_saves_nothing_up():
    serving = 100
    for _ in range(3600):
        serving = serving_after(serving, tail=100)
    assert serving == 150


def test_near_the_end_only_as_many_are_let_in_as_seats_are_left():
    assert serving_after(100, tail=10_000, stock=Stock(3, 0)) == 106


def test_who_is_on_the_way_is_counted_against_what_is_free():
    stock = Stock(30, 0)
    assert serving_after(100, tail=10_000, stock=stock, calls=Calls(55)) == 105
    assert serving_after(100, tail=10_000, stock=stock, calls=Calls(99)) == 100


def test_the_fewer_of_the_called_come_the_more_are_called():
    stock, few = Stock(3, 0), Calls(on_their_way=4, coming_share=0.2)
    assert serving_after(100, tail=10_000, stock=stock, calls=few) == 100 + 3 * 2 * 5 - 4


@pytest.mark.parametrize("stock", [Stock(0, 0), Stock(0, 5)])
def test_nobody_is_let_in_when_nothing_is_free(stock):
    assert serving_after(100, tail=10_000, stock=stock) == 100


def test_sold_out_and_held_by_others_are_two_things():
    states = [Stock(1, 5).state, Stock(0, 5).state, Stock(0, 0).state]
    assert states == ["open", "held_by_others", "sold_out"]


def test_where_the_stock_is_unknown_people_are_still_served():
    assert serving_after(100, tail=10_000, stock=None) == 150


stocks = st.one_of(st.none(), st.builds(Stock, st.integers(0, 50), st.integers(0, 50)))


@given(
    st.lists(
        st.tuples(st.integers(0, 80), st.floats(1, 100), st.floats(-1, 5), stocks), max_size=40
    )
)
def test_service_respects_numbers(rounds):
    """People come and are let in as it happens: whoever has an earlier number is never later."""
    tail = serving = 0
    served_in: dict[int, int] = {}
    for turn, (coming, pace, elapsed_seconds, stock) in enumerate(rounds):
        tail += coming
        following = serving_after(
            serving, tail=tail, pace=pace, elapsed_seconds=elapsed_seconds, stock=stock
        )
        assert following >= serving
        serving = following
        for number in range(1, min(serving, tail) + 1):
            served_in.setdefault(number, turn)
    turns = [served_in[number] for number in sorted(served_in)]
    assert turns == sorted(turns)
    assert sorted(served_in) == list(range(1, len(served_in) + 1))


PLACED = 'method="PUT",status="201",url_rule="/api/order/orders/<uuid:order_id>"'
REFUSED = PLACED.replace("201", "409")
READ = 'method="GET",status="200",url_rule="/api/order/runs/<uuid:run_id>/availability"'


def exposition(*, quick=0, slow=0, refused=0, spent=0.0):
    name = "flask_http_request_duration_seconds"
    return "\n".join(
        [
            f"# TYPE {name} histogram",
            f'{name}_bucket{{le="0.1",{PLACED}}} {quick}',
            f'{name}_bucket{{le="1.0",{PLACED}}} {quick + slow}',
            f'{name}_bucket{{le="+Inf",{PLACED}}} {quick + slow}',
            f'{name}_bucket{{le="0.1",{REFUSED}}} {refused}',
            f'{name}_bucket{{le="+Inf",{REFUSED}}} {refused}',
            f"{name}_sum{{{PLACED}}} {spent / 2}",
            f"{name}_sum{{{READ}}} {spent / 2}",
            "process_open_fds 12",
        ]
    )


def between(earlier, later, seconds=2.0):
    return pressure_between(
        {"a:1": read_durations(exposition(**earlier))},
        {"a:1": read_durations(exposition(**later))},
        elapsed_seconds=seconds,
    )


def test_the_time_spent_by_the_time_passed_is_what_is_in_flight():
    assert between({"spent": 10.0}, {"spent": 18.0}).in_flight == 4.0


def test_slow_is_what_95_of_100_stay_under_since_the_last_look():
    assert between({"slow": 500}, {"slow": 500, "quick": 99}).slow_seconds == 0.1
    assert between({"quick": 500}, {"quick": 590, "slow": 10}).slow_seconds == 1.0


def test_a_flood_of_refusals_does_not_hide_slow_claims():
    assert between({}, {"slow": 10, "refused": 10_000}).slow_seconds == 1.0


def test_a_few_answers_say_nothing():
    assert between({}, {"slow": 2}).slow_seconds == 0.0


def test_what_lasts_beyond_the_last_bound_is_slow():
    readings = read_durations(exposition().replace('le="1.0"', 'le="0.2"'))
    endless = Durations(0.0, {**readings.placed, float("inf"): 10.0})
    assert pressure_between({"a": readings}, {"a": endless}, elapsed_seconds=1).slow_seconds == 0.4


def test_a_restarted_pod_and_a_new_one_are_left_out():
    old, new = Durations(50.0), Durations(1.0)
    assert pressure_between({"a": old}, {"a": new, "b": old}, elapsed_seconds=1) is None


def test_several_pods_are_averaged():
    earlier = {"a": Durations(0.0), "b": Durations(0.0)}
    later = {"a": Durations(2.0), "b": Durations(6.0)}
    assert pressure_between(earlier, later, elapsed_seconds=1).in_flight == 4.0


def definition(*pairs, seat_class="S"):
    return {
        "stops": [{"sequence": n, "station_code": f"ST{n}"} for n in range(5)],
        "fares": [
            {"seat_class": seat_class, "from_sequence": start, "to_sequence": end}
            for start, end in pairs
        ],
    }


def test_only_the_shortest_legs_on_sale_decide():
    every = [(start, end) for start in range(5) for end in range(start + 1, 5)]
    assert deciding_legs(definition(*every)) == [Leg(f"ST{n}", f"ST{n + 1}") for n in range(4)]
    assert deciding_legs(definition((0, 4), (0, 2), (1, 4))) == [
        Leg("ST0", "ST2"),
        Leg("ST1", "ST4"),
    ]
    assert deciding_legs(definition()) == []


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda p: p[0] < p[1])))
def test_every_leg_on_sale_holds_a_deciding_one(pairs):
    found = {
        (int(leg.from_station[2:]), int(leg.to_station[2:]))
        for leg in deciding_legs(definition(*pairs))
    }
    assert found <= pairs
    for start, end in pairs:
        within = {pair for pair in pairs if start <= pair[0] and pair[1] <= end}
        assert ((start, end) in found) == (within == {(start, end)})
        assert within & found
