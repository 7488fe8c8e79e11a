"""What an answer about savings adds up to in money, and how that is said.

Takes rows with exact money, gives sums and sentences; must not price anything. Sums are exact; what people read is
rounded down where it is gained and up where it is paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from deeplens_kit.reporting.words import format_bytes, format_money
from deeplens_kit.savings import MONEY, exact, exact_text

__all__ = ["MONEY_COLUMNS", "SavingsMoney", "add_up_money"]

MONEY_COLUMNS: Mapping[str, pl.DataType] = {
    column.name: column.dtype for column in MONEY.columns if column.name not in MONEY.key
}
"""Columns of MONEY besides its key."""


@dataclass(frozen=True, slots=True)
class SavingsMoney:
    """What removing the copies saves in money.

    Attributes:
        currency: An ISO 4217 code.
        per_month: Saved a month; None where nothing has a price.
        once: What minimum durations cost once, <= 0; None where nothing has a price.
        from_day: Days after the removal until all of it is saved; None where nothing is.
        unpriced: (location, bytes) that have no price and are no part of it.
        kept: (location, bytes) that are kept as versions with no end and save nothing.
    """

    currency: str
    per_month: Decimal | None
    once: Decimal | None
    from_day: int | None
    unpriced: tuple[tuple[str, int], ...]
    kept: tuple[tuple[str, int], ...]

    @property
    def summary(self) -> dict[str, object]:
        """The sums as JSON has them; money is a text, which keeps every digit."""
        return {
            "currency": self.currency,
            "money_per_month": None if self.per_month is None else exact_text(self.per_month),
            "money_once": None if self.once is None else exact_text(self.once),
            "money_from_day": self.from_day,
            "unpriced_bytes": sum(size for _, size in self.unpriced),
            "kept_bytes": sum(size for _, size in self.kept),
        }

    @property
    def lines(self) -> list[str]:
        """The sums for people."""
        lines = []
        if self.per_month is not None:
            after = f", all of it from day {self.from_day} after the removal on" if self.from_day else ""
            lines.append(f"Removing them saves {format_money(self.per_month)} {self.currency} a month{after}.")
        if self.once:
            paid = format_money(self.once.copy_negate(), cost=True)
            lines.append(f"Removing them now costs {paid} {self.currency} once: a minimum duration is not over yet.")
        if self.kept:
            lines.append(f"No money is saved by {_places(self.kept)}: removed objects stay as versions, with no end.")
        if self.unpriced:
            lines.append(f"There is no price for {_places(self.unpriced)}; see `deeplens prices check`.")
        return lines


def _places(amounts: tuple[tuple[str, int], ...]) -> str:
    from deeplens_kit.storage.paths import display_path

    return ", ".join(f"{format_bytes(size)} at {display_path(location)}" for location, size in amounts)


def add_up_money(rows: pl.DataFrame) -> SavingsMoney | None:
    """Add up the money of an answer about savings.

    Args:
        rows: With `location` and, where there are prices, the columns of MONEY.

    Returns:
        None where there are no prices, or no rows.
    """
    if not set(MONEY_COLUMNS) <= set(rows.columns) or rows.is_empty():
        return None
    days = rows["money_from_day"].max()
    return SavingsMoney(
        currency=rows["currency"][0],
        per_month=_sum(rows["money_per_month"]),
        once=_sum(rows["money_once"]),
        from_day=int(days) if isinstance(days, int) else None,
        unpriced=_by_location(rows, "unpriced_bytes"),
        kept=_by_location(rows, "kept_bytes"),
    )


def _sum(texts: pl.Series) -> Decimal | None:
    amounts = [Decimal(text) for text in texts.drop_nulls()]
    with exact():
        return sum(amounts, Decimal(0)) if amounts else None


def _by_location(rows: pl.DataFrame, column: str) -> tuple[tuple[str, int], ...]:
    sums = rows.group_by("location").agg(pl.col(column).sum()).filter(pl.col(column) > 0).sort("location")
    return tuple(sums.iter_rows())
