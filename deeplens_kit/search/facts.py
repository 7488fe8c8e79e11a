"""Facts of pictures and of their places as columns of numbers, so that a filter is one pass over an array.

Takes the frames of a library, gives arrays by position of picture or row of place, and masks of them; must not choose
what is asked for. Each column is made when it is first needed and kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.search.path_globs import matches_of

__all__ = ["NO_TIME", "SIZE_BOUNDS", "Codes", "PictureFacts", "PlaceFacts", "microseconds"]

NO_TIME = np.iinfo(np.int64).min
"""In a column of microseconds: nothing is known."""

SIZE_BOUNDS = (100_000, 1_000_000, 10_000_000, 100_000_000)
"""Bytes from which on (inclusive) the classes of sizes begin; one more is below them."""

_KEPT_GLOBS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """A column of names as small numbers.

    Attributes:
        names: Sorted.
        values: Unsigned, each the place of its name among `names`, or `len(names)` where there is none.
    """

    names: list[str]
    values: NDArray[np.unsignedinteger]

    @classmethod
    def of(cls, values: pl.Series) -> Codes:
        """The codes of a column of texts."""
        names = values.unique().drop_nulls().sort().to_list()
        codes = values.cast(pl.Enum(names)).to_physical().cast(pl.UInt32).fill_null(len(names)).to_numpy()
        width = np.uint8 if len(names) < 1 << 8 else np.uint16 if len(names) < 1 << 16 else np.uint32
        return cls(names, codes.astype(width))

    def among(self, allowed: Sequence[bool] | NDArray[np.bool_], rows: NDArray[np.int64] | None) -> NDArray[np.bool_]:
        """Which rows have an allowed name.

        Args:
            allowed: By name.
            rows: Only these; None for all.
        """
        values = self.values if rows is None else self.values[rows]
        chosen = np.flatnonzero(allowed)
        if len(chosen) == 1:
            return np.asarray(values == values.dtype.type(chosen[0]))
        table = np.zeros(len(self.names) + 1, bool)
        table[chosen] = True
        return table.take(values)


@dataclass(frozen=True, eq=False)
class PictureFacts:
    """Columns by position of picture.

    Attributes:
        pictures: As of a library.
    """

    pictures: pl.DataFrame

    @cached_property
    def formats(self) -> Codes:
        """Of `format`."""
        return Codes.of(self.pictures["format"])

    @cached_property
    def cameras(self) -> Codes:
        """Of `camera`."""
        return Codes.of(self._column("camera", pl.String()))

    @cached_property
    def size_bytes(self) -> NDArray[np.int64]:
        """Of a file."""
        return self.pictures["size_bytes"].to_numpy()

    @cached_property
    def width_px(self) -> NDArray[np.int32]:
        """Upright."""
        return self.pictures["width_px"].to_numpy()

    @cached_property
    def height_px(self) -> NDArray[np.int32]:
        """Upright."""
        return self.pictures["height_px"].to_numpy()

    @cached_property
    def short_side_px(self) -> NDArray[np.int32]:
        """The shorter of the two."""
        return np.minimum(self.width_px, self.height_px)

    @cached_property
    def size_classes(self) -> NDArray[np.intp]:
        """By `size_bytes`, the number of bounds in SIZE_BOUNDS that it reaches."""
        return np.searchsorted(SIZE_BOUNDS, self.size_bytes, side="right").astype(np.intp)

    @cached_property
    def taken_us(self) -> NDArray[np.int64]:
        """When it was made, microseconds since 1970 by the clock of the place; NO_TIME where nothing says it."""
        time = pl.Datetime("us")
        dated = self._column("dated_at", time).to_frame("dated").with_columns(taken=self._column("taken_at", time))
        return dated.select(pl.coalesce("dated", "taken").cast(pl.Int64).fill_null(NO_TIME)).to_series().to_numpy()

    @cached_property
    def camera_us(self) -> NDArray[np.int64]:
        """When the camera says it was made, as `taken_us`; NO_TIME where it says nothing."""
        return self._column("taken_at", pl.Datetime("us")).cast(pl.Int64).fill_null(NO_TIME).to_numpy()

    @cached_property
    def tones(self) -> NDArray[np.float32]:
        """The share of the commonest tone, 0 to 1; NaN where it was not measured."""
        return self._column("dominant_tone", pl.Float32()).fill_null(np.nan).to_numpy()

    @cached_property
    def qualities(self) -> NDArray[np.int32]:
        """PDQ's own quality, 0 to 100; above all of them where it was not measured."""
        return self._column("pdq_quality", pl.Int32()).fill_null(np.iinfo(np.int32).max).to_numpy()

    @cached_property
    def low_information(self) -> NDArray[np.bool_]:
        """Whether it holds too little to be told from others."""
        return self._column("low_information", pl.Boolean()).fill_null(value=False).to_numpy()

    @cached_property
    def months(self) -> tuple[NDArray[np.int32], int]:
        """Months of `taken_us`, 1 for the first that occurs, 0 where there is none; and that first since year 0."""
        known = self.taken_us[self.taken_us != NO_TIME]
        if not len(known):
            return np.zeros(len(self.taken_us), np.int32), 0
        months = self.taken_us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
        first = int(known.min().astype("datetime64[us]").astype("datetime64[M]").astype(np.int64))
        numbers = np.where(self.taken_us == NO_TIME, 0, months - first + 1)
        return numbers.astype(np.int32), first + 1970 * 12

    def _column(self, name: str, dtype: pl.DataType) -> pl.Series:
        if name in self.pictures.columns:
            return self.pictures[name].cast(dtype)
        return pl.Series(name, [None], dtype).new_from_index(0, self.pictures.height)


@dataclass(frozen=True, eq=False)
class PlaceFacts:
    """Columns by row of place; places stand picture by picture.

    Attributes:
        places: As of a library.
        starts: As of a library: int64 (n + 1,).
    """

    places: pl.DataFrame
    starts: NDArray[np.int64]
    _globs: OrderedDict[tuple[str, ...], NDArray[np.bool_]] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @cached_property
    def picture_of_place(self) -> NDArray[np.int64]:
        """The position of the picture of each place."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @cached_property
    def location_begins(self) -> NDArray[np.int64]:
        """Rows where a picture is first met at a location: places stand by picture and location."""
        codes, owners = self.locations.values, self.picture_of_place
        begins = np.ones(len(codes), bool)
        begins[1:] = (codes[1:] != codes[:-1]) | (owners[1:] != owners[:-1])
        return np.flatnonzero(begins)

    @cached_property
    def locations(self) -> Codes:
        """Of `location`."""
        return Codes.of(self.places["location"])

    @cached_property
    def modified_us(self) -> NDArray[np.int64]:
        """Microseconds since 1970, UTC; NO_TIME where the storage does not tell."""
        return self.places["modified_at"].cast(pl.Int64).fill_null(NO_TIME).to_numpy()

    def matching(self, globs: tuple[str, ...], rows: NDArray[np.int64] | None) -> NDArray[np.bool_]:
        """Which places have a path that one of the globs matches; what was asked for last is remembered.

        Args:
            globs: As `storage.globs` has them, or "location:glob" with a location that holds a picture.
            rows: Only these; None for all.

        Raises:
            SettingsError: A glob cannot be read.
        """
        with self._lock:
            known = self._globs.get(globs)
            if known is not None:
                self._globs.move_to_end(globs)
        if known is None and rows is not None and len(rows) * 4 < self.places.height:
            return self._matched(globs, rows)
        if known is None:
            known = self._matched(globs, None)
            with self._lock:
                self._globs[globs] = known
                if len(self._globs) > _KEPT_GLOBS:
                    self._globs.popitem(last=False)
        return known if rows is None else known[rows]

    def _matched(self, globs: tuple[str, ...], rows: NDArray[np.int64] | None) -> NDArray[np.bool_]:
        paths = self.places["path"] if rows is None else self.places["path"].gather(rows)
        found = np.zeros(len(paths), bool)
        for location, patterns in self._by_location(globs).items():
            if location is None:
                found |= matches_of(paths, patterns)
                continue
            names = self.locations.names
            here = np.flatnonzero(self.locations.among([name == location for name in names], rows))
            found[here] |= matches_of(paths.gather(here), patterns)
        return found

    def _by_location(self, globs: tuple[str, ...]) -> dict[str | None, list[str]]:
        """Globs by the location that they begin with; None for all locations."""
        parted: dict[str | None, list[str]] = {}
        for glob in globs:
            # A name may hold colons too; the longest that is one is meant.
            named = [name for name in self.locations.names if glob.startswith(f"{name}:")]
            location = max(named, key=len, default=None)
            parted.setdefault(location, []).append(glob if location is None else glob[len(location) + 1 :])
        return parted


def microseconds(moment: datetime) -> int:
    """A moment without zone as columns hold it."""
    since = moment - datetime(1970, 1, 1)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
