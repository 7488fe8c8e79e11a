"""The evidence report: its sections, files, headline and mail.

Takes a described report, gives pieces of HTML and writes its numbers; must not compute one. Shares are cut, not
rounded: a bound never reads better than it is.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.reporting.evidence_report import EvidenceReport, evidence_figures
from deeplens_kit.reporting.exact_values import json_document
from deeplens_kit.reporting.history_figures import TimeSeries, line_chart
from deeplens_kit.reporting.label_words import format_share, format_upper_share
from deeplens_kit.reporting.report_files import save_report_files
from deeplens_kit.reporting.report_mail import MailFigure, MailTable, ReportMail, report_mail
from deeplens_kit.reporting.report_notes import ReportNotes, save_notes
from deeplens_kit.reporting.report_section import Section, drawn, section_of
from deeplens_kit.reporting.report_tables import bar, report_table, table_markup
from deeplens_kit.reporting.words import format_bytes, format_count, plural, tier_words

if TYPE_CHECKING:
    from deeplens_kit.evidence import Interval

__all__ = [
    "curve_section",
    "evidence_headline",
    "headline_section",
    "history_section",
    "intervals_section",
    "labels_section",
    "method_section",
    "save_evidence",
    "threshold_section",
]

_TEMPLATE = "evidence.html.jinja"
_RIGHT = ("Files", "Pairs", "Can be freed", "Labelled", "Different", "Unsure", "Labels")


def evidence_headline(report: EvidenceReport) -> str:
    """How right the proposed copies are at the least, in a few words."""
    if report.precision is None:
        return "Too few labels to say how right the proposals are"
    if not report.precision.pairs:
        return "No copy is proposed that needs a label"
    if report.precision.lower >= 1:
        return "Every proposed copy is right"
    return f"At least {format_share(report.precision.lower)} of the proposed copies are right"


def headline_section(report: EvidenceReport) -> Section:
    """How right the proposed copies are at the least, and by how many labels."""
    return _section("headline", report)


def intervals_section(report: EvidenceReport) -> Section:
    """Precision and recall with their intervals, and what each tier rests on."""
    rows = [
        (
            name,
            "not known" if item.estimate is None else bar(item.estimate, format_share(item.estimate)),
            f"{format_share(item.low)} to {format_upper_share(item.high)}",
            format_share(item.lower),
            format_count(item.pairs),
            format_count(item.labelled),
            format_count(item.wrong),
            format_count(item.unsure),
        )
        for name, item in (("Precision of copies", report.precision), ("Recall among candidates", report.recall))
        if item is not None and item.pairs
    ]
    headings = ("Figure", "Estimate", "Interval", "At least", "Pairs", "Labelled", "Different", "Unsure")
    tiers = [
        (
            line.name,
            tier_words(line.name),
            format_count(line.objects),
            format_bytes(line.frees_bytes),
            "proven: no label is needed" if line.proven else f"at least {format_share(line.lower)} right",
        )
        for line in report.by_tier
    ]
    by_tier = report_table("tiers", ("Evidence", "Meaning", "Files", "Can be freed", "How sure"), tiers, numbers=_RIGHT)
    table = table_markup(report_table("intervals", headings, rows, numbers=_RIGHT), stacks=True) if rows else ""
    return _section("intervals", report, table, tiers=drawn(table_markup(by_tier, stacks=True) if tiers else ""))


def curve_section(report: EvidenceReport) -> Section:
    """What each threshold would free, and how right it would be at the least."""
    most = max((line.frees_bytes for line in report.curve), default=0)
    rows = [
        (
            f"{line.threshold:g}",
            format_count(line.pairs),
            bar(line.frees_bytes / most if most else 0.0, format_bytes(line.frees_bytes)),
            format_count(line.labelled),
            format_count(line.wrong),
            format_share(line.lower),
            format_share(line.simultaneous),
        )
        for line in report.curve
    ]
    headings = ("Likelihood", "Pairs", "Frees", "Labelled", "Different", "At least", "All at once")
    return _section("curve", report, table_markup(report_table("curve", headings, rows, numbers=_RIGHT), stacks=True))


def threshold_section(report: EvidenceReport) -> Section:
    """The threshold that can be defended, or what is missing for one."""
    return _section("threshold", report)


def labels_section(report: EvidenceReport) -> Section:
    """The labels there are: by verdict, by person, by sample."""
    verdicts = report_table("verdicts", ("Verdict", "Pairs"), _counts(report.verdicts), numbers=_RIGHT)
    persons = report_table("persons", ("Who", "Labels"), _counts(report.persons[:25]), numbers=_RIGHT)
    parts = [
        (title, drawn(table_markup(table)))
        for title, table, lines in (
            ("By verdict", verdicts, report.verdicts),
            ("By person", persons, report.persons),
        )
        if lines
    ]
    return _section("labels", report, parts=parts)


def history_section(report: EvidenceReport) -> Section:
    """How the number of labels and the lower bound of precision went over time."""
    points = [*((point.at, point.figures) for point in report.history), (report.made_at, evidence_figures(report))]
    bounds = [(at, float(kept["precision_lower"])) for at, kept in points if kept.get("precision_lower") is not None]
    counts = [(at, float(kept["labels"])) for at, kept in points if "labels" in kept]
    series = [
        TimeSeries("Precision, at least", tuple(bounds), format_share, most=1.0),
        TimeSeries("Labels", tuple(counts), lambda value: format_count(int(value))),
    ]
    figures = [line_chart(item) for item in series if len(item.points) > 1]
    return _section("history", report, parts=[(drawn(figure._repr_html_()), figure.says) for figure in figures])


def method_section(report: EvidenceReport) -> Section:
    """The rule and the rules of the estimate."""
    return _section("method", report)


def save_evidence(report: EvidenceReport, folder: Path | str) -> None:
    """Write the exact numbers of a report into a folder, and what the renderer is told of it.

    Args:
        report: The report.
        folder: A folder that exists; an empty text writes nothing.

    Raises:
        ExtraMissingError: XlsxWriter is not installed.
    """
    figures = evidence_figures(report)
    summary = {
        **{name: value for name, value in figures.items() if name != "made_at"},
        "precision_interval": _exact(report.precision),
        "recall_interval": _exact(report.recall),
        "why_not": report.why_not,
        "notes": list(report.notes),
    }
    made = {"workspace": report.workspace, "made_at": report.made_at, "deeplens": report.version}
    document = json_document("evidence", report.curve_rows, {}, summary, {"report": made})
    verdicts = pl.DataFrame(report.verdicts, schema={"verdict": pl.String, "pairs": pl.Int64}, orient="row")
    sheets = {"Thresholds": report.curve_rows, "Verdicts": verdicts, "Labels": report.labels.head(100_000)}
    more = {"-labels.parquet": report.labels}
    save_report_files("evidence", folder, document, report.curve_rows, sheets, report.made_at, more)
    save_notes(ReportNotes(evidence_headline(report), figures, _mail(report)), folder)


def _exact(interval: Interval | None) -> dict[str, object] | None:
    return asdict(interval) if interval is not None else None


def _counts(lines: tuple[tuple[str, int], ...]) -> list[tuple[str, str]]:
    return [(name, format_count(count)) for name, count in lines]


def _mail(report: EvidenceReport) -> ReportMail:
    tiers = tuple(
        (
            f"{line.name}: {'proven' if line.proven else f'at least {format_share(line.lower)} right'}",
            format_count(line.objects),
            format_bytes(line.frees_bytes),
        )
        for line in report.by_tier
    )
    return report_mail(
        title="Evidence",
        headline=evidence_headline(report),
        lead=report.why_not or " ".join(report.recommended[-1:]) or "Every proposal is proven without a label.",
        about=f"Workspace {report.workspace}, {report.made_at:%-d %B %Y, %H:%M %Z}, by DeepLens {report.version}.",
        figures=[
            MailFigure("Labels", format_count(report.labels_in_all), f"by {plural(len(report.persons), 'person')}")
        ],
        notes=report.notes,
        tables=[MailTable("What it rests on", ("Evidence", "Files", "Can be freed"), tiers)],
    )  # fmt: skip


def _section(part: str, report: EvidenceReport, table: str = "", **values: object) -> Section:
    return section_of(_TEMPLATE, part, report=report, table=drawn(table), headline=evidence_headline(report), **values)
