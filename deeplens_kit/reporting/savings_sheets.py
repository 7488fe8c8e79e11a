"""The tables behind the savings report with exact values: the sheets of its workbook and the lists of its JSON.

Takes a described report, gives frames; must not round or compute. Money is text, which keeps every digit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from deeplens_kit.reporting.report_figures import kpi_of
from deeplens_kit.reporting.savings_report import SavingsReport

__all__ = ["lines_frame", "savings_lists", "savings_sheets"]

_TEXT, _INT, _FLOAT = pl.String(), pl.Int64(), pl.Float64()
_AMOUNT = {"name": _TEXT, "groups": _INT, "objects": _INT, "gross_bytes": _INT, "realisable_bytes": _INT}
_BREAKDOWN = {
    "name": _TEXT, "objects": _INT, "gross_bytes": _INT, "realisable_bytes": _INT, "money": _TEXT, "share": _FLOAT,
}  # fmt: skip
_OVERLAP = {
    "folder_a": _TEXT, "folder_b": _TEXT, "share": _FLOAT, "pictures": _INT, "pictures_a": _INT, "bytes": _INT,
}  # fmt: skip
_SCENARIO = {
    "rule": _TEXT, "policy": _TEXT, "groups": _INT, "objects": _INT, "realisable_bytes": _INT, "money": _TEXT,
    "precision_low": _FLOAT, "precision_high": _FLOAT, "in_use": pl.Boolean(),
}  # fmt: skip
_PAYBACK = {
    "location": _TEXT, "objects": _INT, "read_bytes": _INT, "cost": _TEXT, "per_month": _TEXT, "months": _INT,
}  # fmt: skip
_CHANGE = {"name": _TEXT, "objects": _INT, "bytes": _INT}
_FIGURE = {"name": _TEXT, "before": _TEXT, "now": _TEXT}
_LINEAGE = {
    "number": _TEXT, "value": _TEXT, "formula": _TEXT, "rule": _TEXT, "labels": _INT, "labels_digest": _TEXT,
    "catalog": _TEXT, "objects": _INT, "run_ids": pl.List(pl.String()),
}  # fmt: skip
_BREAKDOWNS = {
    "by_folder": "Folders",
    "by_owner": "Owners",
    "by_format": "Formats",
    "by_age": "Ages",
    "by_storage_class": "Storage classes",
}
# Of a workbook that people open: beyond it Parquet is the better file.
_MOST_MEMBERS = 100_000


def lines_frame(lines: Iterable[object], columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Lines of a report as a frame.

    Args:
        lines: Values with an attribute for each column.
        columns: Names and types; a text column takes any value.
    """
    rows = [tuple(_value(getattr(line, name), kind) for name, kind in columns.items()) for line in lines]
    return pl.DataFrame(rows, schema=pl.Schema(columns), orient="row")


def savings_lists(report: SavingsReport) -> dict[str, pl.DataFrame]:
    """The further lists of the report's JSON: equal for two reports of an unchanged workspace on one day."""
    parts = {name: lines_frame(getattr(report, name), _BREAKDOWN) for name in _BREAKDOWNS}
    return {
        "coverage": report.coverage_rows,
        "withheld": _withheld(report),
        **parts,
        "overlaps": lines_frame(report.overlaps, _OVERLAP),
        "scenarios": lines_frame(report.scenarios, _SCENARIO),
        "payback": lines_frame(report.payback.lines if report.payback is not None else (), _PAYBACK),
    }


def savings_sheets(report: SavingsReport) -> dict[str, pl.DataFrame]:
    """The sheets of the workbook by their names; one without rows is left out, but for the numbers themselves."""
    lists = savings_lists(report)
    parts = {
        "Summary": _summary(report),
        "Locations and tiers": report.numbers.rows,
        "Tiers": lines_frame(report.by_tier, _AMOUNT),
        "Locations": lines_frame(report.by_location, _AMOUNT),
        **{title: lists[name] for name, title in _BREAKDOWNS.items()},
        "Overlaps": lists["overlaps"],
        "Scenarios": lists["scenarios"],
        "Payback": lists["payback"],
        "New since then": lines_frame(report.change.new_by_folder if report.change else (), _CHANGE),
        "Figures since then": lines_frame(report.change.figures if report.change else (), _FIGURE),
        "Groups": report.members.head(_MOST_MEMBERS),
        "Coverage": report.coverage_rows,
        "Withheld": lists["withheld"],
        "History": _history(report),
        "Lineage": lines_frame(report.lineage, _LINEAGE),
    }
    always = ("Summary", "Locations and tiers", "Coverage")
    return {name: frame for name, frame in parts.items() if name in always or frame.height}


def _value(value: Any, kind: pl.DataType) -> Any:
    if isinstance(kind, pl.List):
        return list(value)
    return None if value is None else str(value) if kind == _TEXT else value


def _withheld(report: SavingsReport) -> pl.DataFrame:
    return lines_frame(report.withheld, {"tier": _TEXT, "reason": _TEXT, "matches": _INT})


def _summary(report: SavingsReport) -> pl.DataFrame:
    """Every figure of the headline with its exact value; what is no number is told as a text."""
    figures: dict[str, object] = {
        "workspace": report.workspace,
        "made_at": report.made_at.isoformat(),
        "deeplens": report.version,
        "rule": report.rule,
        **{name: value for name, value in report.numbers.summary.items() if name != "notes"},
    }
    if report.interval is not None:
        kept = ("low_bytes", "high_bytes", "confidence", "precision", "precision_lower", "labels")
        figures |= {f"interval_{name}": getattr(report.interval, name) for name in kept}
    rows: list[tuple[str, str | None, float | None]] = [
        (name, None, float(value))
        if isinstance(value, int | float) and not isinstance(value, bool)
        else (name, None if value is None else str(value), None)
        for name, value in figures.items()
    ]
    rows += [("note", note, None) for note in report.notes]
    return pl.DataFrame(rows, schema={"figure": _TEXT, "text": _TEXT, "number": _FLOAT}, orient="row")


def _history(report: SavingsReport) -> pl.DataFrame:
    if not report.history:
        return pl.DataFrame(schema={"at": _TEXT})
    now = kpi_of(report)
    names: Sequence[str] = [name for name, value in now.items() if isinstance(value, int)]
    points = [*((point.at, point.figures) for point in report.history), (report.made_at, now)]
    rows = [(at.isoformat(), *(_whole(kept.get(name)) for name in names)) for at, kept in points]
    return pl.DataFrame(rows, schema={"at": _TEXT, **dict.fromkeys(names, _INT)}, orient="row")


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
