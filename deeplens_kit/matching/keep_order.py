"""The order of keepers: objects sorted by a keep policy, the one that should stay first.

Takes objects with the traits of their pictures and a policy, gives the keys that it comes to and the rows in their
order: a total one, however the rows came in. Must not decide what may go: a place in the order is no permission.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.keep_policy import DEFAULT_POLICY, KeepCriterion, KeepPolicy
from deeplens_kit.matching.losses import TOLD_BITS

__all__ = [
    "KEEP_FACTS",
    "MOST_POINTS",
    "is_protected",
    "keeper_keys",
    "keeper_order",
    "leading_classes",
    "numbered_order",
    "point_terms",
]

KEEP_FACTS: dict[str, pl.DataType] = {
    "protected": pl.Boolean(),
    "path_class": pl.Int32(),
    "place_cost": pl.Float64(),
    "place_copies": pl.Int32(),
    "place_immutable": pl.Boolean(),
    "notes": pl.Int32(),
}
"""What a policy may ask of objects besides OBJECTS, and the pipeline finds out: protected (never proposed), path_class
(the greater the better, 0 for paths that nothing is said of, below for those avoided), place_cost (of a GB and month,
in the currency of the price book; null: unknown), place_copies (that the storage keeps), place_immutable, notes (how
much people said of the picture). What is missing says nothing."""

MOST_POINTS = 1000
"""That a criterion of weight 1 gives; 0 are the fewest."""

# Each criterion's columns, and whether the greater comes first. `holders` is counted here.
_KEYS: dict[KeepCriterion, tuple[tuple[str, bool], ...]] = {
    KeepCriterion.RESOLUTION: (("size_class", True),),
    KeepCriterion.COLOUR: (("colours", True), ("deep", True), ("has_alpha", True)),
    KeepCriterion.CAMERA: (("from_camera", True),),
    KeepCriterion.QUALITY: (("lossless", True), ("quality_class", True), ("density_class", True)),
    KeepCriterion.ORIGINAL: (("native", True),),
    KeepCriterion.FAMILY: (("stays", True), ("in_family", True)),
    KeepCriterion.AGE: (("taken_at", False), ("modified_at", False)),
    KeepCriterion.METADATA: (("told_facts", True),),
    KeepCriterion.PATH: (("path_class", True),),
    KeepCriterion.CHEAPER: (("place_cost", False),),
    KeepCriterion.REPLICATED: (("place_copies", True),),
    KeepCriterion.IMMUTABLE: (("place_immutable", True),),
    KeepCriterion.REFERENCES: (("notes", True), ("holders", True), ("link_count", True)),
}
_TIES: tuple[tuple[str, bool], ...] = (("location", False), ("path", False), ("object_id", False), ("digest", False))

# No preference puts what was tilted or holds foreign content before what was not, another file before one that is
# protected, or a file of a family that goes before its twin that stays. The default order has all of it by itself.
_FIRST: tuple[tuple[str, bool], ...] = (("demoted", False), ("protected", True), ("stays", True))
_POINTS = "points"
_BY_THRESHOLDS = ("size_class", _POINTS)

_EPOCH = datetime(1990, 1, 1)
_DAYS_A_POINT = 20
_SIZE_CLASSES, _QUALITY_CLASSES = 250, 22
_UNKNOWN_QUALITY = 400


def keeper_keys(policy: KeepPolicy, columns: Collection[str]) -> list[tuple[str, bool]]:
    """The columns that rows are sorted by, in turn, and whether the greater comes first; each column once.

    Args:
        policy: Whose order it is.
        columns: That there are, as `keeper_order` needs them; others are left out.
    """
    usual = DEFAULT_POLICY.criteria
    as_usual = not policy.is_weighted and not policy.protects and policy.criteria == usual[: len(policy.criteria)]
    keys = [] if as_usual else [*_FIRST]
    keys += [(_POINTS, True)] if policy.is_weighted else [key for name in policy.criteria for key in _KEYS[name]]
    keys += [key for name in usual for key in _KEYS[name]]
    keys += _TIES
    descending = dict(reversed(keys))
    return [(name, descending[name]) for name in dict.fromkeys(name for name, _ in keys) if name in columns]


def keeper_order(frame: pl.DataFrame, policy: KeepPolicy = DEFAULT_POLICY) -> pl.DataFrame:
    """Rows best keeper first: a total order, with the columns that the policy counted.

    By default most effective pixels (sides within 5 % count as equal; what was tilted by hand comes after all else),
    then full colours over a palette over grey: a GIF is lossless, but no lossless form of a photograph. Then 16 bits
    over 8, with transparency, what comes from a camera by its metadata, lossless over lossy, the higher class of JPEG
    quality, (of lossy ones whose quality is not known) of bytes per pixel, the lossy file before the lossless one that
    was made from it, what belongs with other files, then taken earlier, modified earlier, and last location and path.

    Args:
        frame: Columns of `picture_traits`, and of objects those that there are: stays and in_family (as
            `family_copies` says), modified_at, location (its name; else location_id), path, object_id, link_count, and
            of `KEEP_FACTS`. Every object of a picture is among the rows.
        policy: What comes first.
    """
    if "location" not in frame.columns and "location_id" in frame.columns:
        frame = frame.with_columns(location="location_id")
        return keeper_order(frame, policy).drop("location")
    if KeepCriterion.REFERENCES in policy.criteria:
        frame = frame.with_columns(holders=pl.len().over("digest"))
    frame = _with_points(frame, policy)
    keys = keeper_keys(policy, frame.columns)
    return frame.sort([name for name, _ in keys], descending=[descending for _, descending in keys], nulls_last=True)


def is_protected(columns: Collection[str]) -> pl.Expr:
    """Whether an object is never proposed; nowhere where nobody said."""
    return pl.col("protected").fill_null(False) if "protected" in columns else pl.lit(False)


def numbered_order(best: pl.DataFrame, policy: KeepPolicy) -> pl.DataFrame:
    """Pictures by their best objects, in the order that no threshold changes: that of equal `leading_classes`.

    Args:
        best: Rows of `keeper_order`, one for each picture.
        policy: As for that.
    """
    if "location" not in best.columns and "location_id" in best.columns:
        return numbered_order(best.with_columns(location="location_id"), policy).drop("location")
    keys = _split(policy, best.columns)[1]
    return best.sort([name for name, _ in keys], descending=[descending for _, descending in keys], nulls_last=True)


def leading_classes(best: pl.DataFrame, as_upscales: pl.DataFrame, policy: KeepPolicy) -> NDArray[np.int32]:
    """Classes of pictures by all keys up to the last that a threshold can change: the greater class comes first.

    Args:
        best: From `numbered_order`.
        as_upscales: The same rows with the traits that they have as upscales.
        policy: As for `keeper_order`.

    Returns:
        int32 (2, n): as they are, and as upscales.
    """
    keys = _split(policy, best.columns)[0]
    if [name for name, _ in keys] == ["size_class"]:
        sides = [best["size_class"].to_numpy(), as_upscales["size_class"].to_numpy()]
        return np.ascontiguousarray(np.stack(sides), np.int32)
    if not keys:
        return np.zeros((2, best.height), np.int32)
    names = [name for name, _ in keys]
    both = pl.concat([_with_points(side, policy).select(names) for side in (best, as_upscales)]).with_row_index("row")
    both = both.sort(names, descending=[descending for _, descending in keys], nulls_last=True)
    starts = both.select(pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in names))
    classes = np.empty(both.height, np.int32)
    classes[both["row"].to_numpy()] = -np.cumsum(starts.to_series().to_numpy())
    return classes.reshape(2, best.height)


def _split(policy: KeepPolicy, columns: Collection[str]) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """The keys up to the last that thresholds can change, and those after it."""
    keys = keeper_keys(policy, columns)
    last = max((at for at, (name, _) in enumerate(keys) if name in _BY_THRESHOLDS), default=-1)
    return keys[: last + 1], keys[last + 1 :]


def _with_points(frame: pl.DataFrame, policy: KeepPolicy) -> pl.DataFrame:
    if not policy.is_weighted:
        return frame
    return frame.with_columns(pl.sum_horizontal(point_terms(policy, frame.columns).values()).alias(_POINTS))


def point_terms(policy: KeepPolicy, columns: Collection[str]) -> dict[KeepCriterion, pl.Expr]:
    """What each criterion of a weighted policy adds to the points of a row: whole numbers, so that sums are exact."""
    weights = dict(zip(policy.criteria, policy.weights, strict=True))
    return {
        name: _share(name, columns).fill_null(0).cast(pl.Int64).clip(0, MOST_POINTS) * weight
        for name, weight in weights.items()
    }


def _share(name: KeepCriterion, columns: Collection[str]) -> pl.Expr:
    """What a criterion gives, from 0 to `MOST_POINTS`."""
    most = pl.lit(MOST_POINTS, pl.Int64)

    def known(column: str, otherwise: object = None) -> pl.Expr:
        return pl.col(column) if column in columns else pl.lit(otherwise)

    def if_true(column: str) -> pl.Expr:
        return pl.when(known(column, otherwise=False)).then(most).otherwise(0)

    match name:
        case KeepCriterion.RESOLUTION:
            return pl.col("size_class").cast(pl.Int64) * (MOST_POINTS // _SIZE_CLASSES)
        case KeepCriterion.COLOUR:
            return pl.col("colours") * 300 + (pl.col("deep") > 1) * 250 + pl.col("has_alpha") * 150
        case KeepCriterion.CAMERA:
            return if_true("from_camera")
        case KeepCriterion.QUALITY:
            rated = pl.col("quality_class").cast(pl.Int64) * (MOST_POINTS // _QUALITY_CLASSES)
            return pl.when("lossless").then(most).otherwise(rated.fill_null(_UNKNOWN_QUALITY))
        case KeepCriterion.ORIGINAL:
            return if_true("native")
        case KeepCriterion.FAMILY:
            return if_true("in_family")
        case KeepCriterion.AGE:
            days = [pl.col("taken_at").cast(pl.Datetime("us"))]
            if "modified_at" in columns:
                days.append(pl.col("modified_at").dt.convert_time_zone("UTC").dt.replace_time_zone(None))
            since = (pl.coalesce(days) - pl.lit(_EPOCH)).dt.total_days()
            return most - since.clip(0) // _DAYS_A_POINT
        case KeepCriterion.METADATA:
            return pl.col("told_facts").cast(pl.Int64) * (MOST_POINTS // TOLD_BITS)
        case KeepCriterion.PATH:
            return known("path_class", 0).sign().cast(pl.Int64) * (MOST_POINTS // 2) + MOST_POINTS // 2
        case KeepCriterion.CHEAPER:
            # A GB and month at .02 gives half of the points, as common object storage costs; what is free gives all.
            return (MOST_POINTS / (1.0 + 50.0 * known("place_cost").cast(pl.Float64))).round()
        case KeepCriterion.REPLICATED:
            return (known("place_copies", 1).cast(pl.Int64) - 1) * (MOST_POINTS // 4)
        case KeepCriterion.IMMUTABLE:
            return if_true("place_immutable")
        case KeepCriterion.REFERENCES:
            names = known("link_count", 1).cast(pl.Int64) - 1
            others = pl.col("holders").cast(pl.Int64) - 1
            return known("notes", 0).cast(pl.Int64) * 200 + (others + names) * 100
