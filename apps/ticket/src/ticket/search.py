"""
Runs between two stations on a date, from what is kept in memory.

A date is that of the departure at the boarding station, by that station's clock: a night train
boards after midnight on the day after its service date.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ticket.calendar import local_date
from ticket.definition import seats_by_class
from ticket.sales import Sales, sales_state

ANSWERS_MAX = 5_000


# What a plan sells: the classes with seats and price, by the leg's first and last stop.
Offer = Mapping[tuple[int, int], list[dict[str, Any]]]


def offer_of(plan: dict[str, Any]) -> Offer:
    seats, terms = seats_by_class(plan), {row["seat_class"]: row for row in plan["seat_classes"]}
    found: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for fare in plan["fares"]:
        code = fare["seat_class"]
        found[fare["from_sequence"], fare["to_sequence"]].append(
            {
                "seat_class": code,
                "name": terms[code]["name"],
                "name_bn": terms[code]["name_bn"],
                "seats_total": seats[code],
                "price_minor": fare["price_minor"],
                "vat_minor": fare["vat_minor"],
            }
        )
    for classes in found.values():
        classes.sort(key=lambda row: (row["price_minor"], row["seat_class"]))
    return found


@dataclass(frozen=True)
class ListedRun:
    """A run's head with what a search asks of it: the local dates on which one can board."""

    run_id: UUID
    version: int
    plan_id: str
    head: dict[str, Any]
    sales: Sales
    boarding_dates: tuple[str, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(stop["station_code"] for stop in self.head["stops"])


def listed_run(
    head: dict[str, Any], plan_id: str, station_timezones: Mapping[str, str | None]
) -> ListedRun:
    def boarding_date(stop: dict[str, Any]) -> str:
        if stop["departs_at"] is None:
            return ""
        timezone = station_timezones.get(stop["station_code"]) or head["timezone"]
        return local_date(datetime.fromisoformat(stop["departs_at"]), timezone).isoformat()

    return ListedRun(
        run_id=UUID(head["run_id"]),
        version=head["version"],
        plan_id=plan_id,
        head=head,
        sales=Sales(
            opens_at=datetime.fromisoformat(head["sales"]["opens_at"]),
            closes_at=datetime.fromisoformat(head["sales"]["closes_at"]),
        ),
        boarding_dates=tuple(boarding_date(stop) for stop in head["stops"]),
    )


def row_of(
    run: ListedRun, from_sequence: int, to_sequence: int, classes: list[dict[str, Any]]
) -> dict[str, Any]:
    """One line of a search's answer, without the state of its sales, which depends on the hour."""
    head = run.head
    boards, alights = head["stops"][from_sequence], head["stops"][to_sequence]
    duration = datetime.fromisoformat(alights["arrives_at"]) - datetime.fromisoformat(
        boards["departs_at"]
    )
    return {
        **{key: head[key] for key in ("run_id", "train_number", "train_name", "train_name_bn")},
        "service_date": head["service_date"],
        "state": head["state"],
        "from": {**_place(boards), "departs_at": boards["departs_at"]},
        "to": {**_place(alights), "arrives_at": alights["arrives_at"]},
        "duration_minutes": int(duration.total_seconds() // 60),
        "sales": head["sales"],
        "classes": [{**row, "currency": head["currency"]} for row in classes],
    }


def _place(stop: dict[str, Any]) -> dict[str, Any]:
    return {key: stop[key] for key in ("station_code", "name", "name_bn", "sequence")}


@dataclass(frozen=True)
class Leg:
    """Runs of one plan and the same stations, between two of these."""

    from_sequence: int
    to_sequence: int
    classes: list[dict[str, Any]]
    runs: list[ListedRun]


@dataclass(frozen=True)
class Answer:
    """The bytes of an answer and until when they are true; None is until the catalogue changes."""

    body: bytes
    holds_until: datetime | None = None


class RunIndex:
    """
    Finds the runs of a pair of stations. Answers are kept as bytes until a sale opens or closes,
    so that most searches of a rush are one look into a dictionary.
    """

    def __init__(self, runs: Iterable[ListedRun], offers: Mapping[str, Offer]) -> None:
        alike: dict[tuple[str, tuple[str, ...]], list[ListedRun]] = defaultdict(list)
        for run in runs:
            alike[run.plan_id, run.codes].append(run)
        self._legs: dict[tuple[str, str], list[Leg]] = defaultdict(list)
        for (plan_id, codes), listed in alike.items():
            for (first, last), classes in offers[plan_id].items():
                self._legs[codes[first], codes[last]].append(Leg(first, last, classes, listed))
        self._answers: dict[tuple[str, str, str], Answer] = {}

    def answer(self, from_code: str, to_code: str, date: str, *, now: datetime) -> Answer:
        key = (from_code, to_code, date)
        kept = self._answers.get(key)
        if kept is not None and (kept.holds_until is None or now < kept.holds_until):
            return kept
        fresh = _answer(self._found(*key), now)
        if len(self._answers) >= ANSWERS_MAX:
            self._answers.clear()
        self._answers[key] = fresh
        return fresh

    def _found(
        self, from_code: str, to_code: str, date: str
    ) -> list[tuple[ListedRun, dict[str, Any]]]:
        found = [
            (run, row_of(run, leg.from_sequence, leg.to_sequence, leg.classes))
            for leg in self._legs.get((from_code, to_code), ())
            for run in leg.runs
            if run.boarding_dates[leg.from_sequence] == date
        ]
        found.sort(key=lambda pair: (pair[1]["from"]["departs_at"], pair[1]["train_number"]))
        return found


def _answer(found: list[tuple[ListedRun, dict[str, Any]]], now: datetime) -> Answer:
    rows = [{**row, "sales": {"state": _state(run, now), **row["sales"]}} for run, row in found]
    turns = [at for run, _ in found for at in (run.sales.opens_at, run.sales.closes_at) if at > now]
    body = json.dumps({"runs": rows}, ensure_ascii=False, separators=(",", ":"))
    return Answer(body.encode(), min(turns, default=None))


def _state(run: ListedRun, now: datetime) -> str:
    return "closed" if run.head["state"] == "cancelled" else sales_state(now, run.sales)
