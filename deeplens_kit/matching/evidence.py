"""Every score of given pairs, whatever signal found them.

Takes pictures in an order, vectors by feature, and pairs of positions; gives the evidence columns of PAIRS. A score
is null where a picture lacks the feature. Must not search or judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.features import dihedral_pdq, dihedral_phash, unpack_regions
from deeplens_kit.matching.neighbours.base import hash_words
from deeplens_kit.matching.neighbours.brute_force import unit_rows

__all__ = [
    "HashColumn",
    "RegionColumn",
    "VectorColumn",
    "hash_columns",
    "pair_evidence",
    "region_column",
    "region_cosines",
    "vector_columns",
]

PDQ_BYTES = 32
"""Bytes of a PDQ hash; one of another length counts as missing."""

VECTOR_COLUMNS = {"sscd_small": "sscd_small", "sscd": "sscd", "sscd_torch": "sscd"}
"""Feature -> column of PAIRS that its cosines fill. The TorchScript weights are the same full model: they speak where
the other form of it does not."""

REGIONS, REGIONS_OF = "sscd_small_regions", "sscd_small"
"""The feature that holds regions, and the feature of whole pictures that their vectors are compared with."""

_BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class HashColumn:
    """The hashes of the pictures that have one.

    Attributes:
        name: "pdq" or "phash".
        positions: int64 (m,), positions of the pictures, rising.
        hashes: uint64 (m,) or uint8 (m, 32).
        variants: The same in eight orientations, (8, m) or (8, m, 32), the first as given.
    """

    name: str
    positions: NDArray[np.int64]
    hashes: NDArray[np.uint8] | NDArray[np.uint64]
    variants: NDArray[np.uint8] | NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class VectorColumn:
    """The vectors of the pictures that have one: float16 or float32 (m, d), rows by rising position."""

    name: str
    positions: NDArray[np.int64]
    vectors: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class RegionColumn:
    """The regions of the pictures that have some.

    Attributes:
        positions: int64 (m,), position of the picture of each region, rising.
        boxes: float32 (m, 4): left, top, right, bottom, shares of the upright picture.
        vectors: float16 (m, d).
    """

    positions: NDArray[np.int64]
    boxes: NDArray[np.float32]
    vectors: NDArray[np.float16]


def hash_columns(pictures: pl.DataFrame) -> list[HashColumn]:
    """PDQ and pHash of the pictures, each where the column exists."""
    columns: list[HashColumn] = []
    if "pdq" in pictures.columns:
        usable = (pictures["pdq"].bin.size() == PDQ_BYTES).fill_null(False).to_numpy()
        packed = b"".join(pictures["pdq"].filter(pl.Series(usable, dtype=pl.Boolean)))
        pdq = np.frombuffer(packed, np.uint8).reshape(-1, PDQ_BYTES)
        columns.append(HashColumn("pdq", np.flatnonzero(usable), pdq, dihedral_pdq(pdq)))
    if "phash" in pictures.columns:
        usable = pictures["phash"].is_not_null().to_numpy()
        phash = pictures["phash"].drop_nulls().cast(pl.UInt64).to_numpy()
        columns.append(HashColumn("phash", np.flatnonzero(usable), phash, dihedral_phash(phash)))
    return columns


def vector_columns(
    digests: pl.Series, vectors: Mapping[str, tuple[Sequence[str], NDArray[np.floating]]]
) -> list[VectorColumn]:
    """Vectors put in the order of `digests`; left out are those of other pictures, and features without a column."""
    place = pl.DataFrame({"digest": digests, "position": pl.int_range(len(digests), eager=True)})
    columns = []
    for name in VECTOR_COLUMNS:
        if name in vectors:
            columns.append(VectorColumn(name, *_placed(place, *vectors[name])))
    return columns


def region_column(
    digests: pl.Series, vectors: Mapping[str, tuple[Sequence[str], NDArray[np.floating]]]
) -> RegionColumn | None:
    """Regions put in the order of `digests`; None where no picture has one."""
    if REGIONS not in vectors:
        return None
    place = pl.DataFrame({"digest": digests, "position": pl.int_range(len(digests), eager=True)})
    positions, rows = _placed(place, *vectors[REGIONS])
    regions = unpack_regions(rows.astype(np.float16, copy=False))
    return RegionColumn(positions[regions.row], regions.boxes, regions.vectors) if len(regions.row) else None


def _placed(
    place: pl.DataFrame, owners: Sequence[str], rows: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    listed = pl.DataFrame({"digest": pl.Series(list(owners), dtype=pl.String)}).with_row_index("row")
    found = listed.join(place, on="digest").unique("position", keep="first", maintain_order=True).sort("position")
    return found["position"].to_numpy().astype(np.int64), rows[found["row"].to_numpy()]


def pair_evidence(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    count: int,
    hashes: Sequence[HashColumn],
    vectors: Sequence[VectorColumn],
) -> pl.DataFrame:
    """Evidence columns of PAIRS for the pairs (left, right).

    Args:
        left: int64 (m,), positions of the pictures with the smaller digest.
        right: int64 (m,), positions of those with the greater.
        count: How many pictures there are.
        hashes: From `hash_columns`.
        vectors: From `vector_columns`, in its order: what comes first fills a column first.
    """
    columns: dict[str, pl.Series] = {
        "phash_distance": _nulls(len(left), pl.Int32()),
        "pdq_distance": _nulls(len(left), pl.Int32()),
        "orientation": _nulls(len(left), pl.Int32()),
        "sscd_small": _nulls(len(left), pl.Float32()),
        "sscd": _nulls(len(left), pl.Float32()),
    }
    for column in hashes:
        distance, orientation = _distances(column, left, right, count)
        columns[f"{column.name}_distance"] = distance
        if column.name == "pdq":
            columns["orientation"] = orientation
    for vector in vectors:
        name = VECTOR_COLUMNS[vector.name]
        found = _cosines(vector, left, right, count)
        columns[name] = columns[name].zip_with(columns[name].is_not_null(), found)
    return pl.DataFrame(columns)


def region_cosines(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    count: int,
    regions: RegionColumn | None,
    vectors: Sequence[VectorColumn],
) -> pl.Series:
    """The best cosine of a region of one picture of a pair with the other picture, null where there is none.

    Args:
        left: int64 (m,), positions of pictures.
        right: int64 (m,), positions of the others.
        count: How many pictures there are.
        regions: From `region_column`.
        vectors: From `vector_columns`; those of the regions' model are taken.
    """
    best = np.full(len(left), -np.inf, np.float32)
    whole = next((column for column in vectors if column.name == REGIONS_OF), None)
    if regions is not None and whole is not None:
        row = np.full(count, -1, np.int64)
        row[whole.positions] = np.arange(len(whole.positions))
        starts = np.searchsorted(regions.positions, np.arange(count + 1))
        for owner, other in ((left, right), (right, left)):
            pair = np.flatnonzero((row[other] >= 0) & (starts[owner + 1] > starts[owner]))
            number = starts[owner[pair] + 1] - starts[owner[pair]]
            pair = np.repeat(pair, number)
            region = np.arange(len(pair)) - np.repeat(np.cumsum(number) - number, number) + starts[owner[pair]]
            cosines = _products(regions.vectors, region, whole.vectors, row[other[pair]])
            np.fmax.at(best, pair, cosines)
    return pl.Series("sscd_region", best, pl.Float32).set(pl.Series(~np.isfinite(best)), None)


def _products(
    first: NDArray[np.floating], a: NDArray[np.int64], second: NDArray[np.floating], b: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Cosines of rows; NaN where a vector has no length."""
    cosines = np.empty(len(a), np.float32)
    for start in range(0, len(a), _BLOCK):
        part = slice(start, start + _BLOCK)
        rows = unit_rows(first[a[part]]), unit_rows(second[b[part]])
        cosines[part] = np.clip(np.einsum("ij,ij->i", *rows), -1.0, 1.0)
    return cosines


def _distances(
    column: HashColumn, left: NDArray[np.int64], right: NDArray[np.int64], count: int
) -> tuple[pl.Series, pl.Series]:
    from deeplens_kit.matching.pair_kernels import best_variants

    a, b, both = _rows(column.positions, left, right, count)
    distances, orientations = best_variants(hash_words(column.hashes), hash_words(column.variants), a, b)
    return _spread(distances, both, pl.Int32()), _spread(orientations, both, pl.Int32())


def _cosines(column: VectorColumn, left: NDArray[np.int64], right: NDArray[np.int64], count: int) -> pl.Series:
    a, b, both = _rows(column.positions, left, right, count)
    cosines = _products(column.vectors, a, column.vectors, b)
    # A vector without length or with NaN says nothing.
    return _spread(cosines, both, pl.Float32()).fill_nan(None)


def _rows(
    positions: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Rows of a feature for the pairs that have it on both sides, and which pairs these are."""
    row = np.full(count, -1, np.int64)
    row[positions] = np.arange(len(positions))
    a, b = row[left], row[right]
    both = (a >= 0) & (b >= 0)
    return a[both], b[both], both


def _spread(values: NDArray[np.generic], where: NDArray[np.bool_], dtype: pl.DataType) -> pl.Series:
    if where.all():
        return pl.Series(values, dtype=dtype)
    spread = np.zeros(len(where), values.dtype)
    spread[where] = values
    return pl.Series(spread, dtype=dtype).set(pl.Series(~where), None)


def _nulls(count: int, dtype: pl.DataType) -> pl.Series:
    return pl.Series([None], dtype=dtype).new_from_index(0, count) if count else pl.Series([], dtype=dtype)
