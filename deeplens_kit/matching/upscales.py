"""Upscales: which pictures a copy shows to hold fewer pixels than they have, and how many they hold then.

Takes what was measured of single pictures and, better, of pairs laid on each other (`resolution`); gives the columns
by which the policy counts detail. Must not choose keepers. What a pair shows goes before what one picture looks like:
a blind measure takes a soft photograph for an upscale and misses what was sharpened afterwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.policy import RESOLVES_LESS
from deeplens_kit.matching.traits import AREA_TOLERANCE, SIDE_TOLERANCE, known_columns

__all__ = ["ADDS_NOTHING", "mark_outdone", "oriented", "outdone_by", "resolved_pixels", "with_resolution"]

ADDS_NOTHING = 1 + SIDE_TOLERANCE
"""A larger picture that resolves at most so many pixels per pixel of a smaller copy along a line (inclusive) is an
upscale: what it has more, that copy has too."""

_ADDS_NOTHING, _RESOLVES_LESS, _ONE = np.float32(ADDS_NOTHING), np.float32(RESOLVES_LESS), np.float32(1)
# As matching measures: both sides of a pair of copies whose areas differ by more than this.
_MEASURED_AREA = (1.0 - SIDE_TOLERANCE) ** 2
_ROWS = 1 << 20


def with_resolution(pictures: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The pictures with what pairs show of their size; no threshold changes it.

    Args:
        pictures: As for `policy.picture_traits`.
        pairs: Pairs that may be copies: digest_a, digest_b and, where there are, `resolution`, `covered_a` and
            `covered_b` as in PAIRS.

    Returns:
        `pictures` with `paired_pixels` (Int64): how many pixels a copy shows the picture to hold, the least of all
        copies' and one class of size less than it, null where none shows it to hold fewer than it has.
        `effective_pixels` is every pixel where the picture resolves more than a copy that has as many pixels as the
        blind measure credits it with.
    """
    empty = pl.lit(None, pl.Int64).alias("paired_pixels")
    if "resolution" not in pairs.columns or pairs["resolution"].null_count() == pairs.height:
        return pictures.with_columns(empty)
    facts = resolved_pixels(pictures)
    # A part at a time: what it takes to compare the ends of a pair is ten times what is known of it.
    parts = [_shown_and_refuted(part, facts) for part in pairs.iter_slices(_ROWS)]
    least = pl.concat([shown for shown, _ in parts]).group_by("digest").agg(pl.col("paired_pixels").min())
    refuted = pl.concat([more for _, more in parts]).unique()
    every = pl.col("width_px").cast(pl.Int64) * pl.col("height_px").cast(pl.Int64)
    measured = pl.col("effective_pixels") if "effective_pixels" in pictures.columns else pl.lit(None, pl.Int64)
    held = pl.when(pl.col("digest").is_in(refuted.implode())).then(every).otherwise(measured.cast(pl.Int64))
    return pictures.join(least, on="digest", how="left", maintain_order="left").with_columns(effective_pixels=held)


def _shown_and_refuted(pairs: pl.DataFrame, facts: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """What pairs show some pictures to hold: digest, paired_pixels, the least; and which resolve more than a copy."""
    ends = _both_ways(pairs.filter(pl.col("resolution").is_finite()), facts)
    ratio, pixels, other = (ends[name].to_numpy() for name in ("resolution", "pixels", "pixels_other"))
    share = (ends["covered_other"] / ends["covered"]).fill_null(1.0).fill_nan(1.0).to_numpy()
    # One class of size less than the copy: of two that resolve the same, what was not enlarged stays.
    resolved = np.square(np.minimum(ratio, 1.0), dtype=np.float64) / AREA_TOLERANCE
    holds = np.clip(np.nan_to_num(other * share * resolved, nan=1.0), 1, pixels)
    shown = ends.select("digest", paired_pixels=pl.Series(holds, dtype=pl.Float64).round().cast(pl.Int64)).filter(
        pl.Series(_outdone_in_pair(pixels, other, ratio), dtype=pl.Boolean)
    )
    least = shown.group_by("digest").agg(pl.col("paired_pixels").min())
    more = (ratio > _ADDS_NOTHING) & (other * AREA_TOLERANCE >= ends["resolves"].to_numpy()) & (other < pixels)
    return least, ends["digest"].filter(pl.Series(more, dtype=pl.Boolean)).unique()


def mark_outdone(pictures: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    """Which pictures a copy outdoes: one that resolves as much with fewer pixels (sides over 5 % shorter).

    A soft photograph measures like an upscale, and noise put on it does not. Without such a copy its size stands.

    Args:
        pictures: From `with_resolution`.
        copies: Pairs: digest_a, digest_b and, where there is one, `resolution`.

    Returns:
        `pictures` with the column `outdone`. What was not measured counts as resolving all its pixels.
    """
    ends = _both_ways(copies, resolved_pixels(pictures))
    columns = ("pixels", "resolves", "pixels_other", "resolves_other", "resolution")
    outdone = outdone_by(*(ends[name].to_numpy() for name in columns))
    found = ends["digest"].filter(pl.Series(outdone, dtype=pl.Boolean))
    return pictures.with_columns(outdone=pl.col("digest").is_in(found.unique().implode()))


def resolved_pixels(pictures: pl.DataFrame) -> pl.DataFrame:
    """Row by row digest, pixels, and how many of them it resolves: all where that was not measured."""
    known = known_columns(pictures)
    return known.select("digest", "pixels", resolves=pl.col("effective_pixels").fill_null(pl.col("pixels")))


def outdone_by(
    pixels: NDArray[Any],
    resolves: NDArray[Any],
    pixels_other: NDArray[Any],
    resolves_other: NDArray[Any],
    resolution: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Whether the other picture, a copy, outdoes the first.

    Args:
        pixels: Integers (m,) of the first, as `resolved_pixels` says; the next three likewise.
        resolves: Of the first.
        pixels_other: Of the other.
        resolves_other: Of the other.
        resolution: float32 (m,), pixels of the first per pixel of the other along a line; NaN where nobody looked:
            there the single measures decide.
    """
    blind = (pixels_other < pixels * _MEASURED_AREA) & (resolves_other * AREA_TOLERANCE >= resolves)
    outdone: NDArray[np.bool_] = np.where(
        np.isnan(resolution), blind, _outdone_in_pair(pixels, pixels_other, resolution)
    )
    return outdone


def _outdone_in_pair(
    pixels: NDArray[Any], pixels_other: NDArray[Any], resolution: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """What `outdone_by` says by the pair alone; nowhere where that was not measured (NaN)."""
    upscale = (pixels_other < pixels * _MEASURED_AREA) & (resolution <= _ADDS_NOTHING)
    blown_up = (pixels_other <= pixels * AREA_TOLERANCE) & (resolution < _RESOLVES_LESS)
    outdone: NDArray[np.bool_] = upscale | blown_up
    return outdone


def oriented(resolution: NDArray[np.float32], swapped: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The resolution of pairs, turned round where they are swapped."""
    known = resolution.astype(np.float32)
    turned: NDArray[np.float32] = np.where(swapped, _ONE / known, known)
    return turned


def _both_ways(pairs: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Each pair from either end: digest, other, resolution (NaN: unknown), covered, covered_other, and the facts."""
    optional = {"resolution": pl.Float32(), "covered_a": pl.Float32(), "covered_b": pl.Float32()}
    known = pairs.select(
        "digest_a",
        "digest_b",
        *(name if name in pairs.columns else pl.lit(None, dtype).alias(name) for name, dtype in optional.items()),
    ).with_columns(pl.col("resolution").fill_null(float("nan")))
    one_way = known.select(
        "resolution", digest="digest_a", other="digest_b", covered="covered_a", covered_other="covered_b"
    )
    ratio = known["resolution"].to_numpy()
    turned = pl.Series(oriented(ratio, np.ones(len(ratio), np.bool_)), dtype=pl.Float32)
    other_way = known.select(
        resolution=turned, digest="digest_b", other="digest_a", covered="covered_b", covered_other="covered_a"
    )
    ends = pl.concat([one_way, other_way], how="vertical")
    return ends.join(facts, on="digest").join(facts, left_on="other", right_on="digest", suffix="_other")
