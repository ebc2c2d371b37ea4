"""What staff may not write: stops that go back in time, fares against the direction, and so on."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from ticket.definition import FareRule, StopTimes
from ticket.seatplan import SEATS_PER_COACH_MAX, CoachPlan


def stop_faults(stops: Sequence[StopTimes], stations: Iterable[str]) -> list[str]:
    known = set(stations)
    faults = [
        f"There is no station {stop.station_code}."
        for stop in stops
        if stop.station_code not in known
    ]
    faults += _twice("Station", (stop.station_code for stop in stops))
    last = len(stops) - 1
    for index, stop in enumerate(stops):
        if (stop.arrives_minute is None) != (index == 0):
            faults.append(f"Stop {index}: all stops but the first have an arrival.")
        if (stop.departs_minute is None) != (index == last):
            faults.append(f"Stop {index}: all stops but the last have a departure.")
    minutes = [
        minute
        for stop in stops
        for minute in (stop.arrives_minute, stop.departs_minute)
        if minute is not None
    ]
    if any(later < sooner for sooner, later in pairwise(minutes)):
        faults.append("The times go back.")
    return faults


def coach_faults(coaches: Sequence[CoachPlan], classes: Iterable[str]) -> list[str]:
    known = set(classes)
    faults = [
        f"There is no seat class {coach.seat_class}."
        for coach in coaches
        if coach.seat_class not in known
    ]
    faults += [
        f"Coach {coach.coach_number} must have 1 to {SEATS_PER_COACH_MAX} seats."
        for coach in coaches
        if not 0 < coach.seats_total <= SEATS_PER_COACH_MAX
    ]
    faults += _twice("Coach", (str(coach.coach_number) for coach in coaches))
    faults += _twice("Letter", (coach.letter for coach in coaches))
    return faults


def fare_faults(
    fares: Sequence[FareRule], stops: Sequence[StopTimes], classes: Iterable[str]
) -> list[str]:
    """Prices are compared with the VAT they contain; a leg goes in the direction of travel."""
    known = set(classes)
    place = {stop.station_code: index for index, stop in enumerate(stops)}
    faults = []
    for fare in fares:
        name = f"{fare.seat_class} {fare.from_code}-{fare.to_code}"
        if fare.seat_class not in known:
            faults.append(f"{name}: there is no such seat class.")
        first, last = place.get(fare.from_code), place.get(fare.to_code)
        if first is None or last is None or first >= last:
            faults.append(f"{name} is not a leg of the train.")
        if not 0 <= fare.vat_minor <= fare.price_minor:
            faults.append(f"{name}: the price must be at least its VAT, and that at least 0.")
    faults += _twice(
        "Fare", (f"{fare.seat_class} {fare.from_code}-{fare.to_code}" for fare in fares)
    )
    return faults


def _twice(kind: str, names: Iterable[str]) -> list[str]:
    return [f"{kind} {name} occurs {n} times." for name, n in Counter(names).items() if n > 1]
