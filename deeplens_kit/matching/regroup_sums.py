"""What groups add up to whatever the thresholds: the objects of each picture, and the files that go with families.

Takes objects in keeper order and the groups of companions, gives sums; must not decide what may go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.groups import freed_bytes
from deeplens_kit.matching.withheld import equal_files_stay
from deeplens_kit.schemas import Tier

__all__ = ["SUMMED_COLUMNS", "CompanionSums", "KindSums", "PictureSums", "kinds_frame", "sum_pictures"]

SUMMED_COLUMNS = ("digest", "size_bytes", "link_id", "link_count", "pinned", "stays", "protected", "alone")
"""Columns of `groups.held_objects`, and `alone`, that `sum_pictures` looks at."""

# Half of the digits of a sum at a time: sums of floats are exact while they have 53 bits.
_LOW_BITS = 24


@dataclass(frozen=True, slots=True)
class KindSums:
    """What removing objects frees, kept apart by a number that whoever gave the objects chose: their place, say.

    Attributes:
        picture: int32 (k,), place of a picture.
        kind: int64 (k,), a number from 0.
        freed: int64 (k,), what removing its objects of that kind frees where all of its objects go.
        again: int64 (k,), the same where the best object stays.
        companions: int64 (kinds,), what the files of other kinds free.
    """

    picture: NDArray[np.int32]
    kind: NDArray[np.int64]
    freed: NDArray[np.int64]
    again: NDArray[np.int64]
    companions: NDArray[np.int64]

    @classmethod
    def of(cls, amounts: pl.DataFrame, companions: pl.DataFrame) -> KindSums:
        """Add up objects by picture and kind.

        Args:
            amounts: number (of the picture), kind, freed, again_freed of each object.
            companions: kind and frees_bytes of the files of other kinds that go.
        """
        summed = amounts.group_by("number", "kind").agg(pl.col("freed").sum(), pl.col("again_freed").sum())
        kept = summed.filter((pl.col("freed") > 0) | (pl.col("again_freed") > 0)).sort("number", "kind")
        kind = kept["kind"].cast(pl.Int64).to_numpy()
        other = companions["kind"].cast(pl.Int64).to_numpy()
        kinds = max(int(kind.max(initial=-1)), int(other.max(initial=-1))) + 1
        return cls(
            kept["number"].cast(pl.Int32).to_numpy(),
            kind,
            kept["freed"].to_numpy(),
            kept["again_freed"].to_numpy(),
            _exact_sums(other, companions["frees_bytes"].to_numpy(), kinds),
        )

    def of_members(self, members: NDArray[np.bool_]) -> NDArray[np.int64]:
        """int64 (kinds,): what the pictures of bool (n,) free where all of their objects go."""
        return self._summed(members, self.freed)

    def of_again(self, pictures: NDArray[np.bool_]) -> NDArray[np.int64]:
        """int64 (kinds,): what the pictures of bool (n,) free where the best object of each stays."""
        return self._summed(pictures, self.again)

    def _summed(self, pictures: NDArray[np.bool_], amounts: NDArray[np.int64]) -> NDArray[np.int64]:
        at = np.flatnonzero(pictures[self.picture])
        return _exact_sums(self.kind[at], amounts[at], len(self.companions))


@dataclass(frozen=True, slots=True)
class PictureSums:
    """Of each picture int64 (n,): its objects, their bytes and what removing all of them frees; `again` of those that
    may go for the best one. `withheld` counts the equal objects that stay for a family, a policy or a decision;
    `by_kind` is None where objects have no `kind`.
    """

    objects: NDArray[np.int64]
    bytes: NDArray[np.int64]
    freed: NDArray[np.int64]
    again: NDArray[np.int64]
    again_bytes: NDArray[np.int64]
    again_freed: NDArray[np.int64]
    withheld: int
    by_kind: KindSums | None = None


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


def sum_pictures(held: pl.DataFrame, places: NDArray[np.int32], companions: pl.DataFrame | None = None) -> PictureSums:
    """Add up the objects of each picture.

    Args:
        held: As `groups.held_objects` gives it, in keeper order, with `alone`; digests by number.
        places: int32, where the picture of each number is among the n.
        companions: kind and frees_bytes of the files of other kinds that go; None for no sums by kind.
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
    by_kind = None
    if companions is not None:
        by_kind = KindSums.of(amounts.with_columns(held["kind"]), companions)
    return PictureSums(**columns, withheld=int((stays & ~is_best).sum()), by_kind=by_kind)


def kinds_frame(kinds: Mapping[Tier, NDArray[np.int64]]) -> pl.DataFrame:
    """Columns tier, kind, frees_bytes of what each kind frees by tier; kinds of which nothing goes are left out."""
    parts = [pl.DataFrame(schema={"tier": pl.String, "kind": pl.Int64, "frees_bytes": pl.Int64})]
    for tier, freed in kinds.items():
        some = np.flatnonzero(freed)
        rows = pl.DataFrame({"kind": some, "frees_bytes": freed[some]})
        parts.append(rows.select(pl.lit(str(tier)).alias("tier"), "kind", "frees_bytes"))
    return pl.concat(parts)


def _exact_sums(kind: NDArray[np.int64], amounts: NDArray[np.int64], kinds: int) -> NDArray[np.int64]:
    """int64 (kinds,): the sum of the amounts of each kind, to the byte."""
    high, low = amounts >> _LOW_BITS, amounts & ((1 << _LOW_BITS) - 1)
    parts = (np.bincount(kind, weights=part, minlength=kinds).astype(np.int64) for part in (high, low))
    return (next(parts) << _LOW_BITS) + next(parts)
