"""Tables for people, on a terminal or in a pipe.

Takes columns of texts, prints them; must not compute. In a pipe every row is one line and nothing is cut, so that
`grep` finds what it looks for; on a terminal long names fold.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

__all__ = ["Column", "Sheet", "display_url", "place", "print_lines", "print_sheet", "shown"]


# Cells up to which columns are aligned in a pipe; what is longer sticks out of its column.
_WIDEST = 60


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, whether it holds numbers, and which of its texts to stress."""

    heading: str
    side: Literal["left", "right"] = "left"
    fold: bool = False
    style: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table, or the words for one that is empty.

    Attributes:
        columns: The columns.
        rows: A text for each column.
        when_empty: Said when there are no rows.
        sections: Rows before which a line is drawn on a terminal.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    when_empty: str
    sections: frozenset[int] = frozenset()


def shown(text: str) -> str:
    """A stored name or path on one line; see `display_path`."""
    # Imported here: the storages load polars, which help need not wait for.
    from deeplens_kit.storage.paths import display_path

    return display_path(text)


def place(location: str, path: str) -> str:
    """An object as people name it: location and path, on one line."""
    return f"{shown(location)}:{shown(path)}"


def display_url(url: str) -> str:
    """A location's URL as people name it: a folder of this machine by its path."""
    if not url.startswith("file://"):
        return shown(url)
    from deeplens_kit.storage.paths import encode_path

    return shown(encode_path(os.fsdecode(unquote_to_bytes(url.removeprefix("file://")))))


def print_sheet(sheet: Sheet) -> None:
    """Print a table to standard output."""
    if not sheet.rows:
        print_lines([sheet.when_empty])
    elif sys.stdout.isatty():
        _print_on_terminal(sheet)
    else:
        print_lines(_aligned(sheet))


def _print_on_terminal(sheet: Sheet) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in sheet.columns:
        table.add_column(
            Text(column.heading), justify=column.side, overflow="fold", no_wrap=not column.fold, style=column.style
        )
    for at, row in enumerate(sheet.rows):
        if at in sheet.sections and at > 0:
            table.add_section()
        # As Text: a name such as "[red]" or ":cat:" is no markup.
        table.add_row(*(Text(text) for text in row))
    Console(file=sys.stdout, highlight=False).print(table)


def _aligned(sheet: Sheet) -> Iterator[str]:
    """Every row on one line, in columns."""
    from rich.cells import cell_len

    rows = [[column.heading for column in sheet.columns], *sheet.rows]
    # One path of four thousand letters must not make every line as wide.
    widths = [min(_WIDEST, max(cell_len(row[at]) for row in rows)) for at in range(len(sheet.columns))]
    for row in rows:
        cells = []
        for column, text, width in zip(sheet.columns, row, widths, strict=True):
            blanks = " " * (width - cell_len(text))
            cells.append(blanks + text if column.side == "right" else text + blanks)
        yield "  ".join(cells).rstrip()


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of prose to standard output."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
