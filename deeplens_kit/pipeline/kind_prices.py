"""What freed bytes are worth, known beforehand for every place, storage class and age: a move then only adds up.

Takes files with their places and a price book, gives each file the number of its kind, and money for bytes by kind;
must not choose what goes. Money is that of `price_members`, digit for digit, at the day on which this was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.pipeline.price_file import PRICES_FILE, workspace_prices
from deeplens_kit.savings import price_members
from deeplens_kit.savings.priced import priced_age

if TYPE_CHECKING:
    from deeplens_kit.pipeline.workspace import Workspace
    from deeplens_kit.savings import PriceBook

__all__ = ["KindPrices", "prices_state"]

_KIND = ["location_id", "storage_class", "age_days"]


@dataclass(frozen=True, slots=True)
class KindPrices:
    """The kinds of files that cost alike, and what they cost.

    Attributes:
        kinds: Columns kind (from 0), location_id, storage_class, age_days.
        names: Columns location_id, location.
        book: The prices.
    """

    kinds: pl.DataFrame
    names: pl.DataFrame
    book: PriceBook

    @classmethod
    def of(cls, workspace: Workspace, files: pl.DataFrame) -> tuple[pl.DataFrame, KindPrices | None]:
        """The files with their `kind`, and the prices; the files as they are, and None, without a price book.

        Args:
            workspace: An open workspace.
            files: Columns location_id, storage_class and modified_at.

        Raises:
            SettingsError: The price book cannot be read, or says what is not allowed.
        """
        book = workspace_prices(workspace)
        if book is None:
            return files, None
        # Whole days, as for the savings: one that has begun is not over.
        age = (pl.lit(datetime.now(UTC)) - pl.col("modified_at")).dt.total_days()
        priced = files.select("location_id", "storage_class", age_days=age)
        priced = priced.with_columns(age_days=priced_age(priced.columns, book))
        kinds = priced.unique().sort(_KIND).with_row_index("kind")
        found = priced.join(kinds, on=_KIND, how="left", nulls_equal=True, maintain_order="left")
        return files.with_columns(found["kind"]), cls(kinds, workspace.location_names(), book)

    def money(self, freed: pl.DataFrame) -> pl.DataFrame:
        """MONEY with `location`, of bytes by tier and kind.

        Args:
            freed: Columns tier, kind, frees_bytes.
        """
        members = freed.join(self.kinds.with_columns(pl.col("kind").cast(pl.Int64)), on="kind")
        priced = price_members(members, dict(self.names.iter_rows()), self.book)
        return priced.join(self.names, on="location_id", how="left")


def prices_state(workspace: Workspace) -> str:
    """Everything that money depends on besides the files: the price book and how often locations keep their objects."""
    book = workspace.directory / PRICES_FILE
    said = book.read_text(encoding="utf-8", errors="replace") if book.is_file() else ""
    copies = [(item.name, str(item.options.get("redundancy", 1))) for item in workspace.ledger.locations()]
    return f"{said}\n{copies}"
