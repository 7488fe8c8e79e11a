"""Tables of reports, made with great-tables: texts, numbers, bars, sparklines and small pictures.

Takes headings and rows, gives tables whose every text is escaped; must not compute a number. A table shows by itself in
a notebook; in a page it takes on the page's own style, and its drawings follow the page's colours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.reporting.templating import picture_data

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["Drawn", "bar", "report_table", "small_picture", "sparkline", "table_markup"]

# great-tables writes a style sheet of 9 kB before each table, some of whose rules hold for the whole page.
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
# A cell names its heading by the heading's id.
_HEADING = re.compile(r'<th [^>]*\bid="([^"]*)"[^>]*>(.*?)</th>', re.DOTALL)
_CELL = re.compile(r'<td (?:style="[^"]*" )?headers="([^"]*)"')
# Of a sparkline, in its own units: a bar, the space after it, and the height of all.
_BAR, _GAP, _HEIGHT = 6, 2, 18


class Drawn(str):
    """HTML of our own making as the content of a cell: whatever was a text in it is escaped."""

    __slots__ = ()


def bar(share: float, words: str) -> Drawn:
    """A share as a bar with its number.

    Args:
        share: 0..1.
        words: The same for people.
    """
    width = max(0.0, min(1.0, share)) * 100
    inner = f'<i style="width: {width:.1f}%"></i>' if width else ""
    drawn = f'<span class="share">{inner}</span>'
    return Drawn(f'<span class="share-cell">{drawn} <span class="share-words">{escape(words)}</span></span>')


def sparkline(values: Sequence[float], says: str) -> Drawn:
    """A row of small bars, the highest as high as the line.

    Args:
        values: >= 0, in their order; none, or zeros alone, draw nothing.
        says: What they are, for those who do not see them.
    """
    most = max(values, default=0)
    if most <= 0:
        return Drawn("")
    width = len(values) * (_BAR + _GAP) - _GAP
    bars = []
    for at, value in enumerate(values):
        # What is there at all is seen.
        height = max(1.5, value / most * _HEIGHT) if value > 0 else 0.75
        look = ' class="none"' if value <= 0 else ""
        bars.append(
            f'<rect{look} x="{at * (_BAR + _GAP)}" y="{_HEIGHT - height:.1f}" width="{_BAR}" height="{height:.1f}"/>'
        )
    return Drawn(
        f'<svg class="spark" role="img" aria-label="{escape(says)}" viewBox="0 0 {width} {_HEIGHT}" width="{width}" '
        f'height="{_HEIGHT}">{"".join(bars)}</svg>'
    )


def small_picture(content: bytes | None, says: str) -> Drawn:
    """A preview as the content of a cell.

    Args:
        content: WebP; None where there is no preview.
        says: What it shows.
    """
    source = picture_data(content)
    if not source:
        return Drawn('<span class="thumb none">No preview</span>')
    return Drawn(f'<span class="thumb"><img src="{source}" alt="{escape(says)}" decoding="async"></span>')


def report_table(
    name: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    last_is_total: bool = False,
    strong: Sequence[int] = (),
) -> GT:
    """A table.

    Args:
        name: Unlike that of any other table of the page: lower-case letters and dashes.
        headings: Of the columns.
        rows: Texts, or what was drawn for a cell.
        numbers: Headings of columns that stand right.
        last_is_total: The last row adds up the others.
        strong: Rows that stand out, from 0.

    Raises:
        ExtraMissingError: great-tables is not installed.
    """
    try:
        from great_tables import GT, loc, style
    except ModuleNotFoundError as error:
        raise ExtraMissingError("A report", "workbench") from error

    drawn = {at for at in range(len(headings)) if any(isinstance(row[at], Drawn) for row in rows)}
    # What is formatted below is not escaped again.
    texts = [
        [escape(cell) if at in drawn and not isinstance(cell, Drawn) else str(cell) for at, cell in enumerate(row)]
        for row in rows
    ]
    frame = pl.DataFrame(texts, schema=dict.fromkeys(headings, pl.String), orient="row")
    right = [heading for heading in headings if heading in numbers]
    left = [heading for heading in headings if heading not in numbers]
    table = GT(frame, id=name).cols_align("left", columns=left)
    if right:
        table = table.cols_align("right", columns=right)
    if drawn:
        table = table.fmt(str, columns=[headings[at] for at in sorted(drawn)])
    bold = [*strong, *([len(rows) - 1] if last_is_total else [])]
    return table.tab_style(style=style.text(weight="bold"), locations=loc.body(rows=bold)) if bold else table


def table_markup(table: GT, *, stacks: bool = False) -> str:
    """A table as HTML for a page that brings the style itself.

    Args:
        table: As `report_table` makes it.
        stacks: On a narrow screen a row becomes a block, each value beside its heading.
    """
    html = _STYLE.sub("", table.as_raw_html())
    if not stacks:
        return html
    html = html.replace('<table class="', '<table class="stack ', 1)
    labels = dict(_HEADING.findall(html))
    return _CELL.sub(lambda match: f'{match[0]} data-label="{labels.get(match[1], "")}"', html)
