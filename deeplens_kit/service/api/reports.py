"""Reports: which there are, made by a job, and those that were made.

Takes names and parameters, gives jobs, figures and pages; must not make one. Pages are given only out of the folder
that this server keeps them in: where else one was put is told to nobody.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.ledger import ReportRun, ReportRunState, Scope
from deeplens_kit.pipeline.keep_policies import policy_named
from deeplens_kit.reporting.bundled import bundled
from deeplens_kit.reporting.notebook_parameters import report_parameters
from deeplens_kit.reporting.rendering import OWN_PARAMETERS, REPORTS, check_report, check_report_names
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.bodies import named_in_body
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.api.paging import Cursor, Limit, StoredList, page_of
from deeplens_kit.service.api.values.base import JobStarted, Page
from deeplens_kit.service.api.values.reports import ReportAnswer, ReportParameter, ReportRequest, ReportRunAnswer
from deeplens_kit.service.context import Held, Service
from deeplens_kit.service.jobs.kinds import submit
from deeplens_kit.service.kept_reports import kept_files
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/reports", tags=["reports"])

ReportName = Annotated[str, Path(min_length=1, max_length=100, description="Of a report.")]
RunId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Of a run.")]
FileName = Annotated[str, Path(min_length=1, max_length=255, description="One of `files` of the run.")]

_POLICY = "policy"
# A page is our own, but shows names that others gave: it gets nothing of this origin.
_PAGE_HEADERS = {
    "Content-Security-Policy": "sandbox allow-scripts allow-popups; default-src 'self' data: 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}


@router.get(
    "",
    summary="List reports",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_reports(limit: Limit = 100, cursor: Cursor = None) -> Page[ReportAnswer]:
    """List the reports that can be made, with their parameters."""
    return page_of(list(REPORTS), limit, cursor, "reports", _report)


@router.get(
    "/runs",
    summary="List reports that were made",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_runs(
    held: Held,
    report: Annotated[str | None, Query(max_length=100)] = None,
    schedule: Annotated[str | None, Query(max_length=200)] = None,
    status: Annotated[list[Literal["running", "finished", "failed", "interrupted"]], Query(max_length=4)] = [],  # noqa: B006
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReportRunAnswer]:
    """List the runs of reports, the latest first."""
    states = [ReportRunState(name) for name in status] or None
    ledger = held.workspace.ledger
    found = StoredList(
        ledger.count_report_runs(report, schedule=schedule, states=states),
        lambda most, first: ledger.report_runs(report, schedule=schedule, states=states, limit=most, offset=first),
    )
    asked = ("runs", report, schedule, tuple(status))
    return page_of(found, limit, cursor, asked, lambda run: _run(held, run))


@router.get(
    "/runs/{run_id}",
    summary="Show a report that was made",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def show_run(run_id: RunId, held: Held) -> ReportRunAnswer:
    """Show one run of a report with its figures."""
    return _run(held, _found(held, run_id))


@router.get(
    "/runs/{run_id}/page",
    summary="Fetch the page of a report",
    dependencies=[needs(Scope.IMAGES_READ)],
    response_class=FileResponse,
    responses={
        200: {"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}},
        **PROBLEMS(401, 403, 404, 422, 429, 503),
    },
)
def fetch_page(run_id: RunId, held: Held) -> FileResponse:
    """Fetch the page of a report that this server made."""
    run = _found(held, run_id)
    page, _ = kept_files(held.workspace, run)
    if page is None:
        raise UnknownNameError("page of the report", run_id, (), advice="it was not made by this server, or is gone.")
    return FileResponse(page, media_type="text/html", headers=_PAGE_HEADERS)


@router.get(
    "/runs/{run_id}/files/{file}",
    summary="Fetch a file of a report",
    dependencies=[needs(Scope.IMAGES_READ)],
    response_class=FileResponse,
    responses={
        200: {"description": "The file.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
        **PROBLEMS(401, 403, 404, 422, 429, 503),
    },
)
def fetch_file(run_id: RunId, file: FileName, held: Held) -> FileResponse:
    """Fetch a file that lies beside the page of a report: its numbers, a table, a PDF."""
    _, beside = kept_files(held.workspace, _found(held, run_id))
    named = {item.name: item for item in beside}
    if file not in named:
        raise UnknownNameError("file of the report", file, named)
    # As a download: none of them is shown by this origin.
    return FileResponse(named[file], filename=file, headers=_PAGE_HEADERS)


@router.post(
    "/{name}/run",
    summary="Make a report",
    status_code=202,
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
def run_report(name: ReportName, asked: ReportRequest, held: Held, once: Idempotent) -> JobStarted:
    """Have a job make a report; its page is fetched by the run that the job's results name."""
    if name not in REPORTS:
        raise UnknownNameError("report", name, REPORTS)
    parameters = dict(asked.parameters)
    with named_in_body():
        if policy := parameters.get(_POLICY):
            policy_named(held.workspace, str(policy))
        check_report_names(held.workspace, check_report(name, parameters))
        document = {"report": name, "parameters": parameters, "pdf": asked.pdf, "mail": asked.mail}
        return once.job(lambda: submit(held.workspace, "report", document))


def _report(name: str) -> ReportAnswer:
    declared = report_parameters(bundled("reports") / f"{name}.ipynb")
    return ReportAnswer(
        name=name,
        tells=REPORTS[name],
        parameters=[
            ReportParameter(name=item.name, kind=item.kind, default=item.default, meaning=item.meaning)
            for item in declared.values()
            if item.name not in OWN_PARAMETERS
        ],
    )


def _run(held: Service, run: ReportRun) -> ReportRunAnswer:
    page, beside = kept_files(held.workspace, run)
    return ReportRunAnswer(
        run_id=run.run_id,
        report=run.report,
        schedule=run.schedule or None,
        parameters=dict(run.parameters),
        status=str(run.state),
        due_at=run.due_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        attempt=run.attempt,
        figures=dict(run.figures),
        message=run.message,
        author=run.author,
        page_url=None if page is None else f"/api/v1/reports/runs/{quote(run.run_id)}/page",
        files=[item.name for item in beside],
    )


def _found(held: Service, run_id: str) -> ReportRun:
    run = held.workspace.ledger.report_run(run_id)
    if run is not None:
        return run
    raise UnknownNameError("run of a report", run_id, (), advice="take it from /api/v1/reports/runs.")
