"""Tables for people, on a terminal or in a pipe.

Takes columns of texts, prints them; must not compute. In a pipe every row is one line and nothing is cut, so that
`grep` finds what it looks for; on a terminal long names fold, and a table that is too wide for it is told row by row.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Column", "Sheet", "display_url", "place", "print_lines", "print_sheet", "shown"]


# Cells up to which columns are aligned in a pipe; what is longer sticks out of its column.
_WIDEST = 60
# A column that folds has so much room at least; below that its words fall apart.
_NARROWEST = 18
# Between two columns of a table on a terminal, and around all of them.
_GAP, _EDGES = 3, 2


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

    console = Console(file=sys.stdout, highlight=False)
    if _room_for(sheet) > console.width:
        _print_row_by_row(sheet, console)
        return
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
    console.print(table)


def _room_for(sheet: Sheet) -> int:
    """How wide a terminal must be for a table in which no number is cut."""
    from rich.cells import cell_len

    needed = _EDGES + _GAP * (len(sheet.columns) - 1)
    for at, column in enumerate(sheet.columns):
        width = max(cell_len(text) for text in (column.heading, *(row[at] for row in sheet.rows)))
        needed += min(width, _NARROWEST) if column.fold else width
    return needed


def _print_row_by_row(sheet: Sheet, console: Console) -> None:
    """Every row as a line of what is short, with its heading before each, and a line for each text that folds."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    for at, row in enumerate(sheet.rows):
        if at in sheet.sections and at > 0:
            console.print()
        cells = [(column, text) for column, text in zip(sheet.columns, row, strict=True) if text]
        short = [f"{column.heading} {text}" for column, text in cells if not column.fold]
        for line in _packed(short, console.width):
            console.print(Text(line, style="bold", overflow="fold"))
        grid = Table.grid(padding=(0, 2))
        for column, text in cells:
            if column.fold:
                grid.add_row(Text(column.heading, no_wrap=True), Text(text, style=column.style, overflow="fold"))
        if grid.row_count:
            console.print(Padding(grid, (0, 0, 0, 2)))


def _packed(texts: Sequence[str], width: int) -> list[str]:
    """Texts on as few lines as they fit on, none of them broken that is not wider itself."""
    from rich.cells import cell_len

    lines: list[str] = []
    for text in texts:
        if lines and cell_len(lines[-1]) + 2 + cell_len(text) <= width:
            lines[-1] += f"  {text}"
        else:
            lines.append(text)
    return lines


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
