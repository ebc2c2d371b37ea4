"""Where staff manage trains, runs and sales. Every PUT may be repeated and every change is kept."""

from typing import Any
from uuid import UUID

from flask import current_app, g, request
from flask_smorest import Blueprint

from chassis.application import utc_now
from chassis.identity import staff_required
from chassis.problems import InvalidRequest
from ticket import examples, operations, queries, run_operations
from ticket.staff_schemas import (
    TRAIN_NUMBER,
    CancellationSchema,
    CoachPlanSchema,
    FaresSchema,
    OutcomeSchema,
    RunOutcomeSchema,
    SalesWindowSchema,
    StaffChangesQuerySchema,
    StaffChangesSchema,
    StaffRunSchema,
    StaffTrainSchema,
    WindowOutcomeSchema,
)

blueprint = Blueprint("staff", __name__, description="For staff: trains, runs and sales.")

# The fares of a long train are more than other requests may weigh.
BODY_BYTES_MAX = 1024 * 1024


@blueprint.before_request
def _allow_long_bodies() -> None:
    request.max_content_length = BODY_BYTES_MAX


def status(outcome: Any) -> int:
    return 201 if outcome.is_new else 200


def refusals(*statuses: tuple[int, str]) -> Any:
    """Documents what every staff route may answer besides what is its own."""
    common = (
        (401, "UNAUTHORIZED"),
        (403, "FORBIDDEN"),
        (413, "REQUEST_ENTITY_TOO_LARGE"),
        (503, "SERVICE_UNAVAILABLE"),
    )

    def document(view: Any) -> Any:
        for number, name in (*common, *statuses):
            view = blueprint.alt_response(number, name)(view)
        return view

    return document


NOT_FOUND, CONFLICT, MALFORMED = (404, "NOT_FOUND"), (409, "CONFLICT"), (400, "BAD_REQUEST")


@blueprint.route("/staff/trains/<train_number>", methods=["PUT"])
@staff_required
@blueprint.arguments(StaffTrainSchema, example=examples.STAFF_TRAIN)
@blueprint.response(200, OutcomeSchema, example=examples.OUTCOME)
@blueprint.alt_response(201, schema=OutcomeSchema, description="New.", success=True)
@refusals(MALFORMED, CONFLICT)
def put_train(body: dict[str, Any], train_number: str) -> Any:
    """Write a train and its stops."""
    if not TRAIN_NUMBER.fullmatch(train_number):
        raise InvalidRequest(errors={"train_number": [f"Must match {TRAIN_NUMBER.pattern}"]})
    outcome = _put_train(train_number, **body)
    return outcome, status(outcome)


def _put_train(train_number: str, *, stops: Any, from_date: Any, **terms: Any) -> Any:
    settings = current_app.extensions["settings"]
    return operations.put_train(
        train_number=train_number,
        terms=operations.TrainTerms(**terms),
        stops=stops,
        from_date=from_date,
        timezone=settings.timezone,
        currency=settings.currency,
        staff=g.identity,
        now=utc_now(),
    )


@blueprint.route("/staff/trains/<train_number>/coach-plan", methods=["PUT"])
@staff_required
@blueprint.arguments(CoachPlanSchema, example=examples.COACH_PLAN)
@blueprint.response(200, OutcomeSchema, example=examples.OUTCOME)
@blueprint.alt_response(201, schema=OutcomeSchema, description="New.", success=True)
@refusals(MALFORMED, NOT_FOUND, CONFLICT)
def put_coach_plan(body: dict[str, Any], train_number: str) -> Any:
    """Write a train's coaches; seats that may have been sold stay as they are."""
    outcome = operations.put_coach_plan(
        train_number=train_number, staff=g.identity, now=utc_now(), **body
    )
    return outcome, status(outcome)


@blueprint.route("/staff/trains/<train_number>/fares", methods=["PUT"])
@staff_required
@blueprint.arguments(FaresSchema, example=examples.FARES)
@blueprint.response(200, OutcomeSchema, example=examples.OUTCOME)
@blueprint.alt_response(201, schema=OutcomeSchema, description="New.", success=True)
@refusals(MALFORMED, NOT_FOUND, CONFLICT)
def put_fares(body: dict[str, Any], train_number: str) -> Any:
    """Write a train's fares: a pair of stations without one is not on sale."""
    outcome = operations.put_fares(
        train_number=train_number, staff=g.identity, now=utc_now(), **body
    )
    return outcome, status(outcome)


@blueprint.route("/staff/runs/<uuid:run_id>", methods=["PUT"])
@staff_required
@blueprint.arguments(StaffRunSchema, example=examples.STAFF_RUN)
@blueprint.response(200, RunOutcomeSchema, example=examples.RUN_OUTCOME)
@blueprint.alt_response(201, schema=RunOutcomeSchema, description="New.", success=True)
@refusals(MALFORMED, NOT_FOUND, CONFLICT)
def put_run(body: dict[str, Any], run_id: UUID) -> Any:
    """Add a run on a date on which the train does not run by its calendar."""
    outcome = run_operations.put_run(run_id=run_id, staff=g.identity, now=utc_now(), **body)
    return outcome, status(outcome)


@blueprint.route("/staff/runs/<uuid:run_id>/cancellation", methods=["PUT"])
@staff_required
@blueprint.arguments(CancellationSchema, example=examples.CANCELLATION)
@blueprint.response(200, RunOutcomeSchema, example=examples.CANCELLED_RUN)
@blueprint.alt_response(201, schema=RunOutcomeSchema, description="New.", success=True)
@refusals(MALFORMED, NOT_FOUND, CONFLICT)
def cancel_run(body: dict[str, Any], run_id: UUID) -> Any:
    """Cancel a run for good."""
    outcome = run_operations.cancel_run(run_id=run_id, staff=g.identity, now=utc_now(), **body)
    return outcome, status(outcome)


@blueprint.route("/staff/sales-windows/<uuid:sales_window_id>", methods=["PUT"])
@staff_required
@blueprint.arguments(SalesWindowSchema, example=examples.SALES_WINDOW)
@blueprint.response(200, WindowOutcomeSchema, example=examples.WINDOW_OUTCOME)
@blueprint.alt_response(201, schema=WindowOutcomeSchema, description="New.", success=True)
@refusals(MALFORMED, NOT_FOUND, CONFLICT)
def put_sales_window(body: dict[str, Any], sales_window_id: UUID) -> Any:
    """Open or close sales at other times; a later window is stronger than an earlier one."""
    terms = run_operations.WindowTerms(**body)
    outcome = run_operations.put_sales_window(
        sales_window_id=sales_window_id, terms=terms, staff=g.identity, now=utc_now()
    )
    return {"sales_window_id": sales_window_id, **vars(outcome)}, status(outcome)


@blueprint.route("/staff/changes")
@staff_required
@blueprint.arguments(StaffChangesQuerySchema, location="query")
@blueprint.response(200, StaffChangesSchema, example=examples.STAFF_CHANGES)
@refusals()
def list_changes(query: dict[str, Any]) -> Any:
    """Read what staff changed, newest first."""
    return {"changes": queries.staff_changes(**query)}
