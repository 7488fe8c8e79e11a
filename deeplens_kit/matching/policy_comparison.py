"""What another keep policy would change: two groupings of the same files, held against each other.

Takes the groups and what was withheld from them by one policy and by another, gives what each comes to and the files
whose standing differs; must not group anything itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deeplens_kit.matching.groups import Grouping

__all__ = ["STANDINGS", "PolicyComparison", "compare_groupings"]

STANDINGS = ("keep", "remove", "apart")
"""What becomes of a file: it stays for copies of it, it could go, or nothing is proposed for or against it."""


@dataclass(frozen=True, slots=True)
class PolicyComparison:
    """What the second of two groupings does otherwise.

    Attributes:
        other_keepers: Files that stay for copies of theirs by the second and not by the first.
        objects: Files that could go, by the first and by the second.
        realisable_bytes: What their removal frees, by the first and by the second.
        withheld: Matches that are not proposed, by the first and by the second.
        changed: Of every file whose standing differs object_id, location_id, path, before and after (of STANDINGS),
            size_bytes, reason (by the second; null where it is apart): by location and path.
    """

    other_keepers: int
    objects: tuple[int, int]
    realisable_bytes: tuple[int, int]
    withheld: tuple[int, int]
    changed: pl.DataFrame

    @property
    def more_bytes(self) -> int:
        """Bytes that the second frees more than the first; below 0 where it frees less."""
        return self.realisable_bytes[1] - self.realisable_bytes[0]


def compare_groupings(before: Grouping, after: Grouping) -> PolicyComparison:
    """Hold a grouping against another one of the same files.

    Args:
        before: By the policy that is used.
        after: By the one that is thought of.
    """
    first, second = _standing(before.groups), _standing(after.groups)
    joined = first.join(second, on="object_id", how="full", coalesce=True, suffix="_after")
    apart = pl.lit(STANDINGS[2])
    changed = (
        joined.with_columns(
            before=pl.col("standing").fill_null(apart),
            after=pl.col("standing_after").fill_null(apart),
            **{name: pl.coalesce(name, f"{name}_after") for name in ("location_id", "path", "size_bytes")},
        )
        .filter(pl.col("before") != pl.col("after"))
        .select("object_id", "location_id", "path", "before", "after", "size_bytes", reason="reason_after")
        .sort("location_id", "path", "object_id")
    )
    keepers = [set(side.filter(standing=STANDINGS[0])["object_id"]) for side in (first, second)]
    sides = (before.groups, after.groups)
    return PolicyComparison(
        other_keepers=len(keepers[1] - keepers[0]),
        objects=_both(*(side.filter(~pl.col("is_keeper"))["object_id"].n_unique() for side in sides)),
        realisable_bytes=_both(*(int(side["frees_bytes"].sum()) for side in sides)),
        withheld=(before.withheld.height, after.withheld.height),
        changed=changed,
    )


def _standing(groups: pl.DataFrame) -> pl.DataFrame:
    """One row for each file of groups: one that goes for another may be the keeper of nothing."""
    standing = pl.when("is_keeper").then(pl.lit(STANDINGS[0])).otherwise(pl.lit(STANDINGS[1]))
    rows = groups.select("object_id", "location_id", "path", "size_bytes", "reason", "is_keeper", standing=standing)
    return rows.sort("object_id", "is_keeper", "reason").unique("object_id", keep="first").drop("is_keeper")


def _both(first: int, second: int) -> tuple[int, int]:
    return first, second
