"""What an answer adds up to: groups, removable objects, bytes, and the share of the files that it speaks of.

Takes frames of groups and of coverage, gives frozen totals; must not read a store. An object that several groups
propose is counted once.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deeplens_kit.reporting.words import format_percent
from deeplens_kit.schemas import Outcome

__all__ = ["CoverageTotals", "Totals", "add_up_coverage", "add_up_groups", "removable"]


@dataclass(frozen=True, slots=True)
class Totals:
    """What groups add up to.

    Attributes:
        groups: Keepers with at least one removable object.
        objects: Objects proposed for removal.
        gross_bytes: Their sizes.
        realisable_bytes: What their removal frees: another hard link to a file that stays frees nothing.
    """

    groups: int
    objects: int
    gross_bytes: int
    realisable_bytes: int


@dataclass(frozen=True, slots=True)
class CoverageTotals:
    """How much of what was found could be analysed."""

    objects: int
    bytes: int
    analysed_objects: int
    analysed_bytes: int

    @property
    def share(self) -> str:
        """The analysed share of the objects in words, for example "97.4 %"."""
        return format_percent(self.analysed_objects, self.objects)


def removable(groups: pl.DataFrame) -> pl.DataFrame:
    """The objects that groups propose to remove, each once, under the group that frees most."""
    return (
        groups.filter(~pl.col("is_keeper"))
        .sort("frees_bytes", "group_id", descending=[True, False])
        .unique("object_id", keep="first", maintain_order=True)
    )


def add_up_groups(groups: pl.DataFrame) -> Totals:
    """Add up GROUPS."""
    proposed = removable(groups)
    return Totals(
        groups=groups["group_id"].n_unique(),
        objects=proposed.height,
        gross_bytes=int(proposed["size_bytes"].sum()),
        realisable_bytes=int(proposed["frees_bytes"].sum()),
    )


def add_up_coverage(coverage: pl.DataFrame) -> CoverageTotals:
    """Add up COVERAGE."""
    analysed = coverage.filter(pl.col("outcome") == Outcome.INDEXED)
    return CoverageTotals(
        objects=int(coverage["objects"].sum()),
        bytes=int(coverage["bytes"].sum()),
        analysed_objects=int(analysed["objects"].sum()),
        analysed_bytes=int(analysed["bytes"].sum()),
    )
