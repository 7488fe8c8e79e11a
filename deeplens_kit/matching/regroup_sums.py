"""What groups add up to whatever the thresholds: the objects of each picture, and the files that go with families.

Takes objects in keeper order and the groups of companions, gives sums; must not decide what may go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.groups import freed_bytes
from deeplens_kit.matching.withheld import equal_files_stay

__all__ = ["SUMMED_COLUMNS", "CompanionSums", "PictureSums", "sum_pictures"]

SUMMED_COLUMNS = ("digest", "size_bytes", "link_id", "link_count", "pinned", "stays", "protected", "alone")
"""Columns of `groups.held_objects`, and `alone`, that `sum_pictures` looks at."""


@dataclass(frozen=True, slots=True)
class PictureSums:
    """Of each picture int64 (n,): its objects, their bytes and what removing all of them frees; `again` of those that
    may go for the best one. `withheld` counts the equal objects that stay for a family, a policy or a decision."""

    objects: NDArray[np.int64]
    bytes: NDArray[np.int64]
    freed: NDArray[np.int64]
    again: NDArray[np.int64]
    again_bytes: NDArray[np.int64]
    again_freed: NDArray[np.int64]
    withheld: int


@dataclass(frozen=True, slots=True)
class CompanionSums:
    """What the groups of files of other kinds add up to; no threshold changes them."""

    groups: int
    objects: int
    gross_bytes: int
    realisable_bytes: int
    largest: int

    @classmethod
    def of(cls, groups: pl.DataFrame) -> CompanionSums:
        """Add up GROUPS of files of other kinds."""
        members = groups.filter(~pl.col("is_keeper"))
        return cls(
            groups=groups["group_id"].n_unique(),
            objects=members.height,
            gross_bytes=int(members["size_bytes"].sum()),
            realisable_bytes=int(members["frees_bytes"].sum()),
            largest=int(groups["group_id"].unique_counts().max() or 0),  # type: ignore[arg-type]
        )


def sum_pictures(held: pl.DataFrame, places: NDArray[np.int32]) -> PictureSums:
    """Add up the objects of each picture.

    Args:
        held: As `groups.held_objects` gives it, in keeper order, with `alone`; digests by number.
        places: int32, where the picture of each number is among the n.
    """
    every = np.arange(held.height)
    is_best = held["digest"].is_first_distinct()
    stays = equal_files_stay(held)
    again = ~is_best & ~stays
    amounts = held.select(
        number=pl.Series(places).gather(held["digest"]), may_go=again, bytes="size_bytes"
    ).with_columns(
        freed=pl.Series(freed_bytes(held, every)), again_freed=pl.Series(freed_bytes(held, every[again.to_numpy()]))
    )
    summed = amounts.group_by("number").agg(
        objects=pl.len().cast(pl.Int64),
        again=pl.col("may_go").sum().cast(pl.Int64),
        again_bytes=pl.col("bytes").filter("may_go").sum(),
        bytes=pl.col("bytes").sum(),
        freed=pl.col("freed").sum(),
        again_freed=pl.col("again_freed").sum(),
    )
    ordered = summed.sort("number")
    names = ("objects", "bytes", "freed", "again", "again_bytes", "again_freed")
    columns = {name: np.ascontiguousarray(ordered[name].to_numpy(), np.int64) for name in names}
    return PictureSums(**columns, withheld=int((stays & ~is_best).sum()))
