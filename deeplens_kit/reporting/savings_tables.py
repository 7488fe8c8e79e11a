"""The tables of the savings report, made with great-tables.

Takes a described report, gives tables whose every text is escaped; must not compute a number. A table shows by itself
in a notebook; in a page it takes on the page's own style.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.reporting.savings_report import AmountLine, SavingsReport
from deeplens_kit.reporting.words import format_bytes, format_count, tier_words

if TYPE_CHECKING:
    from great_tables import GT

__all__ = [
    "locations_table",
    "reasons_table",
    "runs_table",
    "table_markup",
    "tiers_table",
    "withheld_table",
]

_RIGHT = ("Files", "Size", "Can be freed", "Matches")
# great-tables writes a style sheet of 9 kB before each table, some of whose rules hold for the whole page.
# A cell names its heading by the table's name and the heading's words.
_HEADERS = re.compile(r'(?<=<td )headers="[a-z-]+-([A-Z][^"]*)"')
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)


def tiers_table(report: SavingsReport) -> GT:
    """What each strength of evidence would free."""
    names = [(line.name, tier_words(line.name)) for line in report.by_tier]
    return _amounts_table("by-tier", ("Evidence", "Meaning"), names, report.by_tier, report)


def locations_table(report: SavingsReport) -> GT:
    """What each location would get back."""
    names = [(line.name,) for line in report.by_location]
    return _amounts_table("by-location", ("Location",), names, report.by_location, report)


def reasons_table(report: SavingsReport) -> GT:
    """Why objects were not analysed, with a few of them."""
    rows = [
        (line.location, line.reason, format_count(line.objects), format_bytes(line.bytes), ", ".join(line.examples))
        for line in report.reasons
    ]
    return _table("not-analysed", ("Location", "Reason", "Files", "Size", "For example"), rows)


def withheld_table(report: SavingsReport) -> GT:
    """Why matches are not proposed."""
    rows = [(line.reason, line.tier, format_count(line.matches)) for line in report.withheld]
    return _table("withheld", ("Reason", "Evidence", "Matches"), rows)


def runs_table(report: SavingsReport) -> GT:
    """The runs that the numbers rest on."""
    rows = [
        (
            run.kind if not run.location else f"{run.kind} {run.location}",
            run.finished_at.astimezone(report.made_at.tzinfo).strftime("%Y-%m-%d %H:%M") if run.finished_at else "",
            run.state,
            run.run_id,
        )
        for run in report.runs
    ]
    return _table("runs", ("Run", "Ended", "State", "Id"), rows)


def table_markup(table: GT, *, stacks: bool = False) -> str:
    """A table as HTML for a page that brings the style itself.

    Args:
        table: One of the above.
        stacks: On a narrow screen a row becomes a block, each value beside its heading.
    """
    html = _STYLE.sub("", table.as_raw_html())
    if not stacks:
        return html
    html = html.replace('<table class="', '<table class="stack ', 1)
    return _HEADERS.sub(lambda match: f'{match[0]} data-label="{match[1].replace("-", " ")}"', html)


def _amounts_table(
    name: str,
    headings: Sequence[str],
    names: Sequence[Sequence[str]],
    lines: Sequence[AmountLine],
    report: SavingsReport,
) -> GT:
    from great_tables import loc, style

    rows = [
        (*label, format_count(line.objects), format_bytes(line.gross_bytes), format_bytes(line.realisable_bytes))
        for label, line in zip(names, lines, strict=True)
    ]
    totals = report.totals
    sums = (format_count(totals.objects), format_bytes(totals.gross_bytes), format_bytes(totals.realisable_bytes))
    rows.append(("Total", *[""] * (len(headings) - 1), *sums))
    table = _table(name, (*headings, "Files", "Size", "Can be freed"), rows)
    return table.tab_style(style=style.text(weight="bold"), locations=loc.body(rows=[len(rows) - 1]))


def _table(name: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> GT:
    try:
        from great_tables import GT
    except ModuleNotFoundError as error:
        raise ExtraMissingError("A report", "workbench") from error

    frame = pl.DataFrame(list(rows), schema=dict.fromkeys(headings, pl.String), orient="row")
    right = [heading for heading in headings if heading in _RIGHT]
    left = [heading for heading in headings if heading not in _RIGHT]
    table = GT(frame, id=name).cols_align("left", columns=left)
    return table.cols_align("right", columns=right) if right else table
