"""Jobs that make reports.

Takes parameters and an open workspace, gives where the page lies and its numbers; must not compute one. The page of a
job has a name of its own, under which its run is on record: a try after a kill finds there whether it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deeplens_kit.ledger import JobProgress, ReportRunState
from deeplens_kit.pipeline import Workspace
from deeplens_kit.pipeline.workspace import REPORTS_FOLDER
from deeplens_kit.service.jobs.parameters import Parameters
from deeplens_kit.service.jobs.running import JobRun

__all__ = ["ReportParameters", "parse_report", "run_report"]


@dataclass(frozen=True, slots=True)
class ReportParameters:
    """What a job of kind "report" is told.

    Attributes:
        report: Its name.
        parameters: Of the report, by name.
        pdf: Print the page too.
        mail: Make a mail of it too.
    """

    report: str
    parameters: Mapping[str, object]
    pdf: bool = False
    mail: bool = False


def parse_report(parameters: Mapping[str, Any]) -> ReportParameters:
    """Check the parameters of a job of kind "report"."""
    from deeplens_kit.reporting.rendering import check_report

    given = Parameters("report", parameters, ("report", "parameters", "pdf", "mail"))
    value = ReportParameters(given.text("report"), given.object("parameters"), given.flag("pdf"), given.flag("mail"))
    check_report(value.report, value.parameters)
    return value


def run_report(workspace: Workspace, value: ReportParameters, run: JobRun) -> dict[str, Any]:
    """Make it; gives its page, its files, its headline and its numbers."""
    from deeplens_kit.reporting.rendering import make_report

    folder = workspace.directory / REPORTS_FOLDER
    folder.mkdir(exist_ok=True)
    page = folder / f"{value.report}-{run.job.job_id}.html"
    if page.is_file():
        for past in workspace.ledger.report_runs(value.report, schedule="", states=[ReportRunState.FINISHED]):
            if past.out == str(page):
                files = sorted(str(file.name) for file in folder.glob(f"{page.stem}*") if file != page)
                return _result(past.run_id, page.name, files, past.message, past.figures)

    def tell(done: int, in_all: int) -> None:
        # A report has no other moment at which it can be ended.
        run.check()
        run.tell(JobProgress(in_all, done, message=value.report))

    made = make_report(
        workspace.directory, value.report, value.parameters, page, pdf=value.pdf, mail=value.mail, progress=tell
    )
    latest = workspace.ledger.report_runs(value.report, schedule="", states=[ReportRunState.FINISHED], limit=20)
    run_id = next((item.run_id for item in latest if item.out == str(page)), "")
    return _result(run_id, page.name, [file.name for file in made.files[1:]], made.headline, made.figures)


def _result(run_id: str, page: str, files: list[str], headline: str, figures: Mapping[str, object]) -> dict[str, Any]:
    return {"run_id": run_id, "page": page, "files": files, "headline": headline, "figures": dict(figures)}
