"""The savings report as a headline and as a mail.

Takes a described report, gives one line and a mail; must not compute a number. What a mail leaves out is in the page.
"""

from __future__ import annotations

from deeplens_kit.reporting.label_words import format_share
from deeplens_kit.reporting.report_figures import kpi_of
from deeplens_kit.reporting.report_mail import MailFigure, MailTable, ReportMail, report_mail
from deeplens_kit.reporting.report_notes import ReportNotes
from deeplens_kit.reporting.savings_numbers import coverage_line
from deeplens_kit.reporting.savings_report import SavingsReport
from deeplens_kit.reporting.words import format_bytes, format_count, format_percent, place_words, plural, tier_words

__all__ = ["savings_headline", "savings_mail", "savings_notes"]


def savings_headline(report: SavingsReport) -> str:
    """What could be freed, in a few words."""
    if report.totals.objects:
        return f"{format_bytes(report.totals.realisable_bytes)} could be freed"
    if report.coverage.analysed_objects:
        return "Nothing to save"
    return "Nothing could be analysed" if report.coverage.objects else "Nothing indexed yet"


def savings_notes(report: SavingsReport) -> ReportNotes:
    """What whoever renders the report is told of it."""
    return ReportNotes(savings_headline(report), kpi_of(report), savings_mail(report))


def savings_mail(report: SavingsReport) -> ReportMail:
    """The headline, its figures and the main tables."""
    return report_mail(
        title="Savings",
        headline=savings_headline(report),
        lead=_lead(report),
        about=f"Workspace {report.workspace}, {report.made_at:%-d %B %Y, %H:%M %Z}, by DeepLens {report.version}.",
        figures=_figures(report),
        notes=report.notes,
        tables=_tables(report),
    )


def _lead(report: SavingsReport) -> str:
    if not report.totals.objects:
        return "Nothing is proposed for removal. Nothing has been removed: this report only says what was found."
    copies = plural(report.totals.objects, "file is a copy", "files are copies")
    return f"{copies} of another that stays. {coverage_line(report.coverage)} Nothing has been removed."


def _figures(report: SavingsReport) -> list[MailFigure]:
    totals, coverage, interval = report.totals, report.coverage, report.interval
    figures = []
    if totals.objects:
        figures.append(
            MailFigure("Can be freed", format_bytes(totals.realisable_bytes), f"{totals.realisable_bytes:,} bytes")
        )
    if totals.objects and interval is not None:
        between = format_bytes(interval.low_bytes)
        if interval.low_bytes != interval.high_bytes:
            between = f"{between} to {format_bytes(interval.high_bytes)}"
        sure = format_share(interval.confidence).replace(".00", "")
        figures.append(MailFigure(f"{sure} interval", between, f"by {plural(interval.labels, 'label')}"))
    if totals.objects:
        groups = plural(totals.groups, "group")
        figures.append(MailFigure("Files that could go", format_count(totals.objects), f"in {groups}"))
    if coverage.objects:
        of = f"{format_count(coverage.analysed_objects)} of {plural(coverage.objects, 'file')}"
        figures.append(MailFigure("Analysed", coverage.share, of))
    if totals.objects and report.numbers.money is not None:
        figures += [MailFigure("Money", line) for line in report.numbers.money.lines[:2]]
    if (change := report.change) is not None:
        if change.known:
            freed = f"{format_bytes(change.new_bytes)} could be freed"
            figures.append(MailFigure("New duplicates", format_count(change.new_objects), freed))
        removed = f"{plural(change.ever.emptied_objects, 'file')} removed for good"
        figures.append(MailFigure("Saved so far", format_bytes(change.ever.emptied_bytes), removed))
    return figures


def _tables(report: SavingsReport) -> list[MailTable]:
    amounts = ("Files", "Can be freed")
    tiers = tuple(
        (f"{line.name}: {tier_words(line.name)}", format_count(line.objects), format_bytes(line.realisable_bytes))
        for line in report.by_tier
    )
    tables = [MailTable("How sure it is", ("Evidence", *amounts), tiers)]
    for title, heading, lines in (
        ("Where the bytes are", "Location", report.by_location),
        ("Folders", "Folder", report.by_folder),
        ("Owners", "Owner", report.by_owner),
    ):
        rows = tuple(
            (
                place_words(line.name) if heading == "Folder" else line.name,
                format_count(line.objects),
                format_bytes(line.realisable_bytes),
            )
            for line in lines
        )
        tables.append(MailTable(title, (heading, *amounts), rows))
    groups = tuple(
        (f"{group.location}: {group.title}", format_count(group.removable), format_bytes(group.frees_bytes))
        for group in report.groups
    )
    tables.append(MailTable("The groups that free most", ("Stays", "Copies", "Frees"), groups))
    overlaps = tuple(
        (
            place_words(line.folder_a, with_all=True),
            place_words(line.folder_b, with_all=True),
            format_percent(int(line.share * 1_000_000 + 1e-3), 1_000_000),
        )
        for line in report.overlaps
    )
    tables.append(MailTable("Folders in other folders", ("Folder", "In", "Contained"), overlaps, numbers_from=2))
    missed = tuple(
        (f"{line.location}: {line.reason}", format_count(line.objects), format_bytes(line.bytes))
        for line in report.reasons
    )
    tables.append(MailTable("Not analysed", ("Reason", "Files", "Size"), missed))
    return tables
