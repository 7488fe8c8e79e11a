"""Tables for a spreadsheet: an Excel workbook, and CSV that is safe to open in one.

Takes frames by the name of their sheet, gives bytes; must not round or choose rows. A text stays a text whatever it
begins with: a file called `=1+1.jpg` is no formula, and nothing becomes a link or a number by its looks.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime

import polars as pl

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.reporting.exact_values import plain_rows

__all__ = ["MOST_ROWS", "csv_table", "workbook"]

MOST_ROWS = 1_048_575
"""Rows of a sheet below its heading (Excel specifications and limits)."""

# The same: characters of a cell.
_LONGEST_TEXT = 32_767
# What a spreadsheet takes for the beginning of a formula, or cuts off to find one (OWASP, CSV injection).
_FORMULA = r"^[=+\-@\t\r\n]"
# Neither a formula nor a link nor a number is made of a text.
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": True,
}
# Characters that XML, which a workbook is made of, cannot hold (XML 1.0, 2.2).
_UNWRITABLE = "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"


def workbook(sheets: Mapping[str, pl.DataFrame], made_at: datetime) -> bytes:
    """An Excel workbook.

    Args:
        sheets: Frames by name, at most 31 characters; of a longer frame than a sheet holds the first rows are there.
        made_at: Noted as the time of its making.

    Raises:
        ExtraMissingError: XlsxWriter is not installed.
    """
    try:
        from xlsxwriter import Workbook
    except ModuleNotFoundError as error:
        raise ExtraMissingError("A report", "workbench") from error

    stream = io.BytesIO()
    with Workbook(stream, _OPTIONS) as book:
        book.set_properties({"created": made_at.replace(tzinfo=None), "comments": "Made by DeepLens"})
        for name, frame in sheets.items():
            cells(frame).head(MOST_ROWS).write_excel(
                book,
                name,
                header_format={"bold": True},
                column_formats={key: "#,##0" for key, kind in frame.schema.items() if kind.is_integer()},
                freeze_panes=(1, 0),
                autofit=frame.height <= 10_000,
            )
    return stream.getvalue()


def cells(frame: pl.DataFrame) -> pl.DataFrame:
    """Values as cells hold them: times with a zone as texts, lists joined, texts cut where a cell ends."""
    plain = _flat(plain_rows(frame))
    texts = [name for name, kind in plain.schema.items() if kind == pl.String()]
    return plain.with_columns(
        pl.col(name).str.replace_all(_UNWRITABLE, "\ufffd").str.slice(0, _LONGEST_TEXT) for name in texts
    )


def csv_table(frame: pl.DataFrame) -> bytes:
    """A table as CSV that a spreadsheet may open: a text that would be a formula there has an apostrophe before it.

    Args:
        frame: The exact values are in other files; here a few texts are changed.
    """
    plain = _flat(plain_rows(frame))
    texts = [name for name, kind in plain.schema.items() if kind == pl.String()]
    guarded = plain.with_columns(
        pl.when(pl.col(name).str.contains(_FORMULA)).then("'" + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name in texts
    )
    return guarded.write_csv().encode("utf-8")


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    times = [pl.col(name).dt.to_string("iso:strict") for name, kind in frame.schema.items() if kind == pl.Datetime]
    lists = [pl.col(name).list.join(", ") for name, kind in frame.schema.items() if kind == pl.List(pl.String())]
    return frame.with_columns(*times, *lists)
