"""The sections of the savings report as pieces of HTML, each shown by a cell of the notebook.

Takes a described report and a source of thumbnails, gives sections; must not compute a number. A section with nothing
to say is empty, so that the report of an empty workspace reads as well as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from deeplens_kit.reporting.history_figures import history_figures
from deeplens_kit.reporting.report_lines import BreakdownLine
from deeplens_kit.reporting.report_section import Previews, Section, drawn, section_of
from deeplens_kit.reporting.savings_figures import Figure, concentration_figure, locations_figure
from deeplens_kit.reporting.savings_report import SavingsReport
from deeplens_kit.reporting.savings_tables import (
    MAX_ROWS,
    breakdown_table,
    change_lines_table,
    groups_table,
    lineage_common,
    lineage_table,
    locations_table,
    overlaps_table,
    reasons_table,
    runs_table,
    scenarios_table,
    table_markup,
    tiers_table,
    withheld_table,
)

__all__ = [
    "Section",
    "breakdowns_section",
    "change_section",
    "coverage_section",
    "groups_section",
    "headline_section",
    "history_section",
    "locations_section",
    "method_section",
    "money_section",
    "overlaps_section",
    "scenarios_section",
    "tiers_section",
    "withheld_section",
]

_TEMPLATE = "savings.html.jinja"
# Of one group: more say no more about it, and a hundred copies would be a report of their own.
_SHOWN_PICTURES = 6
_SHOWN_MEMBERS = 3
# Fields of a report with their headings: of the part of the page, and of the first column.
_BREAKDOWNS = (
    ("by_folder", "By folder", "Folder"),
    ("by_owner", "By owner", "Owner"),
    ("by_format", "By format", "Format"),
    ("by_age", "By age", "Last changed"),
    ("by_storage_class", "By storage class", "Storage class"),
)
_CHANGES = (("new_by_location", "Location"), ("new_by_owner", "Owner"), ("new_by_folder", "Folder"))


def headline_section(report: SavingsReport) -> Section:
    """What could be freed, between which bounds, of how much that was analysed, and what limits that."""
    return _section("headline", report)


def tiers_section(report: SavingsReport) -> Section:
    """What each strength of evidence would free, and how few groups free most."""
    return _section("tiers", report, table_markup(tiers_table(report)), concentration_figure(report))


def locations_section(report: SavingsReport) -> Section:
    """What each location would get back."""
    return _section("locations", report, table_markup(locations_table(report)), locations_figure(report))


def breakdowns_section(report: SavingsReport) -> Section:
    """What each folder, owner, format, age and storage class would get back."""
    parts = [
        (title, _breakdown(name, heading, getattr(report, name)), report.words.get(name, ""), _hidden(report, name))
        for name, title, heading in _BREAKDOWNS
    ]
    return _section("breakdowns", report, parts=[part for part in parts if part[1] or part[2]])


def money_section(report: SavingsReport) -> Section:
    """What removing the copies saves in money, on which assumptions, and when reading them has paid."""
    return _section("money", report)


def overlaps_section(report: SavingsReport) -> Section:
    """Which folders others hold as well."""
    table = table_markup(overlaps_table(report), stacks=True) if report.overlaps else ""
    return _section("overlaps", report, table)


def scenarios_section(report: SavingsReport) -> Section:
    """What other rules and keep policies would come to."""
    table = table_markup(scenarios_table(report), stacks=True) if report.scenarios else ""
    return _section("scenarios", report, table)


def change_section(report: SavingsReport) -> Section:
    """What is otherwise than in the last report, and what was saved so far."""
    change = report.change
    tables: list[tuple[str, Markup]] = []
    if change is not None and change.known:
        for name, heading in _CHANGES:
            if lines := getattr(change, name):
                table = table_markup(change_lines_table(name.replace("_", "-"), heading, lines))
                tables.append((f"New, by {heading.lower()}", drawn(table)))
        if change.gone_why:
            table = table_markup(change_lines_table("gone-why", "Why", change.gone_why))
            tables.append(("No longer proposed", drawn(table)))
    return _section("change", report, parts=tables)


def history_section(report: SavingsReport) -> Section:
    """The figures of earlier reports and of this one over time."""
    figures = [(drawn(figure._repr_html_()), figure.says) for figure in history_figures(report)]
    return _section("history", report, parts=figures)


def groups_section(report: SavingsReport, thumbnail: Callable[[str], bytes | None]) -> Section:
    """The groups that free most, with their pictures, the evidence, and why the keeper stays.

    Args:
        report: What to show.
        thumbnail: Gives WebP bytes for a digest, or None: then the page says that there is no preview.
    """
    previews = Previews(thumbnail)
    table = table_markup(groups_table(report, previews.small), stacks=True) if len(report.groups) > 1 else ""
    return _section("groups", report, table, picture=previews.data, previews=previews)


def coverage_section(report: SavingsReport) -> Section:
    """What became of every file, and why some were not analysed."""
    return _section("coverage", report, table_markup(reasons_table(report), stacks=True))


def withheld_section(report: SavingsReport) -> Section:
    """How many matches are not proposed, by reason."""
    return _section("withheld", report, table_markup(withheld_table(report), stacks=True))


def method_section(report: SavingsReport) -> Section:
    """The rule, the versions, the runs and the lineage behind the numbers."""
    lineage = table_markup(lineage_table(report), stacks=True) if report.lineage else ""
    table = table_markup(runs_table(report), stacks=True)
    return _section("method", report, table, lineage=drawn(lineage), common=lineage_common(report))


def _breakdown(name: str, heading: str, lines: Sequence[BreakdownLine]) -> Markup:
    if not lines:
        return drawn("")
    return drawn(table_markup(breakdown_table(name.replace("_", "-"), heading, lines), stacks=True))


def _hidden(report: SavingsReport, name: str) -> int:
    return max(0, len(getattr(report, name)) - MAX_ROWS)


def _section(
    part: str, report: SavingsReport, table: str = "", figure: Figure | None = None, **values: object
) -> Section:
    return section_of(
        _TEMPLATE,
        part,
        report=report,
        table=drawn(table),
        figure=drawn(figure._repr_html_()) if figure is not None else "",
        says=figure.says if figure is not None else "",
        shown_pictures=_SHOWN_PICTURES,
        shown_members=_SHOWN_MEMBERS,
        max_rows=MAX_ROWS,
        **values,
    )
