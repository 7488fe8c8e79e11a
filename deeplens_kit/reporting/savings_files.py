"""The numbers of the savings report as files: for the program that compares this Monday with the last one.

Takes a described report and a folder, writes its files into it; must not round, and writes nothing else.
`savings.json`, `.parquet` and `.csv` hold the rows of `deeplens savings`, the first with its summary and every other
table as well; `savings.xlsx` has a sheet for each table, and `savings-groups.parquet` every object of every group, as
`deeplens duplicates --csv` does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import polars as pl

from deeplens_kit.reporting.exact_values import json_document
from deeplens_kit.reporting.report_files import file_endings, save_report_files
from deeplens_kit.reporting.savings_money import MONEY_COLUMNS, add_up_money
from deeplens_kit.reporting.savings_numbers import SavingsNumbers
from deeplens_kit.reporting.savings_report import SavingsReport
from deeplens_kit.reporting.savings_sheets import savings_lists, savings_sheets
from deeplens_kit.reporting.totals import CoverageTotals

__all__ = ["NUMBERS_ENDINGS", "read_numbers", "save_numbers"]

_NAME = "savings"

NUMBERS_ENDINGS = file_endings(_NAME)
"""What the files are called after their common name."""


def save_numbers(report: SavingsReport, folder: Path | str) -> None:
    """Write the exact numbers of a report into a folder.

    Args:
        report: The report.
        folder: A folder that exists; an empty text writes nothing.

    Raises:
        ExtraMissingError: XlsxWriter is not installed.
    """
    if not folder:
        return
    document = json_document(
        _NAME, report.numbers.rows, savings_lists(report), report.numbers.summary, {"report": _about(report)}
    )
    more = {"-groups.parquet": report.members}
    sheets = savings_sheets(report)
    save_report_files(_NAME, folder, document, report.numbers.rows, sheets, report.made_at, more)


def read_numbers(file: Path) -> SavingsNumbers:
    """The sums of a `savings.json` that was written before, or of a report's own.

    Args:
        file: The file.
    """
    document = json.loads(file.read_text(encoding="utf-8"))
    summary = document["summary"]
    sizes = dict.fromkeys(("objects", "gross_bytes", "realisable_bytes"), pl.Int64())
    priced = MONEY_COLUMNS if "currency" in summary else {}
    rows = pl.DataFrame(document["rows"], schema={"location": pl.String(), "tier": pl.String(), **sizes, **priced})
    return SavingsNumbers(
        rows=rows,
        objects=summary["objects"],
        gross_bytes=summary["gross_bytes"],
        realisable_bytes=summary["realisable_bytes"],
        covered=CoverageTotals(summary["found_objects"], 0, summary["analysed_objects"], 0),
        current=summary["current"],
        notes=tuple(summary["notes"]),
        money=add_up_money(rows),
    )


def _about(report: SavingsReport) -> Mapping[str, object]:
    """How the numbers came about: all that may differ between two reports with equal numbers."""
    return {
        "workspace": report.workspace,
        "made_at": report.made_at,
        "deeplens": report.version,
        "python": sys.version.split()[0],
        "rule": report.rule,
        "features": list(report.features),
        "groups": report.totals.groups,
        "interval": asdict(report.interval) if report.interval is not None else None,
        "change": asdict(report.change) if report.change is not None else None,
        "history": [{"at": point.at, "figures": dict(point.figures)} for point in report.history],
        "lineage": [asdict(line) for line in report.lineage],
        "runs": [
            {
                "kind": run.kind,
                "location": run.location,
                "run_id": run.run_id,
                "state": run.state,
                "finished_at": run.finished_at,
            }
            for run in report.runs
        ],
    }
