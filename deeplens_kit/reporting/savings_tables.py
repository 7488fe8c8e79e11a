"""The tables of the savings report: which columns each has, and what stands in them.

Takes a described report, gives tables whose every text is escaped; must not compute a number. Of long tables the first
rows are shown: the workbook beside the page holds them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from deeplens_kit.reporting.report_lines import BreakdownLine, ChangeLine, LineageLine, ScenarioLine
from deeplens_kit.reporting.report_tables import Drawn, bar, report_table, small_picture, sparkline, table_markup
from deeplens_kit.reporting.savings_report import AmountLine, SavingsReport
from deeplens_kit.reporting.words import format_bytes, format_count, format_percent, place_words, plural, tier_words

if TYPE_CHECKING:
    from great_tables import GT

__all__ = [
    "MAX_ROWS",
    "breakdown_table",
    "change_lines_table",
    "groups_table",
    "lineage_common",
    "lineage_table",
    "locations_table",
    "overlaps_table",
    "reasons_table",
    "runs_table",
    "scenarios_table",
    "table_markup",
    "tiers_table",
    "withheld_table",
]

MAX_ROWS = 25
"""Rows of a table of the page, at most; a total and what is not shown are told besides."""

# Each with a small picture; the groups themselves follow.
_MAX_LARGEST = 50
# Columns of a table that a page is wide enough for.
_MAX_POLICIES = 5
_RIGHT = ("Files", "Size", "Can be freed", "Matches", "A month", "Pictures", "Groups")


def tiers_table(report: SavingsReport) -> GT:
    """What each strength of evidence would free."""
    names = [(line.name, tier_words(line.name)) for line in report.by_tier]
    return _amounts_table("by-tier", ("Evidence", "Meaning"), names, report.by_tier, report)


def locations_table(report: SavingsReport) -> GT:
    """What each location would get back."""
    shown = report.by_location[:MAX_ROWS]
    return _amounts_table("by-location", ("Location",), [(line.name,) for line in shown], shown, report)


def breakdown_table(name: str, heading: str, lines: Sequence[BreakdownLine]) -> GT:
    """What each folder, owner, format, age or storage class would get back.

    Args:
        name: Of the table: lower-case letters and dashes.
        heading: What the lines have in common.
        lines: The lines; columns that none of them fills are left out.
    """
    columns: dict[str, Callable[[BreakdownLine], str]] = {
        heading: lambda line: place_words(line.name) if heading == "Folder" else line.name,
        "Files": lambda line: format_count(line.objects),
        "Can be freed": lambda line: format_bytes(line.realisable_bytes),
    }
    if any(line.share for line in lines):
        columns["Share"] = lambda line: bar(line.share, _share(line.share))
    if any(line.money for line in lines):
        columns["A month"] = lambda line: line.money_words or "no price"
    if any(any(line.spark) for line in lines):
        columns["By age"] = lambda line: sparkline(line.spark, f"{line.name}: can be freed by age, the oldest first")
    rows = [tuple(cell(line) for cell in columns.values()) for line in lines[:MAX_ROWS]]
    return report_table(name, tuple(columns), rows, numbers=_RIGHT)


def overlaps_table(report: SavingsReport) -> GT:
    """Which folders others hold as well."""
    rows = [
        (
            place_words(line.folder_a, with_all=True),
            bar(line.share, _share(line.share)),
            place_words(line.folder_b, with_all=True),
            f"{format_count(line.pictures)} of {format_count(line.pictures_a)}" if line.pictures_a
            else format_count(line.pictures),
            format_bytes(line.bytes),
        )
        for line in report.overlaps[:MAX_ROWS]
    ]  # fmt: skip
    return report_table("overlaps", ("Folder", "Contained", "In", "Pictures", "Size"), rows, numbers=_RIGHT)


def scenarios_table(report: SavingsReport) -> GT:
    """What other rules and policies would come to: a row for each rule, and of several policies a column for each."""
    lines = report.scenarios
    policies = list(dict.fromkeys(line.policy for line in lines))[:_MAX_POLICIES]
    if len(policies) == 1:
        return _rules_table(lines)
    found = {(line.rule, line.policy): line for line in lines}
    judged = {line.rule: line for line in lines if line.precision_low is not None}
    headings = ["Rule", *(f"Policy {name}" for name in policies), *(["Precision"] if judged else [])]
    rows = []
    for rule in list(dict.fromkeys(line.rule for line in lines))[:MAX_ROWS]:
        cells: list[str] = [rule, *(_scenario(found.get((rule, policy))) for policy in policies)]
        rows.append([*cells, *([_precision(judged.get(rule))] if judged else [])])
    return report_table("scenarios", headings, rows)


def _rules_table(lines: Sequence[ScenarioLine]) -> GT:
    """What other rules would come to, with bars."""
    most = max((line.realisable_bytes for line in lines), default=0)
    judged = any(line.precision_low is not None for line in lines)
    priced = any(line.money for line in lines)
    headings = ["Rule", "Groups", "Files", "Can be freed", *["A month"] * priced, *["Precision"] * judged]
    rows = [
        [
            f"{line.rule} (this report)" if line.in_use else line.rule,
            format_count(line.groups),
            format_count(line.objects),
            bar(line.realisable_bytes / most if most else 0.0, format_bytes(line.realisable_bytes)),
            *[line.money_words or "no price"] * priced,
            *[_precision(line)] * judged,
        ]
        for line in lines[:MAX_ROWS]
    ]
    strong = [at for at, line in enumerate(lines[:MAX_ROWS]) if line.in_use]
    return report_table("scenarios", headings, rows, numbers=("Groups", "Files", "A month"), strong=strong)


def _precision(line: ScenarioLine | None) -> str:
    if line is None or line.precision_low is None:
        return "not known"
    # The upper end is rounded up, so that the interval never looks narrower than it is.
    high = None if line.precision_high is None else math.ceil(line.precision_high * 1000 - 1e-6) / 1000
    between = (_share(line.precision_low), _share(high))
    return " to ".join(word.replace(" ", "\N{NO-BREAK SPACE}") for word in between)


def _scenario(line: ScenarioLine | None) -> Drawn:
    """What one rule with one policy frees; that of the report stands out."""
    if line is None:
        return Drawn("")
    files = plural(line.objects, "file")
    more = f"{files}, {line.money_words} a month" if line.money else files
    size = escape(format_bytes(line.realisable_bytes))
    here = ' <span class="chip keep">this report</span>' if line.in_use else ""
    freed = f"<strong>{size}</strong>{here}" if line.in_use else size
    return Drawn(f'<span class="scenario">{freed}<br><span class="quiet small">{escape(more)}</span></span>')


def groups_table(report: SavingsReport, thumbnail: Callable[[str], bytes | None]) -> GT:
    """The groups that free most at a glance, each with the picture that stays."""
    most = max((group.frees_bytes for group in report.groups), default=0)
    rows = []
    for group in report.groups[:_MAX_LARGEST]:
        keeper = next((picture for picture in group.pictures if picture.has_keeper), None)
        shown = small_picture(thumbnail(keeper.digest), group.title) if keeper is not None else small_picture(None, "")
        freed = bar(group.frees_bytes / most if most else 0.0, format_bytes(group.frees_bytes))
        copies = plural(group.removable, "copy", "copies")
        rows.append((shown, group.title, group.location, f"{copies} ({', '.join(group.tiers)})", freed))
    return report_table("largest", ("Picture", "Stays", "At", "Copies", "Frees"), rows)


def change_lines_table(name: str, heading: str, lines: Sequence[ChangeLine]) -> GT:
    """Objects that came or went, by what they have in common."""
    rows = [(line.name, format_count(line.objects), format_bytes(line.bytes)) for line in lines[:MAX_ROWS]]
    return report_table(name, (heading, "Files", "Size"), rows, numbers=_RIGHT)


def lineage_table(report: SavingsReport) -> GT:
    """Where each number comes from; what is the same of all of them is told by `lineage_common` instead."""
    columns: dict[str, Callable[[LineageLine], str]] = {
        "Number": lambda line: line.number,
        "Exactly": _exactly,
        "How": lambda line: line.formula,
        "Files": lambda line: format_count(line.objects),
        "Labels": lambda line: f"{line.labels:,} ({line.labels_digest})" if line.labels else "none",
    }
    shared = lineage_common(report)
    columns |= {name: told for name, told in _LINEAGE.items() if name not in shared}
    rows = [tuple(cell(line) for cell in columns.values()) for line in report.lineage]
    return report_table("lineage", tuple(columns), rows, numbers=("Files",))


def _exactly(line: LineageLine) -> str:
    """The exact value, its bytes with separators of thousands as everywhere on the page."""
    if not line.value.endswith(" bytes"):
        return line.value
    return " ".join(f"{int(word):,}" if word.isdigit() else word for word in line.value.split(" "))


def lineage_common(report: SavingsReport) -> dict[str, str]:
    """What all numbers have in common of where they come from, by its heading."""
    values = {name: {told(line) for line in report.lineage} for name, told in _LINEAGE.items()}
    return {name: next(iter(found)) for name, found in values.items() if len(found) == 1 and any(found)}


_LINEAGE: dict[str, Callable[[LineageLine], str]] = {
    "Rule": lambda line: line.rule,
    "Tables": lambda line: line.catalog,
    "Runs": lambda line: ", ".join(run[:8] for run in line.run_ids),
}


def reasons_table(report: SavingsReport) -> GT:
    """Why objects were not analysed, with a few of them."""
    rows = [
        (line.location, line.reason, format_count(line.objects), format_bytes(line.bytes), ", ".join(line.examples))
        for line in report.reasons[:MAX_ROWS]
    ]
    headings = ("Location", "Reason", "Files", "Size", "For example")
    return report_table("not-analysed", headings, rows, numbers=_RIGHT)


def withheld_table(report: SavingsReport) -> GT:
    """Why matches are not proposed."""
    rows = [(line.reason, line.tier, format_count(line.matches)) for line in report.withheld[:MAX_ROWS]]
    return report_table("withheld", ("Reason", "Evidence", "Matches"), rows, numbers=_RIGHT)


def runs_table(report: SavingsReport) -> GT:
    """The runs that the numbers rest on."""
    rows = [
        (
            run.kind if not run.location else f"{run.kind} {run.location}",
            run.finished_at.astimezone(report.made_at.tzinfo).strftime("%Y-%m-%d %H:%M") if run.finished_at else "",
            run.state,
            run.run_id,
        )
        for run in report.runs[-MAX_ROWS:]
    ]
    return report_table("runs", ("Run", "Ended", "State", "Id"), rows)


def _share(share: float | None) -> str:
    """A share of 0..1 as `format_percent` says it."""
    if share is None:
        return ""
    # A share that is too small by its binary form alone is not cut to the one below.
    return format_percent(int(share * 1_000_000 + 1e-3), 1_000_000).replace(".0 %", " %")


def _amounts_table(
    name: str,
    headings: Sequence[str],
    names: Sequence[Sequence[str]],
    lines: Sequence[AmountLine],
    report: SavingsReport,
) -> GT:
    totals = report.totals
    rows: list[tuple[str, ...]] = [
        (
            *label,
            format_count(line.objects),
            format_bytes(line.gross_bytes),
            format_bytes(line.realisable_bytes),
        )
        for label, line in zip(names, lines, strict=True)
    ]
    sums = (format_count(totals.objects), format_bytes(totals.gross_bytes), format_bytes(totals.realisable_bytes))
    rows.append(("Total", *[""] * (len(headings) - 1), *sums))
    return report_table(name, (*headings, "Files", "Size", "Can be freed"), rows, numbers=_RIGHT, last_is_total=True)
