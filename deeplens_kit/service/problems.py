"""Errors as problem documents (RFC 9457): one table says which error is which status.

Takes what a route raises, gives `application/problem+json`; must not tell of a defect more than that it is one, nor
repeat what somebody sent.
"""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from deeplens_kit import errors

__all__ = [
    "PROBLEMS",
    "PROBLEM_TYPE",
    "FieldProblem",
    "Problem",
    "add_problem_handlers",
    "problem_for",
    "refusal",
    "status_of",
]

PROBLEM_TYPE = "application/problem+json"

_LOG = logging.getLogger(__name__)
_DEFECT = "Something went wrong on our side. The log has the details under the correlation id."

# The nearest class of an error that stands here decides.
_STATUSES: dict[type[errors.DeepLensError], int] = {
    errors.NotAuthenticatedError: 401,
    errors.AccessError: 403,
    errors.RateLimitedError: 429,
    errors.MissingError: 404,
    errors.RequestConflictError: 409,
    errors.BodyTooLargeError: 413,
    errors.RequestError: 422,
    errors.JobError: 409,
    errors.QueueFullError: 429,
    errors.UnknownNameError: 404,
    errors.SettingsError: 422,
    errors.QueryError: 422,
    errors.WorkspaceError: 503,
    errors.StoreFullError: 507,
    errors.LocationError: 409,
    # The server that was asked for something depends on another one, which does not answer.
    errors.LocationUnavailableError: 424,
    errors.LeaseHeldError: 409,
    errors.ObjectError: 422,
    errors.ObjectGoneError: 410,
    errors.ObjectExistsError: 409,
    errors.ObjectKeptOutError: 409,
    errors.ObjectChangedError: 409,
    errors.UnsupportedFormatError: 415,
    errors.LimitExceededError: 413,
    errors.PlanError: 409,
    errors.ActionsHaltedError: 409,
    errors.TooFewLabelsError: 409,
    errors.ReportError: 409,
    errors.DecoderUnavailableError: 503,
    errors.ExtraMissingError: 501,
    errors.ModelUnavailableError: 501,
    errors.Interrupted: 503,
}


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Where it stands, as `body.max_results`.")
    message: str


class Problem(BaseModel):
    """A problem document as of RFC 9457."""

    type: str = Field(description="`urn:deeplens:problem:` and the code.")
    title: str
    status: int
    detail: str = Field(description="What happened, to which value, what is allowed, and what to do next.")
    code: str = Field(description="Stable; what a program should look at.")
    instance: str = Field(description="The path that was asked for.")
    correlation_id: str = Field(description="What to look for in the log.")
    errors: list[FieldProblem] | None = None


def status_of(error: BaseException) -> int:
    """The HTTP status of an error; 500 for a defect."""
    for kind in type(error).__mro__:
        if kind in _STATUSES:
            return _STATUSES[kind]
    return 500


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route declares as `responses`: that it may answer so, with a problem document."""
    return {status: {"description": HTTPStatus(status).phrase, "content": _CONTENT} for status in statuses}


_CONTENT = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEMS = problems


def problem_for(error: BaseException, *, instance: str, correlation_id: str) -> JSONResponse:
    """The answer to a request that ended in an error.

    Args:
        error: One of ours says in its message what is wrong; of any other nothing is told.
        instance: The path that was asked for.
        correlation_id: Of the request.
    """
    headers = {}
    if isinstance(error, errors.DeepLensError):
        status, code, detail = status_of(error), error.code, str(error)
        if isinstance(error, errors.RateLimitedError | errors.QueueFullError):
            headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
        if isinstance(error, errors.NotAuthenticatedError):
            headers["WWW-Authenticate"] = 'Bearer realm="deeplens"'
    else:
        status, code, detail = 500, "defect", _DEFECT
    return _answer(status, code, detail, instance, correlation_id, headers=headers)


def refusal(status: int, code: str, detail: str, scope: Scope) -> JSONResponse:
    """The answer of a middleware that lets something not through; also what a websocket is refused with.

    Args:
        status: Of HTTP.
        code: What a program should look at.
        detail: For people.
        scope: Of the request or websocket.
    """
    return _answer(status, code, detail, scope["path"], str(scope.get("state", {}).get("correlation_id", "")))


def add_problem_handlers(app: FastAPI) -> None:
    """Have an application answer every error with a problem document."""

    def ours(request: Request, error: Exception) -> JSONResponse:
        if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _LOG.error("%s %s: %s", request.method, request.url.path, error)
        return problem_for(error, instance=request.url.path, correlation_id=_correlation(request))

    def not_valid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        # What was sent is not repeated: it may be a secret in the wrong place.
        fields = [
            FieldProblem(field=".".join(map(str, item["loc"])), message=str(item["msg"])) for item in error.errors()
        ]
        detail = "; ".join(f"{item.field}: {item.message}" for item in fields[:3]) or "The request is not valid."
        return _answer(422, "not_valid", detail, request.url.path, _correlation(request), fields=fields)

    def by_status(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        phrase = HTTPStatus(error.status_code).phrase
        code = phrase.lower().replace(" ", "_").replace("-", "_")
        detail = _what_is_there(request, error) if error.detail == phrase else str(error.detail)
        return _answer(error.status_code, code, detail, request.url.path, _correlation(request), headers=error.headers)

    app.add_exception_handler(errors.DeepLensError, ours)
    app.add_exception_handler(RequestValidationError, not_valid)
    app.add_exception_handler(HTTPException, by_status)


def _what_is_there(request: Request, error: HTTPException) -> str:
    """What to do about a path or a method that there is none of, where the framework names the status alone."""
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("allow", "")
        return f"{request.method} is not answered here" + (f"; {allowed} is." if allowed else ".")
    if error.status_code == HTTPStatus.NOT_FOUND and request.url.path.startswith("/api/"):
        return "There is nothing at this path; /api/v1/openapi.json lists those that are answered."
    return str(error.detail)


def _correlation(request: Request) -> str:
    return str(request.scope.get("state", {}).get("correlation_id", ""))


def _answer(
    status: int,
    code: str,
    detail: str,
    instance: str,
    correlation_id: str,
    *,
    fields: list[FieldProblem] | None = None,
    headers: Any = None,
) -> JSONResponse:
    problem = Problem(
        type=f"urn:deeplens:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        instance=instance,
        correlation_id=correlation_id,
        errors=fields,
    )
    content = problem.model_dump(exclude_none=True)
    kept = {"Cache-Control": "no-store"} | dict(headers or {})
    return JSONResponse(content, status_code=status, headers=kept, media_type=PROBLEM_TYPE)
