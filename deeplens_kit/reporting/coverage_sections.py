"""The coverage report: its sections, files, headline and mail.

Takes a described report, gives pieces of HTML and writes its numbers; must not compute one.
"""

from __future__ import annotations

from pathlib import Path

from deeplens_kit.reporting.coverage_report import CoverageReport, coverage_figures
from deeplens_kit.reporting.exact_values import json_document
from deeplens_kit.reporting.history_figures import line_chart, series_of
from deeplens_kit.reporting.report_files import save_report_files
from deeplens_kit.reporting.report_mail import MailFigure, MailTable, ReportMail, report_mail
from deeplens_kit.reporting.report_notes import ReportNotes, save_notes
from deeplens_kit.reporting.report_section import Section, drawn, section_of
from deeplens_kit.reporting.report_tables import bar, report_table, table_markup
from deeplens_kit.reporting.savings_tables import MAX_ROWS
from deeplens_kit.reporting.words import format_bytes, format_count, plural

__all__ = [
    "coverage_headline",
    "headline_section",
    "history_section",
    "locations_section",
    "method_section",
    "missed_section",
    "reasons_section",
    "save_coverage",
]

_TEMPLATE = "coverage.html.jinja"
_RIGHT = ("Files", "Size")


def coverage_headline(report: CoverageReport) -> str:
    """How much was analysed, in a few words."""
    if not report.coverage.objects:
        return "Nothing indexed yet"
    return f"{report.coverage.share} of {plural(report.coverage.objects, 'file')} analysed"


def headline_section(report: CoverageReport) -> Section:
    """How much was analysed, and what became of the rest."""
    return _section("headline", report)


def locations_section(report: CoverageReport) -> Section:
    """How much of each location was analysed."""
    rows = [
        (
            line.name,
            format_count(line.totals.objects),
            format_bytes(line.totals.bytes),
            bar(line.share, line.totals.share),
            format_count(line.totals.objects - line.totals.analysed_objects),
        )
        for line in report.by_location[:MAX_ROWS]
    ]
    headings = ("Location", "Files", "Size", "Analysed", "Not analysed")
    table = report_table("by-location", headings, rows, numbers=(*_RIGHT, "Not analysed"))
    return _section("locations", report, table_markup(table, stacks=True))


def reasons_section(report: CoverageReport) -> Section:
    """Why files were not analysed."""
    rows = [
        (line.reason, line.location, format_count(line.objects), format_bytes(line.bytes), ", ".join(line.examples))
        for line in report.reasons[:MAX_ROWS]
    ]
    headings = ("Reason", "Location", "Files", "Size", "For example")
    table = report_table("reasons", headings, rows, numbers=_RIGHT)
    return _section("reasons", report, table_markup(table, stacks=True))


def missed_section(report: CoverageReport) -> Section:
    """The largest files that were not analysed."""
    rows = [
        (line.path, line.location, line.reason, "unknown" if line.bytes is None else format_bytes(line.bytes))
        for line in report.largest
    ]
    table = report_table("missed", ("File", "Location", "Reason", "Size"), rows, numbers=_RIGHT)
    return _section("missed", report, table_markup(table, stacks=True))


def history_section(report: CoverageReport) -> Section:
    """How the share of what was analysed went over time."""
    points = [*((point.at, point.figures) for point in report.history), (report.made_at, coverage_figures(report))]
    series = [item for item in series_of(points) if len(item.points) > 1]
    parts = [(drawn(figure._repr_html_()), figure.says) for figure in map(line_chart, series)]
    return _section("history", report, parts=parts)


def method_section(report: CoverageReport) -> Section:
    """How the numbers came about."""
    rows = [
        (
            run.location,
            run.finished_at.astimezone(report.made_at.tzinfo).strftime("%Y-%m-%d %H:%M") if run.finished_at else "",
            run.state,
            run.run_id,
        )
        for run in report.runs[-MAX_ROWS:]
    ]
    table = report_table("runs", ("Location", "Ended", "State", "Id"), rows)
    return _section("method", report, table_markup(table, stacks=True))


def save_coverage(report: CoverageReport, folder: Path | str) -> None:
    """Write the exact numbers of a report into a folder, and what the renderer is told of it.

    Args:
        report: The report.
        folder: A folder that exists; an empty text writes nothing.

    Raises:
        ExtraMissingError: XlsxWriter is not installed.
    """
    figures = coverage_figures(report)
    made = {"workspace": report.workspace, "made_at": report.made_at, "deeplens": report.version}
    summary = {**{name: value for name, value in figures.items() if name != "made_at"}, "notes": list(report.notes)}
    document = json_document("coverage", report.rows, {}, summary, {"report": made})
    # Of a workbook that people open: all of them are in the Parquet file.
    sheets = {"Coverage": report.rows, "Not analysed": report.failures.head(100_000)}
    more = {"-failures.parquet": report.failures}
    save_report_files("coverage", folder, document, report.rows, sheets, report.made_at, more)
    save_notes(ReportNotes(coverage_headline(report), figures, _mail(report)), folder)


def _mail(report: CoverageReport) -> ReportMail:
    locations = tuple((line.name, format_count(line.totals.objects), line.totals.share) for line in report.by_location)
    reasons = tuple(
        (f"{line.location}: {line.reason}", format_count(line.objects), format_bytes(line.bytes))
        for line in report.reasons
    )
    return report_mail(
        title="Coverage",
        headline=coverage_headline(report),
        lead="What could not be analysed is in no group and in no total.",
        about=f"Workspace {report.workspace}, {report.made_at:%-d %B %Y, %H:%M %Z}, by DeepLens {report.version}.",
        figures=[
            MailFigure(line.label, format_count(line.objects), format_bytes(line.bytes)) for line in report.outcomes
        ],
        notes=report.notes,
        tables=[
            MailTable("By location", ("Location", "Files", "Analysed"), locations),
            MailTable("Not analysed", ("Reason", "Files", "Size"), reasons),
        ],
    )


def _section(part: str, report: CoverageReport, table: str = "", **values: object) -> Section:
    return section_of(_TEMPLATE, part, report=report, table=drawn(table), **values)
