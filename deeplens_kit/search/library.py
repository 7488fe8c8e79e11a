"""The pictures that are searched, as they were when they were read: what they are, where they lie, their features.

Takes frames of pictures and of places and the vectors of features, gives positions, masks and rows of them. It never
changes: when the catalog does, another one is made, and a search under way ends with the one that it began with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching import CONTEXT_COLUMNS
from deeplens_kit.schemas import SEARCH_DUPLICATES, SEARCH_NOTES, SEARCH_PLACES
from deeplens_kit.search.facts import Codes, PictureFacts, PlaceFacts
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.hash_shelf import HASHES, HashShelf
from deeplens_kit.search.narrowing import pictures_within, places_within
from deeplens_kit.search.note_facts import DuplicateFacts, NoteFacts
from deeplens_kit.search.ordering import ordered
from deeplens_kit.search.vectors.digests import leading_numbers
from deeplens_kit.search.vectors.shelf import VectorShelf

__all__ = ["PICTURE_COLUMNS", "PLACE_COLUMNS", "Library", "LibraryVectors", "laid_against"]

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
            "dated_at",
            "camera",
        )
    )
)
"""Columns of `pictures` that a search looks at or gives."""

PLACE_COLUMNS = tuple(SEARCH_PLACES.names)

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, eq=False)
class LibraryVectors:
    """The vectors of one feature of the library's pictures.

    Attributes:
        name: The feature.
        shelf: Vectors by row; rows of pictures that the library does not have are never found.
        position_of_row: int64, -1 where the library has no such picture.
        row_of_position: int64, -1 where the picture has no vector.
    """

    name: str
    shelf: VectorShelf
    position_of_row: NDArray[np.int64]
    row_of_position: NDArray[np.int64]

    @cached_property
    def known(self) -> NDArray[np.int64]:
        """Positions of the pictures that have a vector, rising. Not to be changed: every search asks for it."""
        return np.flatnonzero(self.row_of_position >= 0)

    @property
    def absent(self) -> int:
        """Pictures without a vector."""
        return len(self.row_of_position) - len(self.known)

    def of(self, position: int) -> NDArray[np.float32] | None:
        """The vector of a picture, (d,); None where it has none."""
        row = int(self.row_of_position[position])
        return None if row < 0 else self.shelf.rows(np.array([row]))[0]

    def nearest(
        self, query: NDArray[np.floating], k: int, floor: float, wanted: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], float | None]:
        """As `VectorShelf.nearest`, by positions of pictures; `wanted` too is by position."""
        # Rows that no picture has are masked by the shelf.
        mask = wanted if wanted is None or self._in_step else wanted[self.position_of_row]
        rows, beyond = self.shelf.nearest(query, k, floor, mask)
        return self.position_of_row[rows], beyond

    @cached_property
    def _in_step(self) -> bool:
        """Whether rows are positions."""
        return np.array_equal(self.position_of_row, np.arange(len(self.row_of_position)))


@dataclass(frozen=True, eq=False)
class Library:
    """Pictures by position, in the order of their digests.

    Attributes:
        pictures: PICTURE_COLUMNS, sorted by digest.
        places: SEARCH_PLACES of these pictures, by picture, location and path.
        packed: uint8 (n, 32), the digests as bytes.
        starts: int64 (n + 1,), where the places of each picture begin in `places`, and after the last where they end.
        vectors: One for each feature that has vectors, the one that is searched first.
        notes: SEARCH_NOTES; those of objects that are not among the places are passed over.
        duplicates: Gives SEARCH_DUPLICATES; called once, when a filter or facet first needs it.
    """

    pictures: pl.DataFrame
    places: pl.DataFrame
    packed: NDArray[np.uint8]
    starts: NDArray[np.int64]
    vectors: tuple[LibraryVectors, ...]
    notes: pl.DataFrame = field(default_factory=SEARCH_NOTES.empty)
    duplicates: Callable[[], pl.DataFrame] = SEARCH_DUPLICATES.empty

    @classmethod
    def of(
        cls,
        pictures: pl.DataFrame,
        places: pl.DataFrame,
        shelves: Mapping[str, VectorShelf],
        *,
        notes: pl.DataFrame | None = None,
        duplicates: Callable[[], pl.DataFrame] = SEARCH_DUPLICATES.empty,
    ) -> Library:
        """Put frames and vectors in order; places without a picture, and pictures without a place, are left out.

        Args:
            pictures: PICTURE_COLUMNS; what was never computed may be missing.
            places: SEARCH_PLACES.
            shelves: By feature.
            notes: SEARCH_NOTES; None for none.
            duplicates: Gives SEARCH_DUPLICATES.
        """
        found = ordered(pictures, places, PLACE_COLUMNS)
        library = cls(
            found.pictures,
            SEARCH_PLACES.check(found.places),
            found.packed,
            found.starts,
            (),
            SEARCH_NOTES.empty() if notes is None else SEARCH_NOTES.check(notes),
            duplicates,
        )
        return library.with_vectors(shelves)

    @classmethod
    def of_arrays(cls, pictures: pl.DataFrame, places: pl.DataFrame, arrays: Mapping[str, NDArray[Any]]) -> Library:
        """The library of frames that are in order, and of what `to_arrays` gave; without vectors, notes and groups.

        Raises:
            KeyError: An array is missing.
            ValueError: An array does not fit the frames.
        """
        library = cls(pictures, SEARCH_PLACES.check(places), arrays["packed"], arrays["starts"], ())
        count = pictures.height
        if len(library.packed) != count or len(library.starts) != count + 1 or library.starts[-1] != places.height:
            raise ValueError(f"{len(library.packed)} digests for {count} pictures and {places.height} places")
        found = [name for name in HASHES if f"{name}_words" in arrays]
        hashes = tuple(HashShelf(name, arrays[f"{name}_words"], arrays[f"{name}_positions"], count) for name in found)
        # As computed properties would hold them, had they been asked for.
        vars(library)["hashes"] = hashes
        for facts, column in _coded(library):
            vars(facts)[column] = Codes(arrays[f"{column}_names"].tolist(), arrays[f"{column}_codes"])
        return library

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """What is derived from the frames and takes time; `of_arrays` takes it back."""
        arrays: dict[str, NDArray[Any]] = {"packed": self.packed, "starts": self.starts}
        for shelf in self.hashes:
            arrays |= {f"{shelf.name}_words": shelf.words, f"{shelf.name}_positions": shelf.positions}
        for facts, column in _coded(self):
            codes: Codes = getattr(facts, column)
            arrays |= {f"{column}_names": np.array(codes.names, dtype=np.str_), f"{column}_codes": codes.values}
        return arrays

    def with_vectors(self, shelves: Mapping[str, VectorShelf]) -> Library:
        """The same pictures with these vectors, by feature; what was computed of the rest is kept."""
        twin = copy(self)
        found = tuple(laid_against(name, shelf, self.packed) for name, shelf in shelves.items())
        object.__setattr__(twin, "vectors", found)
        return twin

    def __len__(self) -> int:
        return self.pictures.height

    @cached_property
    def hashes(self) -> tuple[HashShelf, ...]:
        """PDQ of all; pHash where a picture has no PDQ, for it is looked at only then."""
        shelves = [HashShelf.of(name, self.pictures[name]) for name in HASHES if name in self.pictures.columns]
        first = next(iter(shelves), None)
        return tuple(shelf for shelf in shelves if shelf is first or not (first and first.is_whole))

    @cached_property
    def picture_facts(self) -> PictureFacts:
        """Columns that filters on pictures look at."""
        return PictureFacts(self.pictures)

    @cached_property
    def place_facts(self) -> PlaceFacts:
        """Columns that filters on places look at."""
        return PlaceFacts(self.places, self.starts)

    @cached_property
    def note_facts(self) -> NoteFacts:
        """What people say of the objects."""
        return NoteFacts.of(self.notes, self.places, self.place_facts.picture_of_place)

    @cached_property
    def duplicate_facts(self) -> DuplicateFacts:
        """What is proposed for the pictures; the first time groups are made, which takes seconds for a million."""
        return DuplicateFacts.of(self.duplicates(), self.packed)

    @property
    def locations(self) -> list[str]:
        """Names of the locations that hold a picture, sorted."""
        return self.place_facts.locations.names

    def changed(
        self, *, notes: pl.DataFrame | None = None, duplicates: Callable[[], pl.DataFrame] | None = None
    ) -> Library:
        """The same pictures with other notes or groups; what was computed of the rest is kept.

        Args:
            notes: SEARCH_NOTES in place of those of before.
            duplicates: Gives SEARCH_DUPLICATES in place of those of before.
        """
        twin = copy(self)
        for name, value, column in (("notes", notes, "note_facts"), ("duplicates", duplicates, "duplicate_facts")):
            if value is not None:
                vars(twin).pop(column, None)
                object.__setattr__(twin, name, value)
        return twin

    def position(self, digest: str) -> int | None:
        """Where a picture is; None where the library does not have it."""
        if not _DIGEST.fullmatch(digest):
            return None
        key = leading_numbers(np.frombuffer(bytes.fromhex(digest), np.uint8)[None])[0]
        first, last = (int(np.searchsorted(self._leading, key, side)) for side in ("left", "right"))
        for at in range(first, last):
            if self.pictures["digest"][at] == digest:
                return at
        return None

    @cached_property
    def _leading(self) -> NDArray[np.uint64]:
        return leading_numbers(self.packed)

    def wanted(self, filters: SearchFilters) -> NDArray[np.bool_] | None:
        """Which pictures the filters on facts let through, bool (n,); None for all of them."""
        return pictures_within(self, filters)

    def places_within(self, filters: SearchFilters, rows: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
        """Which places the filters on places let through, bool by row of `places`, or of those `rows` alone."""
        return places_within(self, filters, rows)

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


def _coded(library: Library) -> list[tuple[PictureFacts | PlaceFacts, str]]:
    """Columns of names whose codes take time."""
    return [(library.picture_facts, "formats"), (library.picture_facts, "cameras"), (library.place_facts, "locations")]


def laid_against(name: str, shelf: VectorShelf, packed: NDArray[np.uint8]) -> LibraryVectors:
    """Vectors by row, told where the pictures are that they are of; `packed` are the digests of a library."""
    row_of_position, position_of_row = shelf.rows_of(packed), np.full(len(shelf), -1, np.int64)
    has = np.flatnonzero(row_of_position >= 0)
    position_of_row[row_of_position[has]] = has
    return LibraryVectors(name, shelf.only(position_of_row >= 0), position_of_row, row_of_position)
