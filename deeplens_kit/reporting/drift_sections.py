"""The drift report: its sections, files, headline and mail.

Takes a described savings report with what changed since the last one, gives pieces of HTML and writes its numbers; must
not compute one. What came, what went and what was saved is shown as in the savings report, by the same functions.
"""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import polars as pl

from deeplens_kit.reporting.exact_values import json_document
from deeplens_kit.reporting.report_figures import kpi_of
from deeplens_kit.reporting.report_files import save_report_files
from deeplens_kit.reporting.report_lines import FigureChange
from deeplens_kit.reporting.report_mail import MailFigure, MailTable, ReportMail, report_mail
from deeplens_kit.reporting.report_notes import ReportNotes, save_notes
from deeplens_kit.reporting.report_section import Section, drawn, section_of
from deeplens_kit.reporting.report_tables import report_table, table_markup
from deeplens_kit.reporting.savings_report import SavingsReport
from deeplens_kit.reporting.savings_sheets import lines_frame
from deeplens_kit.reporting.words import format_bytes, format_count, format_money, plural

__all__ = ["drift_headline", "figures_section", "headline_section", "method_section", "save_drift"]

_TEMPLATE = "drift.html.jinja"
# What `kpi_of` keeps, for people.
_FIGURES = {
    "realisable_bytes": "Can be freed",
    "gross_bytes": "Size of the copies",
    "objects": "Files that could go",
    "groups": "Groups",
    "found_objects": "Files found",
    "analysed_objects": "Files analysed",
    "money_per_month": "Saved a month",
    "money_once": "Paid once",
}
_LINE = {"name": pl.String(), "objects": pl.Int64(), "bytes": pl.Int64()}
_FIGURE = {"name": pl.String(), "before": pl.String(), "now": pl.String()}
_LISTS = {
    "new_by_location": "New by location",
    "new_by_owner": "New by owner",
    "new_by_folder": "New by folder",
    "gone_why": "No longer proposed",
}


def drift_headline(report: SavingsReport) -> str:
    """What changed, in a few words."""
    change = report.change
    if change is None:
        return "The first report of its kind: the next one has something to hold against it"
    if not change.known:
        return f"What could be freed is {format_bytes(report.totals.realisable_bytes)} now"
    if not (change.new_objects or change.gone_objects):
        return "Nothing changed"
    new = plural(change.new_objects, "new duplicate")
    return f"{new}, {format_count(change.gone_objects)} no longer proposed"


def headline_section(report: SavingsReport) -> Section:
    """What changed, and between which two times."""
    return _section("headline", report)


def figures_section(report: SavingsReport) -> Section:
    """Each figure then and now."""
    lines = report.change.figures if report.change is not None else ()
    rows = [
        (
            _name(line, report),
            _told(line, line.before),
            _told(line, line.now),
            _difference(line),
        )
        for line in lines
    ]
    table = report_table(
        "figures", ("Figure", "Then", "Now", "Difference"), rows, numbers=("Then", "Now", "Difference")
    )
    return _section("figures", report, table_markup(table) if rows else "")


def method_section(report: SavingsReport) -> Section:
    """How the comparison is made."""
    return _section("method", report)


def save_drift(report: SavingsReport, folder: Path | str) -> None:
    """Write the exact numbers of a report into a folder, and what the renderer is told of it.

    Args:
        report: The report.
        folder: A folder that exists; an empty text writes nothing.

    Raises:
        ExtraMissingError: XlsxWriter is not installed.
    """
    change = report.change
    rows = lines_frame(change.figures if change is not None else (), _FIGURE)
    lists = {name: lines_frame(getattr(change, name) if change is not None else (), _LINE) for name in _LISTS}
    figures = kpi_of(report)
    summary = {**report.numbers.summary, "change": asdict(change) if change is not None else None}
    made = {"workspace": report.workspace, "made_at": report.made_at, "deeplens": report.version, "rule": report.rule}
    document = json_document("drift", rows, lists, summary, {"report": made})
    sheets = {"Figures": rows, **{title: lists[name] for name, title in _LISTS.items()}}
    save_report_files("drift", folder, document, rows, sheets, report.made_at)
    save_notes(ReportNotes(drift_headline(report), figures, _mail(report)), folder)


def _name(line: FigureChange, report: SavingsReport) -> str:
    """What a figure is, money with its currency."""
    name, money = _FIGURES.get(line.name, line.name.replace("_", " ")), report.numbers.money
    return f"{name}, {money.currency}" if money is not None and line.name.startswith("money_") else name


def _told(line: FigureChange, value: int | str | None) -> str:
    """A figure for people: bytes in units, money in cents."""
    if value is None:
        return "not known"
    if isinstance(value, str):
        return format_money(Decimal(value))
    return format_bytes(value) if line.name.endswith("_bytes") else format_count(value)


def _difference(line: FigureChange) -> str:
    if isinstance(line.before, int) and isinstance(line.now, int):
        difference: int | str = line.now - line.before
    elif isinstance(line.before, str) and isinstance(line.now, str):
        difference = str(Decimal(line.now) - Decimal(line.before))
    else:
        return ""
    if not Decimal(difference):
        return "none"
    return f"{'+' if Decimal(difference) > 0 else ''}{_told(line, difference)}"


def _mail(report: SavingsReport) -> ReportMail:
    change = report.change
    figures, tables = [], []
    lead = "There is no earlier report with the same parameters to hold this one against."
    if change is not None:
        lead = f"Since the report of {change.at.astimezone(report.made_at.tzinfo):%-d %B %Y, %H:%M}."
        removed = f"{plural(change.since.emptied_objects, 'file')} removed for good"
        figures = [MailFigure("Saved since then", format_bytes(change.since.emptied_bytes), removed)]
        now_and_then = tuple(
            (_name(line, report), _told(line, line.before), _told(line, line.now)) for line in change.figures
        )
        tables = [MailTable("Then and now", ("Figure", "Then", "Now"), now_and_then)]
        for name, title in _LISTS.items():
            rows = tuple(
                (line.name, format_count(line.objects), format_bytes(line.bytes)) for line in getattr(change, name)
            )
            tables.append(MailTable(title, ("", "Files", "Size"), rows))
    return report_mail(
        title="Drift",
        headline=drift_headline(report),
        lead=lead,
        about=f"Workspace {report.workspace}, {report.made_at:%-d %B %Y, %H:%M %Z}, by DeepLens {report.version}.",
        figures=figures,
        notes=report.notes,
        tables=tables,
    )


def _section(part: str, report: SavingsReport, table: str = "") -> Section:
    return section_of(_TEMPLATE, part, report=report, table=drawn(table), headline=drift_headline(report))
