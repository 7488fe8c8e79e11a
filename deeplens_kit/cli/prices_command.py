"""`deeplens prices`: an example of a price book, and what a book says of the workspace's locations.

Takes a file, gives its text or what each location would be priced with; must not price anything or change the book.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.location_commands import NO_LOCATIONS
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.errors import UnknownNameError
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    from deeplens_kit.pipeline import PriceCheck

__all__ = ["check", "example"]

_EXAMPLE = "prices.example.yaml"


def example(as_json: Json = False, csv: Csv = None) -> None:
    """Print a price book to fill in: every key with its meaning. Its numbers are examples and nobody's prices."""
    check_outputs(csv)
    import polars as pl

    from deeplens_kit.reporting.bundled import bundled

    text = (bundled("data") / _EXAMPLE).read_text(encoding="utf-8")
    rows = pl.DataFrame({"name": [_EXAMPLE], "text": [text]})
    give(Answer("prices example", rows, None, closing=text.splitlines()), as_json=as_json, csv=csv)


def check(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A price book; by default prices.yaml of the workspace.")
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Say what each location would be priced with; ends with code 2 where the name of one is misspelt."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit.pipeline import PRICES_FILE, check_prices, read_price_book

        path = file if file is not None else workspace.directory / PRICES_FILE
        book = read_price_book(path)
        checked = check_prices(workspace, book)
        active = len(workspace.ledger.locations())
    rows = checked.rows

    def show() -> Sheet:
        headings = (
            "location",
            "priced by",
            "class",
            f"{book.currency} a GB-month",
            "saves after removal",
            "not stated",
        )
        columns = [
            Column(heading, "right" if "month" in heading else "left", fold=heading == "not stated")
            for heading in headings
        ]
        lines = [
            (
                shown(row["location"]) + ("" if row["active"] else " (deactivated)"),
                "nothing" if row["entry"] is None else shown(row["entry"]),
                shown(row["storage_class"] or ""),
                row["storage_per_gb_month"] or "",
                "" if row["storage_per_gb_month"] is None else _begins(row["kept_days"]),
                (row["not_stated"] or "").replace(",", ", "),
            )
            for row in rows.iter_rows(named=True)
        ]
        return Sheet(columns, lines, NO_LOCATIONS)

    summary = {
        "file": shown(str(path)),
        "currency": book.currency,
        "locations": active,
        "unpriced": list(checked.unpriced),
        "unknown": [name for name, _ in checked.unknown],
    }
    answer = Answer("prices check", rows, show, summary, [*_closing(checked, active)])
    give(answer, as_json=as_json, csv=csv)
    for name, near in checked.unknown:
        if near:
            raise UnknownNameError(
                f"location for an entry of {str(path)!r}", name, [near], advice="see `deeplens locations list`."
            )


def _begins(kept_days: int | None) -> str:
    return "never: kept as versions" if kept_days is None else f"from day {kept_days}" if kept_days else "at once"


def _closing(checked: PriceCheck, active: int) -> Iterator[str]:
    if active:
        yield f"{active - len(checked.unpriced)} of {plural(active, 'active location')} can be priced."
    if checked.unpriced:
        yield f"No price of storage: {', '.join(map(shown, checked.unpriced))}."
    strange = [name for name, near in checked.unknown if not near]
    if strange:
        yield f"In the book, and no location of this workspace: {', '.join(map(shown, strange))}."
