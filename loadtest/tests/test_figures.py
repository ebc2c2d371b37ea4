"""The load test's own arithmetic: arrivals, fairness, what counts as wrong, seats that fit."""

import random

import pytest
from loadtest.capacity import SERVICES, Measured, cpu_per_request, model
from loadtest.counting import Sold
from loadtest.fairness import fairness
from loadtest.modelled import Slice, predicted
from loadtest.shapes import SHAPES, arrivals
from loadtest.simulation.choices import CHOICES
from loadtest.simulation.demand import Demand
from loadtest.simulation.filling import ByChoice, Ceiling
from loadtest.simulation.timetable import runs_with_many_legs


def sold(**changes) -> Sold:
    books = {
        "seats_sold": 3, "oversold": 0, "held": 0, "stuck": 0, "tickets": 3,
        "orders_confirmed": 2, "confirmed_minor": 900, "orders": 4,
        "captured_minor": 1_000, "payments_captured": 3, "refunded_minor": 100,
    }  # fmt: skip
    return Sold(**{**books, **changes})


@pytest.mark.parametrize("name", SHAPES)
def test_everybody_comes_in_time_and_the_early_ones_early(name):
    shape = SHAPES[name]
    moments = arrivals(shape, 0.5, random.Random(1))

    assert len(moments) == shape.users // 2
    assert sum(moment < 0 for moment in moments) == round(len(moments) * shape.early)
    assert -shape.lead_seconds <= moments[0] <= moments[-1] <= shape.tail_seconds


def test_the_opening_draws_more_people_than_the_end():
    shape = SHAPES["opening"]
    late = [m for m in arrivals(shape, 0.1, random.Random(1)) if m >= 0]

    first_half = sum(moment < shape.tail_seconds / 2 for moment in late)
    assert first_half > 0.6 * len(late)


def test_serving_in_order_of_the_line_is_fair_and_the_reverse_is_not():
    line = [(n, 100.0 + n, n < 10) for n in range(50)]
    reverse = [(n, 100.0 - n, n < 10) for n in range(50)]

    assert fairness(line).tau == 1.0
    assert fairness(line).displacement == 0.0
    assert fairness(reverse).tau == -1.0


def test_good_books_have_no_fault_and_each_bad_one_is_told():
    assert sold().faults == []
    assert "overlap" in sold(oversold=1).faults[0]
    assert "stuck" in sold(stuck=2).faults[0]
    assert "tickets" in sold(tickets=2).faults[0]
    assert "money in" in sold(refunded_minor=0).faults[0]


def test_the_cores_of_a_service_grow_with_its_cost_a_request():
    def cores(cpu_seconds: float) -> float:
        measured = Measured({}, {"order": cpu_seconds}, {"order": 1_000}, tickets=100, users=1_000)
        return next(part.cores for part in model(measured) if part.name == "order")

    assert cores(2.0) == pytest.approx(2 * cores(1.0))


def test_what_answered_nothing_has_no_cost_a_request():
    assert cpu_per_request(Measured({}, dict.fromkeys(SERVICES, 1.0), {}, 1, 1)) == {}


@pytest.mark.parametrize("name", CHOICES)
def test_no_choice_of_seats_beats_the_ceiling_while_all_are_accepted(name):
    runs, calling = runs_with_many_legs()
    run = runs[0]
    demand = Demand(run, calling)

    filled = ByChoice(run, CHOICES[name], "a").fill(demand, "a")[0]
    ceiling = Ceiling(run).fill(demand, "a")[0]

    assert filled.seat_minutes <= ceiling.seat_minutes
    assert filled.groups_together <= filled.groups


def test_a_slice_that_cost_what_the_model_says_is_predicted_to_the_second():
    steps = {"join": 6_800, "now serving": 86_000}
    cpu = {"waitingroom": 13.6, "order": 3.0, "postgres": 2.0, "gateway": 10.0}
    answered = {"waitingroom": 6_900, "order": 700}
    costs = Measured(steps, cpu, answered, tickets=100, users=6_800)

    same = Slice(steps, 0, answered, 100, cpu, 300.0)
    half = Slice(dict.fromkeys(steps, 3_400), 0, {"order": 350}, 50, cpu, 300.0)

    assert dict(predicted(costs, same)) == pytest.approx(cpu)
    assert dict(predicted(costs, half))["order"] == pytest.approx(1.5)
    assert dict(predicted(costs, half))["waitingroom"] == pytest.approx(6.8)
