"""What is free on a leg of a run, by class and seat by seat: a second old, or unchanged since."""

from datetime import UTC, datetime
from typing import Any

from order.parts import Parts
from order.refusals import counts_of
from order.rendering import as_json
from order.run import Leg, Run, Seat
from order.snapshot import Snapshot


def availability_body(parts: Parts, run: Run, leg: Leg, *, now: datetime) -> bytes:
    """Written once a snapshot and leg: everybody who asks meanwhile gets the same bytes."""
    snapshot = parts.snapshots.get(run.run_id)
    key = (snapshot.period(now.timestamp()), run.version, run.sells(leg, now), leg)
    body = snapshot.answers.get(key)
    if body is None:
        body = snapshot.answers[key] = as_json(_availability(run, leg, snapshot, now))
    return body


def _availability(run: Run, leg: Leg, snapshot: Snapshot, now: datetime) -> dict[str, Any]:
    return {
        **_heading(run, leg, snapshot),
        "sales_open": run.sells(leg, now),
        "classes": [
            _class_counts(run, leg, snapshot, seat_class, now)
            for seat_class in run.seats_by_class
            if run.fare_of(seat_class, leg)
        ],
    }


def _class_counts(
    run: Run, leg: Leg, snapshot: Snapshot, seat_class: str, now: datetime
) -> dict[str, Any]:
    counts = counts_of(snapshot, run, seat_class, leg, now)
    named, fare = run.seat_classes[seat_class], run.fares[seat_class, leg[0], leg[1]]
    return {
        "seat_class": seat_class,
        "name": named.name,
        "name_bn": named.name_bn,
        "price_minor": fare.price_minor,
        "vat_minor": fare.vat_minor,
        "currency": run.currency,
        "seats_total": sum(counts),
        "seats_free": counts.free,
        "seats_held": counts.held,
        "seats_sold": counts.sold,
    }


def seat_map_body(parts: Parts, run: Run, leg: Leg, *, now: datetime) -> bytes:
    snapshot = parts.snapshots.get(run.run_id)
    coaches: dict[int, dict[str, Any]] = {}
    for seat in run.seats.values():
        fare = run.fare_of(seat.seat_class, leg)
        if fare is None:
            continue
        coach = coaches.setdefault(
            seat.coach_number,
            {
                "coach_number": seat.coach_number,
                "letter": seat.coach_letter,
                "seat_class": seat.seat_class,
                "price_minor": fare.price_minor,
                "seats": [],
            },
        )
        coach["seats"].append(_seat(seat, snapshot, leg, now))
    heading = {**_heading(run, leg, snapshot), "currency": run.currency}
    return as_json({**heading, "coaches": list(coaches.values())})


def _seat(seat: Seat, snapshot: Snapshot, leg: Leg, now: datetime) -> dict[str, Any]:
    return {
        "seat_id": seat.seat_id,
        "number": seat.number,
        "row": seat.row,
        "column": seat.column,
        "is_window": seat.is_window,
        "state": snapshot.state_of(seat.seat_id, leg, now.timestamp()),
    }


def _heading(run: Run, leg: Leg, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "from": run.stops[leg.from_sequence].station_code,
        "to": run.stops[leg.to_sequence].station_code,
        "as_of": datetime.fromtimestamp(snapshot.as_of, UTC),
    }
