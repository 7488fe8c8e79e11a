"""The numbers of an answer about savings: the same for the command line, the report and the files beside it.

Takes frames of the pipeline, gives rows with exact values and what they add up to; must not read a store or round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from deeplens_kit.reporting.savings_money import MONEY_COLUMNS, SavingsMoney, add_up_money
from deeplens_kit.reporting.totals import CoverageTotals
from deeplens_kit.reporting.words import format_bytes, plural

__all__ = ["GROUP_COLUMNS", "SavingsNumbers", "add_up_savings", "by_freed", "coverage_line"]

GROUP_COLUMNS = (
    "group_id",
    "path",
    "location",
    "is_keeper",
    "tier",
    "relation",
    "score",
    "size_bytes",
    "frees_bytes",
    "reason",
    "loses",
    "digest",
    "object_id",
)
"""Columns of an object of a group, as programs get them."""

_COLUMNS = ("location", "tier", "objects", "gross_bytes", "realisable_bytes")
_SUMS = ("objects", "gross_bytes", "realisable_bytes")


@dataclass(frozen=True, slots=True)
class SavingsNumbers:
    """What the copies cost.

    Attributes:
        rows: location, tier, objects, gross_bytes, realisable_bytes; by location and tier. Where there are prices,
            the columns of MONEY too.
        objects: Objects proposed for removal.
        gross_bytes: Their sizes.
        realisable_bytes: What their removal frees.
        covered: The objects that the answer speaks of, and those that were found.
        current: Whether the pairs are those of the files that are indexed now.
        notes: Sentences on what limits the answer.
        money: What their removal saves; None where the workspace has no price book.
    """

    rows: pl.DataFrame
    objects: int
    gross_bytes: int
    realisable_bytes: int
    covered: CoverageTotals
    current: bool
    notes: tuple[str, ...]
    money: SavingsMoney | None = None

    @property
    def summary(self) -> dict[str, object]:
        """What the rows add up to, as JSON has it."""
        sums: dict[str, object] = {name: getattr(self, name) for name in _SUMS}
        covered = {"found_objects": self.covered.objects, "analysed_objects": self.covered.analysed_objects}
        money = self.money.summary if self.money is not None else {}
        return {**sums, **money, **covered, "current": self.current, "notes": list(self.notes)}

    @property
    def lines(self) -> list[str]:
        """The sums and the share of the files that they speak of, for people; none where there is nothing to save."""
        if not self.objects:
            return []
        sizes = f"{format_bytes(self.gross_bytes)}; {format_bytes(self.realisable_bytes)} can be freed."
        money = self.money.lines if self.money is not None else []
        return [f"Total: {plural(self.objects, 'file')}, {sizes}", *money, coverage_line(self.covered)]


def coverage_line(covered: CoverageTotals) -> str:
    """The share of the files that an answer speaks of, as a sentence."""
    if covered.analysed_objects == covered.objects:
        return "Every file that was found was analysed."
    files = plural(covered.objects, "file")
    return f"This speaks of the {covered.share} of {files} analysed; `deeplens failures` lists the rest."


def add_up_savings(
    savings: pl.DataFrame, covered: CoverageTotals, *, current: bool, notes: Sequence[str]
) -> SavingsNumbers:
    """Rows and sums of an answer about savings.

    Args:
        savings: As `summarise_savings` gives it.
        covered: The objects that it speaks of, and those that were found.
        current: Whether the pairs are those of the files that are indexed now.
        notes: Sentences on what limits the answer.
    """
    money = add_up_money(savings)
    rows = savings.select(*_COLUMNS, *(MONEY_COLUMNS if money is not None else ()))
    objects, gross, realisable = (int(rows[name].sum()) for name in _SUMS)
    return SavingsNumbers(rows, objects, gross, realisable, covered, current, tuple(notes), money)


def by_freed(groups: pl.DataFrame) -> pl.DataFrame:
    """Groups that free most first, the keeper first in each, with the rank of the group."""
    order = (
        groups.group_by("group_id")
        .agg(frees=pl.col("frees_bytes").sum())
        .sort("frees", "group_id", descending=[True, False])
        .select("group_id", rank=pl.int_range(pl.len()))
    )
    return groups.join(order, on="group_id").sort(
        "rank", "is_keeper", "score", "location", "path", descending=[False, True, True, False, False]
    )
