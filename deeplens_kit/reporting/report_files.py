"""The numbers of a report as files: JSON, Parquet, CSV and an Excel workbook, all of the same numbers.

Takes frames and a document, and a folder that exists; writes the files that `file_endings` names into it and no others.
Must not compute. JSON and Parquet are exact and for programs; CSV and Excel are for spreadsheets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import polars as pl

from deeplens_kit.reporting.exact_values import plain_rows
from deeplens_kit.reporting.spreadsheet import csv_table, workbook

__all__ = ["file_endings", "is_numbers", "outdated_files", "save_report_files"]

# What Chromium writes into what it prints, and we into a draft of a mail.
_OF_A_PDF, _OF_A_MAIL = b"Skia/PDF", b"X-Unsent: 1"
_LOOKED_AT = 4096
_ALL = (".json", ".parquet", ".csv", ".xlsx")
# More tables, by the name of the report.
_MORE: Mapping[str, tuple[str, ...]] = {
    "savings": ("-groups.parquet",),
    "coverage": ("-failures.parquet",),
    "evidence": ("-labels.parquet",),
}


def file_endings(name: str) -> tuple[str, ...]:
    """What the files of a report are called after their common name."""
    return (*_ALL, *_MORE.get(name, ()))


def is_numbers(file: Path, name: str) -> bool:
    """Whether a file begins as the JSON of a report does.

    Args:
        file: It need not exist.
        name: Of the report.
    """
    beginning = f'{{\n"command": "{name}",'.encode()
    try:
        with file.open("rb") as stream:
            return stream.read(len(beginning)) == beginning
    except OSError:
        return False


def outdated_files(name: str, out: Path, *, pdf: bool, mail: bool) -> list[Path]:
    """The PDF and the mail of the report before, where this one comes without: beside a new page they would tell lies.

    Args:
        name: Of the report.
        out: Its page.
        pdf: A PDF is made, and replaces what is there.
        mail: Likewise a mail.

    Returns:
        Files that a report of this kind left there. What somebody else put there under such a name is not among them:
        the numbers beside it are no report's of this kind, or it is not printed or written as we do it.
    """
    if not is_numbers(out.with_name(f"{out.stem}.json"), name):
        return []
    found = []
    for ending, wanted, mark in ((".pdf", pdf, _OF_A_PDF), (".eml", mail, _OF_A_MAIL)):
        file = out.with_name(out.stem + ending)
        if not wanted and file.is_file() and not file.is_symlink() and mark in _ends(file):
            found.append(file)
    return found


def _ends(file: Path) -> bytes:
    """The first and the last bytes of a file; none where it cannot be read."""
    try:
        with file.open("rb") as stream:
            first = stream.read(_LOOKED_AT)
            stream.seek(max(0, file.stat().st_size - _LOOKED_AT))
            return first + stream.read(_LOOKED_AT)
    except OSError:
        return b""


def save_report_files(
    name: str,
    folder: Path | str,
    document: Iterable[str],
    rows: pl.DataFrame,
    sheets: Mapping[str, pl.DataFrame],
    made_at: datetime,
    more: Mapping[str, pl.DataFrame] | None = None,
) -> None:
    """Write the numbers of a report into a folder.

    Args:
        name: Of the report.
        folder: A folder that exists; an empty text writes nothing.
        document: As `json_document` gives it, of the command that the report is called after.
        rows: The main table.
        sheets: Tables of the workbook.
        made_at: When the numbers were read.
        more: Further tables by their ending, as `file_endings` has them.

    Raises:
        ExtraMissingError: XlsxWriter is not installed.
    """
    if not folder:
        return
    place = Path(folder)
    (place / f"{name}.json").write_text("".join(document), encoding="utf-8", errors="backslashreplace")
    plain_rows(rows).write_parquet(place / f"{name}.parquet")
    (place / f"{name}.csv").write_bytes(csv_table(rows))
    (place / f"{name}.xlsx").write_bytes(workbook(sheets, made_at))
    for ending, frame in (more or {}).items():
        plain_rows(frame).write_parquet(place / f"{name}{ending}")
