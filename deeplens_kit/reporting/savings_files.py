"""The numbers of the savings report as files: for the program that compares this Monday with the last one.

Takes a described report and a folder, writes three files into it; must not round, and writes nothing else.
`savings.json` and `savings.parquet` hold the rows of `deeplens savings`, the former with its summary, the coverage and
the runs as well; `savings-groups.parquet` holds every object of every group, as `deeplens duplicates --csv` does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from deeplens_kit.reporting.exact_values import json_document, plain_rows
from deeplens_kit.reporting.savings_money import MONEY_COLUMNS, add_up_money
from deeplens_kit.reporting.savings_numbers import SavingsNumbers
from deeplens_kit.reporting.savings_report import SavingsReport
from deeplens_kit.reporting.totals import CoverageTotals

__all__ = ["NUMBERS_ENDINGS", "is_numbers", "read_numbers", "save_numbers"]

NUMBERS_ENDINGS = (".json", ".parquet", "-groups.parquet")
"""What the files are called after their common name."""

_NAME = "savings"
_BEGINNING = b'{\n"command": "savings",'


def is_numbers(file: Path) -> bool:
    """Whether a file begins as the `savings.json` of a report does."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(_BEGINNING)) == _BEGINNING
    except OSError:
        return False


def save_numbers(report: SavingsReport, folder: Path | str) -> None:
    """Write the exact numbers of a report into a folder.

    Args:
        report: The report.
        folder: A folder that exists; an empty text writes nothing.
    """
    if not folder:
        return
    place = Path(folder)
    document = json_document(
        "savings",
        report.numbers.rows,
        {"coverage": report.coverage_rows, "withheld": _withheld(report)},
        report.numbers.summary,
        {"report": _about(report)},
    )
    (place / f"{_NAME}.json").write_text("".join(document), encoding="utf-8", errors="backslashreplace")
    plain_rows(report.numbers.rows).write_parquet(place / f"{_NAME}.parquet")
    plain_rows(report.members).write_parquet(place / f"{_NAME}-groups.parquet")


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


def _withheld(report: SavingsReport) -> pl.DataFrame:
    rows = [(line.tier, line.reason, line.matches) for line in report.withheld]
    return pl.DataFrame(rows, schema={"tier": pl.String, "reason": pl.String, "matches": pl.Int64}, orient="row")


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
