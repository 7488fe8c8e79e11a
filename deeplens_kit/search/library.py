"""The pictures that are searched, as they were when they were read: what they are, where they lie, their features.

Takes frames of pictures and of places and the vectors of features, gives positions, masks and rows of them. It never
changes: when the catalog does, another one is made, and a search under way ends with the one that it began with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching import CONTEXT_COLUMNS
from deeplens_kit.schemas import SEARCH_PLACES
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.hash_shelf import HASHES, HashShelf
from deeplens_kit.search.vector_shelf import VectorShelf

__all__ = ["PICTURE_COLUMNS", "PLACE_COLUMNS", "Library", "LibraryVectors"]

PICTURE_COLUMNS = tuple(
    dict.fromkeys(
        (
            "digest",
            "pdq",
            "phash",
            *CONTEXT_COLUMNS,
            "size_bytes",
            "width_px",
            "height_px",
            "format",
            "taken_at",
            "camera",
        )
    )
)
"""Columns of `pictures` that a search looks at or gives."""

_LEADING_DIGITS, _ONE = 15, np.uint64(1)

PLACE_COLUMNS = tuple(SEARCH_PLACES.names)


@dataclass(frozen=True, slots=True, eq=False)
class LibraryVectors:
    """The vectors of one feature of the library's pictures.

    Attributes:
        name: The feature.
        shelf: Vectors by row; some rows may be of pictures that the library does not have.
        position_of_row: int64, -1 where the library has no such picture.
        row_of_position: int64, -1 where the picture has no vector.
    """

    name: str
    shelf: VectorShelf
    position_of_row: NDArray[np.int64]
    row_of_position: NDArray[np.int64]

    @property
    def absent(self) -> int:
        """Pictures without a vector."""
        return int((self.row_of_position < 0).sum())

    def of(self, position: int) -> NDArray[np.float32] | None:
        """The vector of a picture, (d,); None where it has none."""
        row = int(self.row_of_position[position])
        return None if row < 0 else self.shelf.rows(np.array([row]))[0]

    def nearest(
        self, query: NDArray[np.floating], k: int, floor: float, wanted: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], float | None]:
        """As `VectorShelf.nearest`, by positions of pictures; `wanted` too is by position."""
        known = self.position_of_row >= 0
        mask: NDArray[np.bool_] | None = known & wanted[self.position_of_row] if wanted is not None else known
        if mask is not None and mask.all():
            mask = None
        rows, beyond = self.shelf.nearest(query, k, floor, mask)
        return self.position_of_row[rows], beyond


@dataclass(frozen=True, eq=False)
class Library:
    """Pictures by position, in the order of their digests.

    Attributes:
        pictures: PICTURE_COLUMNS, sorted by digest.
        places: SEARCH_PLACES of these pictures, by picture, location and path.
        vectors: One for each feature that has vectors, the one that is searched first.
    """

    pictures: pl.DataFrame
    places: pl.DataFrame
    vectors: tuple[LibraryVectors, ...]

    @classmethod
    def of(cls, pictures: pl.DataFrame, places: pl.DataFrame, shelves: Mapping[str, VectorShelf]) -> Library:
        """Put frames and vectors in order; places without a picture, and pictures without a place, are left out.

        Args:
            pictures: PICTURE_COLUMNS; what was never computed may be missing.
            places: SEARCH_PLACES.
            shelves: By feature.
        """
        digests = places["digest"].unique()
        known = pictures.filter(pl.col("digest").is_in(digests.implode())).sort("digest")
        listed = places.filter(pl.col("digest").is_in(known["digest"].implode()))
        ordered = SEARCH_PLACES.check(listed.select(PLACE_COLUMNS)).sort("digest", "location", "path")
        found = tuple(_laid_against(name, shelf, known["digest"]) for name, shelf in shelves.items())
        return cls(known, ordered, found)

    def __len__(self) -> int:
        return self.pictures.height

    @cached_property
    def hashes(self) -> tuple[HashShelf, ...]:
        """PDQ of all; pHash where a picture has no PDQ, for it is looked at only then."""
        shelves = [HashShelf.of(name, self.pictures[name]) for name in HASHES if name in self.pictures.columns]
        first = next(iter(shelves), None)
        return tuple(shelf for shelf in shelves if shelf is first or not (first and first.is_whole))

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where the places of each picture begin in `places`, and after the last where they end: int64 (n + 1,)."""
        runs = self.places["digest"].rle().struct.field("len").to_numpy() if self.places.height else np.zeros(0)
        return np.concatenate([[0], np.cumsum(runs)]).astype(np.int64)

    @cached_property
    def locations(self) -> list[str]:
        """Names of the locations that hold a picture, sorted."""
        return self.places["location"].unique().sort().to_list()

    def position(self, digest: str) -> int | None:
        """Where a picture is; None where the library does not have it."""
        try:
            key = np.uint64(int(digest[:_LEADING_DIGITS], base=16))
        except ValueError:
            return None
        first, last = np.searchsorted(self._leading_digits, np.array([key, key + _ONE]))
        for at in range(int(first), int(last)):
            if self.pictures["digest"][at] == digest:
                return at
        return None

    def wanted(self, filters: SearchFilters) -> NDArray[np.bool_] | None:
        """Which pictures the filters on facts let through, bool (n,); None for all of them."""
        conditions = []
        if filters.formats:
            conditions.append(np.isin(self._format_codes, _codes(self._formats, filters.formats)))
        if filters.min_bytes:
            conditions.append(self._size_bytes >= filters.min_bytes)
        if filters.max_bytes is not None:
            conditions.append(self._size_bytes <= filters.max_bytes)
        if filters.min_side_px:
            conditions.append(self._short_side >= filters.min_side_px)
        if filters.locations:
            found = np.zeros(len(self), bool)
            found[self._picture_of_place[self.places_within(filters)]] = True
            conditions.append(found)
        return np.logical_and.reduce(conditions) if conditions else None

    def places_within(self, filters: SearchFilters) -> NDArray[np.bool_]:
        """Which places lie at the locations asked for, bool by row of `places`."""
        if not filters.locations:
            return np.ones(self.places.height, bool)
        return np.isin(self._location_codes, _codes(self.locations, filters.locations))

    def places_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of `places` of the pictures, picture by picture in the order given."""
        counts = self.starts[positions + 1] - self.starts[positions]
        offsets = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.asarray(np.repeat(self.starts[positions], counts) + offsets)

    def facets(self) -> pl.DataFrame:
        """How many pictures there are of each location and format: location, format, pictures."""
        formats = self.pictures.select("digest", "format")
        return (
            self.places.select("digest", "location")
            .unique()
            .join(formats, on="digest")
            .group_by("location", "format")
            .agg(pictures=pl.len().cast(pl.Int64))
            .sort("location", "format")
        )

    # --- What filters are compared with --------------------------------------------------------------------

    @cached_property
    def _leading_digits(self) -> NDArray[np.uint64]:
        return _leading(self.pictures["digest"])

    @cached_property
    def _formats(self) -> list[str]:
        return self.pictures["format"].unique().sort().to_list()

    @cached_property
    def _format_codes(self) -> NDArray[np.int64]:
        return _coded(self.pictures["format"], self._formats)

    @cached_property
    def _location_codes(self) -> NDArray[np.int64]:
        return _coded(self.places["location"], self.locations)

    @cached_property
    def _picture_of_place(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @cached_property
    def _size_bytes(self) -> NDArray[np.int64]:
        return self.pictures["size_bytes"].to_numpy()

    @cached_property
    def _short_side(self) -> NDArray[np.int64]:
        return self.pictures.select(pl.min_horizontal("width_px", "height_px")).to_series().to_numpy()


def _leading(digests: pl.Series) -> NDArray[np.uint64]:
    """The first 60 bits of digests as numbers, which are in their order: a thousand times faster to search in."""
    numbers = digests.str.head(_LEADING_DIGITS).str.to_integer(base=16, strict=False).fill_null(0)
    return numbers.cast(pl.UInt64).to_numpy()


def _coded(values: pl.Series, names: Sequence[str]) -> NDArray[np.int64]:
    """Each value as its place among `names`."""
    return values.replace_strict(names, range(len(names)), return_dtype=pl.Int64).to_numpy()


def _codes(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """The places among `names` of those wanted."""
    return [code for code, name in enumerate(names) if name in wanted]


def _laid_against(name: str, shelf: VectorShelf, digests: pl.Series) -> LibraryVectors:
    known = pl.DataFrame({"digest": digests, "position": pl.int_range(len(digests), eager=True)})
    rows = pl.DataFrame({"digest": shelf.digests, "row": pl.int_range(len(shelf), eager=True)}).join(known, on="digest")
    position_of_row, row_of_position = np.full(len(shelf), -1, np.int64), np.full(len(digests), -1, np.int64)
    position_of_row[rows["row"].to_numpy()] = rows["position"].to_numpy()
    row_of_position[rows["position"].to_numpy()] = rows["row"].to_numpy()
    return LibraryVectors(name, shelf, position_of_row, row_of_position)
