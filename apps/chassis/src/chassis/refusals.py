"""Puts the reasons to refuse into the API's description, each with its code."""

from collections.abc import Callable
from itertools import groupby
from typing import Any, TypeVar, cast

from flask_smorest import Blueprint

from chassis.problems import CONTENT_TYPE, Problem, ProblemSchema

View = TypeVar("View", bound=Callable[..., Any])
_ANY = Blueprint("refusals", __name__)


def refuses(*problems: type[Problem]) -> Callable[[View], View]:
    """Document what a route may answer instead of what it was asked for."""
    by_status = groupby(sorted(problems, key=_status), key=_status)
    answers = [(status, _answer(list(group))) for status, group in by_status]

    def documented(view: View) -> View:
        for status, answer in answers:
            view = cast("View", _ANY.alt_response(status, **answer)(view))
        return view

    return documented


def _status(problem: type[Problem]) -> int:
    return problem.status


def _answer(problems: list[type[Problem]]) -> dict[str, Any]:
    return {
        "schema": ProblemSchema,
        "content_type": CONTENT_TYPE,
        "description": " ".join(f"`{problem.code}`: {problem.title}" for problem in problems),
        "examples": {problem.code: {"value": _example(problem)} for problem in problems},
    }


def _example(problem: type[Problem]) -> dict[str, Any]:
    return {
        "type": f"urn:railgate:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "request_id": "6f1d2c0e9b7a4f358c11d2e3f4a5b6c7",
    }
