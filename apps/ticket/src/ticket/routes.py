"""What anybody may read of the catalogue. Every answer may be kept by caches for its time."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from flask import Response, current_app, request
from flask_smorest import Blueprint

from chassis.application import utc_now
from chassis.identity import public
from chassis.problems import InvalidRequest, Problem
from ticket import examples, queries
from ticket.catalogue import CatalogueReader, Snapshot
from ticket.openings import openings_of
from ticket.operations import TrainNotFound
from ticket.run_operations import RunNotFound
from ticket.schemas import (
    FoundRunsSchema,
    NameQuerySchema,
    OpeningsQuerySchema,
    OpeningsSchema,
    RunChangesQuerySchema,
    RunChangesSchema,
    RunDefinitionSchema,
    RunQuerySchema,
    SeatClassesSchema,
    StationSchema,
    StationsSchema,
    TrainDetailSchema,
    TrainQuerySchema,
    TrainsSchema,
)

blueprint = Blueprint("ticket", __name__, description="Stations, trains, runs and what they offer.")

LIST_SECONDS = 60
SEARCH_SECONDS = 2
CURRENT_SECONDS = 30
OPENINGS_SECONDS = 5
FOR_EVER_SECONDS = 31_536_000


class StationNotFound(Problem):
    status, code, title = 404, "station_not_found", "There is no such station."


def catalogue() -> CatalogueReader:
    reader: CatalogueReader = current_app.extensions["catalogue"]
    return reader


def snapshot() -> Snapshot:
    return catalogue().snapshot(utc_now())


def answer(
    body: Callable[[], bytes] | bytes, *, etag: str | None = None, max_age: int, more: str = ""
) -> Response:
    """A JSON answer for caches; 304 without a body for whoever has it already."""
    if etag is not None and request.if_none_match.contains(etag):
        response = Response(status=304)
    else:
        content = body if isinstance(body, bytes) else body()
        response = Response(content, mimetype="application/json")
    response.headers["Cache-Control"] = f"public, max-age={max_age}{more}"
    if etag is not None:
        response.set_etag(etag)
    return response


def listing(name: str, rows: list[dict[str, Any]], version: int) -> Response:
    return answer(
        lambda: orjson.dumps({name: rows}), etag=f"catalogue-{version}", max_age=LIST_SECONDS
    )


@blueprint.route("/stations")
@public
@blueprint.arguments(NameQuerySchema, location="query")
@blueprint.response(200, StationsSchema, example=examples.STATIONS)
@blueprint.alt_response(304, "NOT_MODIFIED")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def find_stations(query: dict[str, Any]) -> Response:
    """Find stations as somebody types, in English or Bengali; the best matches come first."""
    catalogue = snapshot()
    found = catalogue.stations_by_name.find(query["q"], limit=query["limit"])
    return listing("stations", found, catalogue.version)


@blueprint.route("/stations/<station_code>")
@public
@blueprint.response(200, StationSchema, example=examples.STATION)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def read_station(station_code: str) -> Response:
    """Read a station by its code."""
    station = snapshot().stations.get(station_code)
    if station is None:
        raise StationNotFound
    return answer(orjson.dumps(station), max_age=LIST_SECONDS)


@blueprint.route("/seat-classes")
@public
@blueprint.response(200, SeatClassesSchema, example=examples.SEAT_CLASSES)
@blueprint.alt_response(304, "NOT_MODIFIED")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def list_seat_classes() -> Response:
    """List the classes, with the category that decides what a cancellation costs."""
    catalogue = snapshot()
    return listing("seat_classes", catalogue.seat_classes, catalogue.version)


@blueprint.route("/trains")
@public
@blueprint.arguments(TrainQuerySchema, location="query")
@blueprint.response(200, TrainsSchema, example=examples.TRAINS)
@blueprint.alt_response(304, "NOT_MODIFIED")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def find_trains(query: dict[str, Any]) -> Response:
    """Find trains by number or name."""
    catalogue = snapshot()
    found = catalogue.trains_by_name.find(query["q"], limit=query["limit"])
    return listing("trains", found, catalogue.version)


@blueprint.route("/trains/<train_number>")
@public
@blueprint.response(200, TrainDetailSchema, example=examples.TRAIN)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def read_train(train_number: str) -> Response:
    """Read a train with its stops and coaches as they are today."""
    train = snapshot().trains.get(train_number)
    detail = train and queries.train_detail(train_number, now=utc_now())
    if not train or not detail:
        raise TrainNotFound
    return answer(orjson.dumps({**train, **detail}), max_age=LIST_SECONDS)


@blueprint.route("/runs")
@public
@blueprint.arguments(RunQuerySchema, location="query")
@blueprint.response(200, FoundRunsSchema, example=examples.FOUND_RUNS)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def find_runs(query: dict[str, Any]) -> Response:
    """
    Find the runs between two stations on a date

    The date is that of the departure from the boarding station, by its clock. Runs come by
    their departure; a cancelled run is shown as such.
    """
    return answer(_found(snapshot(), **query), max_age=SEARCH_SECONDS)


def _found(catalogue: Snapshot, *, from_code: str, to_code: str, date: date) -> bytes:
    if from_code == to_code:
        raise InvalidRequest(errors={"to": ["Another station than `from`."]})
    for code in (from_code, to_code):
        if code not in catalogue.stations:
            raise StationNotFound(f"There is no station {code}.")
    return catalogue.runs.answer(from_code, to_code, date.isoformat(), now=utc_now()).body


@blueprint.route("/runs/<uuid:run_id>")
@public
@blueprint.response(200, RunDefinitionSchema, example=examples.DEFINITION)
@blueprint.alt_response(304, "NOT_MODIFIED")
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def read_run(run_id: UUID) -> Response:
    """Read the definition of a run that is in force."""
    with queries.reading() as connection:
        mark = queries.current_version(connection, run_id)
    return _definition(mark, max_age=CURRENT_SECONDS)


@blueprint.route("/runs/<uuid:run_id>/versions/<int:version>")
@public
@blueprint.response(200, RunDefinitionSchema, example=examples.DEFINITION)
@blueprint.alt_response(304, "NOT_MODIFIED")
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def read_run_version(run_id: UUID, version: int) -> Response:
    """Read one version of a run's definition; it never changes."""
    with queries.reading() as connection:
        mark = queries.version_mark(connection, run_id, version)
    return _definition(mark, max_age=FOR_EVER_SECONDS, more=", immutable")


def _definition(mark: queries.VersionMark | None, *, max_age: int, more: str = "") -> Response:
    if mark is None:
        raise RunNotFound
    return answer(lambda: catalogue().definition(mark), etag=mark.etag, max_age=max_age, more=more)


@blueprint.route("/run-changes")
@public
@blueprint.arguments(RunChangesQuerySchema, location="query")
@blueprint.response(200, RunChangesSchema, example=examples.RUN_CHANGES)
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def list_run_changes(query: dict[str, Any]) -> Response:
    """
    Follow the versions of all runs

    Cursors become visible in their order, so whoever goes on from `next_after` misses nothing.
    """
    with queries.reading() as connection:
        changes = queries.run_changes(connection, **query)
    return answer(orjson.dumps(changes), max_age=0)


@blueprint.route("/openings")
@public
@blueprint.arguments(OpeningsQuerySchema, location="query")
@blueprint.response(200, OpeningsSchema, example=examples.OPENINGS)
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def list_openings(query: dict[str, Any]) -> Response:
    """
    List when sales open, and which runs then

    The waiting room prepares itself by it; nobody else needs to ask often.
    """
    catalogue = snapshot()
    found = openings_of(catalogue.listed.values(), catalogue.offers, **query)
    return answer(orjson.dumps({"openings": found}), max_age=OPENINGS_SECONDS)
