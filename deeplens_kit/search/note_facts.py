"""What people say of objects, and what is proposed for copies, laid against the pictures and places of a library.

Takes SEARCH_NOTES and SEARCH_DUPLICATES, gives arrays by note or by picture; must not read a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.search.facts import Codes
from deeplens_kit.search.filters import COPY_TIERS
from deeplens_kit.search.vectors.digests import digest_bytes, rows_of

__all__ = ["DuplicateFacts", "NoteFacts", "Said"]


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """One kind of thing that notes say, each a name, sorted by picture and name.

    Attributes:
        names: Sorted.
        codes: The place of each among `names`.
        notes: int64, the number of the note that it stands in.
        pictures: int64, the position of the picture that it is said of.
    """

    names: list[str]
    codes: NDArray[np.unsignedinteger]
    notes: NDArray[np.int64]
    pictures: NDArray[np.int64]

    def notes_with(self, names: Sequence[str], count: int) -> NDArray[np.bool_]:
        """Which of `count` notes say one of these names."""
        codes = Codes(self.names, self.codes)
        found = np.zeros(count, bool)
        found[self.notes[codes.among([name in names for name in self.names], None)]] = True
        return found

    def counts(self, notes: NDArray[np.bool_] | None, pictures: NDArray[np.bool_] | None) -> list[int]:
        """By name, of how many pictures it is said, each counted once.

        Args:
            notes: The notes that count, by number; None for all.
            pictures: The pictures that count, by position; None for all.
        """
        keep = np.ones(len(self.codes), bool) if notes is None else notes[self.notes]
        if pictures is not None:
            keep = keep & pictures[self.pictures]
        codes, owners = self.codes[keep], self.pictures[keep]
        begins = np.ones(len(codes), bool)
        begins[1:] = (codes[1:] != codes[:-1]) | (owners[1:] != owners[:-1])
        return [int(count) for count in np.bincount(codes[begins], minlength=len(self.names))]


@dataclass(frozen=True, eq=False)
class NoteFacts:
    """Notes by number, in the order of the places that they are of.

    Attributes:
        notes: SEARCH_NOTES of objects of the library.
        rows: int64, the row of `places` of each note, rising.
        pictures: int64, the position of its picture.
    """

    notes: pl.DataFrame
    rows: NDArray[np.int64]
    pictures: NDArray[np.int64]

    @classmethod
    def of(cls, notes: pl.DataFrame, places: pl.DataFrame, picture_of_place: NDArray[np.int64]) -> NoteFacts:
        """Lay notes against places; those of other objects are left out."""
        rows = places.select("object_id", row=pl.int_range(pl.len(), dtype=pl.Int64))
        laid = notes.join(rows, on="object_id").sort("row") if notes.height else notes.with_columns(row=pl.lit(0))
        at = laid["row"].cast(pl.Int64).to_numpy()
        return cls(laid.drop("row"), at, picture_of_place[at])

    @cached_property
    def collections(self) -> Said:
        """The collections."""
        numbered = self.notes.select(pl.col("collection").alias("name"), note=pl.int_range(pl.len(), dtype=pl.Int64))
        return self._said(numbered.filter(pl.col("name") != ""))

    @cached_property
    def tags(self) -> Said:
        """The tags."""
        numbered = self.notes.select(pl.col("tags").alias("name"), note=pl.int_range(pl.len(), dtype=pl.Int64))
        return self._said(numbered.filter(pl.col("name").list.len() > 0).explode("name"))

    def in_collections(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """By note: whether it puts its object into one of these collections."""
        return self.collections.notes_with(names, len(self.rows))

    def with_tags(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """By note: whether it gives its object one of these tags."""
        return self.tags.notes_with(names, len(self.rows))

    def _said(self, numbered: pl.DataFrame) -> Said:
        codes, notes = Codes.of(numbered["name"]), numbered["note"].to_numpy()
        pictures = self.pictures[notes]
        order = np.lexsort((codes.values, pictures))
        return Said(codes.names, codes.values[order], notes[order], pictures[order])


@dataclass(frozen=True, slots=True, eq=False)
class DuplicateFacts:
    """What is proposed for each picture, by position.

    Attributes:
        tiers: uint8, bit i for a group in which a copy of tier `COPY_TIERS[i]` could go.
        saves_bytes: int64, what its groups would free; 0 where there is none.
        keepers: Ids of the objects that stay.
    """

    tiers: NDArray[np.uint8]
    saves_bytes: NDArray[np.int64]
    keepers: frozenset[str]

    @classmethod
    def of(cls, duplicates: pl.DataFrame, packed: NDArray[np.uint8]) -> DuplicateFacts:
        """Lay SEARCH_DUPLICATES against the digests of a library, uint8 (n, 32), rising."""
        at = rows_of(packed, digest_bytes(duplicates["digest"]))
        known = np.flatnonzero(at >= 0)
        bits = [
            pl.col("tiers").list.contains(str(tier)).cast(pl.UInt8) * pl.lit(1 << number, pl.UInt8)
            for number, tier in enumerate(COPY_TIERS)
        ]
        laid = duplicates.select("saves_bytes", bits=pl.sum_horizontal(bits))
        tiers, saves = np.zeros(len(packed), np.uint8), np.zeros(len(packed), np.int64)
        tiers[at[known]], saves[at[known]] = laid["bits"].to_numpy()[known], laid["saves_bytes"].to_numpy()[known]
        return cls(tiers, saves, frozenset(duplicates["keeper_object_id"]))

    def of_tiers(self, tiers: Sequence[str]) -> NDArray[np.bool_]:
        """By position: whether a copy of one of these tiers could go."""
        bits = sum(1 << number for number, tier in enumerate(COPY_TIERS) if tier in tiers)
        return np.asarray((self.tiers & np.uint8(bits)) != 0)
