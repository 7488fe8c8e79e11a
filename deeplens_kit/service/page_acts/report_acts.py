"""What the page of reports reads and does.

Takes an open workspace and the session of the page, gives described values; every act asks first whether whoever is
there may do it. Reports are made by jobs, and are read at the addresses by which the API gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import ReportRun, Scope
from deeplens_kit.pipeline.keep_policies import policy_named
from deeplens_kit.reporting.bundled import bundled
from deeplens_kit.reporting.notebook_parameters import report_parameters
from deeplens_kit.reporting.rendering import OWN_PARAMETERS, REPORTS, check_report, check_report_names
from deeplens_kit.reporting.words import format_bytes
from deeplens_kit.service.jobs import asking
from deeplens_kit.service.kept_reports import kept_files
from deeplens_kit.service.page_acts.guarded import guarded
from deeplens_kit.service.page_acts.job_acts import JobbingActs
from deeplens_kit.service.schedules import SCHEDULES_FILE, Schedule, list_schedules, read_schedules, schedule_named
from deeplens_kit.service.schedules.values import WORKFLOW
from deeplens_kit.views.state.job_lines import JobLine, describe_job
from deeplens_kit.views.state.reports_state import (
    MadeReports,
    ReportLine,
    ReportOffer,
    ScheduleLine,
    SchedulesShown,
    typed_text,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ReportActs"]

_MOST_MADE, _MOST_OF_SCHEDULE, _MOST_FIGURES = 50, 5, 6
_POLICY = "policy"
_RUNS = "/api/v1/reports/runs"
_KINDS = {
    ".pdf": "PDF",
    ".xlsx": "Excel",
    ".json": "JSON",
    ".csv": "CSV",
    ".eml": "Mail",
    ".html": "HTML",
    ".parquet": "Parquet",
}


class ReportActs(JobbingActs):
    """Reports that can be made, those that were, and schedules; implements `views.state.reports_state.ReportActing`."""

    job_kinds = ("report", "schedule")

    @guarded(Scope.IMAGES_READ)
    def made(self) -> MadeReports:
        """What can be made, and the latest that were."""
        offers = tuple(_offer(name) for name in REPORTS)
        ledger = self._workspace.ledger
        runs = ledger.report_runs(but=WORKFLOW, limit=_MOST_MADE)
        return MadeReports(offers, tuple(map(self._line, runs)), ledger.count_report_runs(but=WORKFLOW))

    @guarded(Scope.IMAGES_READ)
    def schedules(self) -> SchedulesShown:
        """The schedules of the workspace, or what is wrong with their file."""
        if not self._schedules_file.is_file():
            return SchedulesShown((), has_file=False)
        try:
            found = read_schedules(self._schedules_file)
        except SettingsError as error:
            # It names the place of the file on the server, which is for those who sit there.
            return SchedulesShown((), str(error).replace(str(self._schedules_file), SCHEDULES_FILE))
        listed = list_schedules(self._workspace, found, datetime.now(UTC)).iter_rows(named=True)
        return SchedulesShown(tuple(self._schedule(item, row) for item, row in zip(found, listed, strict=True)))

    @guarded(Scope.IMAGES_WRITE)
    def run(self, name: str, given: Mapping[str, str], *, pdf: bool) -> JobLine:
        """Begin to make a report; a parameter that is left empty is as by default."""
        if name not in REPORTS:
            raise UnknownNameError("report", name, REPORTS)
        declared = {item.name: item for item in _offer(name).parameters}
        told = {
            key: text for key, text in given.items() if key in declared and text != typed_text(declared[key].default)
        }
        if policy := told.get(_POLICY):
            policy_named(self._workspace, policy)
        check_report_names(self._workspace, check_report(name, told))
        return self._submit("report", {"report": name, "parameters": told, "pdf": pdf})

    @guarded(Scope.IMAGES_WRITE)
    def run_schedule(self, name: str) -> JobLine:
        """Begin a run of a schedule that makes a report."""
        schedule = schedule_named(read_schedules(self._schedules_file), name)
        if schedule.report == WORKFLOW:
            raise SettingsError(f"Schedule {name!r} runs a workflow, which is begun by who may remove pictures.")
        return self._submit("schedule", {"schedule": schedule.name}, key=f"schedule {schedule.name}")

    @guarded(Scope.IMAGES_DELETE)
    def run_workflow(self, name: str) -> JobLine:
        """Begin the workflow of a schedule."""
        schedule = schedule_named(read_schedules(self._schedules_file), name)
        if schedule.report != WORKFLOW:
            raise SettingsError(f"Schedule {name!r} makes a report, and no workflow.")
        workflow, first = schedule.parameters[WORKFLOW], schedule.parameters.get("index") == "true"
        return describe_job(asking.run_workflow(self._workspace, workflow, index_first=first, schedule=schedule.name))

    @property
    def _schedules_file(self) -> Path:
        return self._workspace.directory / SCHEDULES_FILE

    def _schedule(self, item: Schedule, row: Mapping[str, Any]) -> ScheduleLine:
        runs = self._workspace.ledger.report_runs(schedule=item.name, limit=_MOST_OF_SCHEDULE)
        return ScheduleLine(
            item.name,
            item.what,
            item.cron,
            item.zone,
            row["next_at"].astimezone(ZoneInfo(item.zone)) if row["next_at"] else None,
            item.paused,
            tuple(row["notify"] or ()),
            tuple(self._line(run) for run in runs),
            item.report == WORKFLOW,
        )

    def _line(self, run: ReportRun) -> ReportLine:
        page, beside = kept_files(self._workspace, run)
        address = f"{_RUNS}/{quote(run.run_id)}"
        files = [(_kind(item, page.stem if page else ""), f"{address}/files/{quote(item.name)}") for item in beside]
        return ReportLine(
            run.run_id,
            run.report,
            run.schedule,
            str(run.state),
            run.started_at,
            (run.finished_at - run.started_at).total_seconds() if run.finished_at else None,
            run.message,
            tuple(_figures(run.figures)),
            dict(run.parameters),
            run.author,
            f"{address}/page" if page else "",
            tuple(files),
        )


def _offer(name: str) -> ReportOffer:
    declared = report_parameters(bundled("reports") / f"{name}.ipynb")
    return ReportOffer(
        name, REPORTS[name], tuple(item for item in declared.values() if item.name not in OWN_PARAMETERS)
    )


def _kind(file: Path, page: str) -> str:
    """What a file beside a page is, and of several of one kind which: files are called after their page."""
    suffix = file.suffix.lower()
    more = file.stem.removeprefix(page).replace(".", " ").replace("-", " ").strip()
    return " ".join(part for part in (_KINDS.get(suffix, suffix.lstrip(".") or "File"), more) if part)


def _figures(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Plain numbers of a report, in words; what is made of parts is for its page."""
    told = []
    for name, value in figures.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        called = name.removesuffix("_bytes").replace("_", " ")
        if name.endswith("_bytes"):
            shown = format_bytes(int(value))
        else:
            shown = f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
        told.append((called, shown))
    return told[:_MOST_FIGURES]
