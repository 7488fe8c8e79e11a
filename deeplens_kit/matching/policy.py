"""Policy: which object of a group stays, and which member may not be proposed for removal whatever it matches.

Takes what is known of objects and pictures, gives a total order over objects and, for pairs of a keeper and a
member, a reason to withhold the member. Must not look at evidence. Only sizes, formats and tables are known here:
that a keeper shows all that its member shows is for verification to find, so where a crop is larger than a
shrunken full view, the crop stays and the view may be proposed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "POLICY_COLUMNS",
    "REASONS",
    "Withhold",
    "keeper_order",
    "picture_traits",
    "withhold_codes",
]

SIDE_TOLERANCE = 0.05
"""Sides within 5 % count as equal (inclusive): measured detail is not more exact than that."""

QUALITY_TOLERANCE = 2
"""Estimated JPEG qualities that differ by at most this count as equal (inclusive): tables are rounded."""

# What a byte of a lossy codec is worth in bytes of JPEG at equal quality, erring towards keeping the newer codec.
_CODEC_WORTH = {"JPEG": 1.0, "WEBP": 1.5, "AVIF": 2.5, "HEIF": 4.0}

UPSCALED_SHARE = 0.5
"""Up to this share of pixels with detail (inclusive) a picture counts as an upscale, by what it resolves; above, every
pixel counts. Pictures enlarged 1.5 times a side have .44, twice .25. Between .5 and 1 the measure tells noise, dither
and the blocks of JPEG 10 (1.0) from a clean original (.5 to 1), in favour of the former, and says nothing of size."""

_AREA_TOLERANCE = (1.0 + SIDE_TOLERANCE) ** 2
_GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_PALETTE_MODES = ("P", "PA")

POLICY_COLUMNS: dict[str, pl.DataType] = {
    "width_px": pl.Int32(),
    "height_px": pl.Int32(),
    "effective_pixels": pl.Int64(),
    "lossless": pl.Boolean(),
    "jpeg_quality": pl.Int32(),
    "format": pl.String(),
    "mode": pl.String(),
    "frames": pl.Int32(),
    "has_alpha": pl.Boolean(),
    "size_bytes": pl.Int64(),
    "taken_at": pl.Datetime("us"),
}
"""Columns of `pictures` that the policy looks at; any but the sides may be missing, which counts as unknown."""

_ORDER: tuple[tuple[str, bool], ...] = (
    ("size_class", True),
    ("lossless", True),
    ("jpeg_quality", True),
    ("bytes_per_pixel", True),
    ("taken_at", False),
    ("modified_at", False),
    ("location", False),
    ("path", False),
    ("object_id", False),
    ("digest", False),
)


class Withhold(IntEnum):
    """Why a member is not proposed; `NO` when it is."""

    NO = 0
    FRAMES = 1
    DETAIL = 2
    PIXELS = 3
    COLOURS = 4
    DEPTH = 5
    TRANSPARENCY = 6
    LOSSLESS = 7
    QUALITY = 8
    MORE_DATA = 9
    CODEC = 10


REASONS: dict[Withhold, str] = {
    Withhold.FRAMES: "it has several frames or pages, of which only the first was compared",
    Withhold.DETAIL: "it resolves more than the keeper",
    Withhold.PIXELS: "it has more pixels than the keeper, and no measurement shows it to be an upscale",
    Withhold.COLOURS: "it has more colours than the keeper can hold",
    Withhold.DEPTH: "it has more bits per sample than the keeper",
    Withhold.TRANSPARENCY: "it has transparency, the keeper has none",
    Withhold.LOSSLESS: "it is lossless at about the keeper's size, the keeper is lossy",
    Withhold.QUALITY: "it is less compressed than the keeper at about the same size",
    Withhold.MORE_DATA: "it is smaller but less compressed, and holds more data than the keeper",
    Withhold.CODEC: "it is as large as the keeper in another format, and may be less compressed",
}


def picture_traits(pictures: pl.DataFrame) -> pl.DataFrame:
    """What the policy compares, for each picture.

    Args:
        pictures: `digest`, `width_px`, `height_px` and whatever of `POLICY_COLUMNS` there is.

    Returns:
        Row by row: digest, pixels, upscaled, detail (pixels; where upscaled those that carry detail), size_class
        (logarithmic, one per `SIDE_TOLERANCE`), lossless, jpeg_quality, bytes_per_pixel, jpeg_bytes (what its bytes
        are worth), codec, colours (0 grey, 1 palette, 2 full), deep, has_alpha, frames, taken_at, width_px,
        height_px, size_bytes.
    """
    known = pictures.with_columns(
        pl.col(name).cast(dtype) if name in pictures.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in POLICY_COLUMNS.items()
    )
    pixels = pl.col("width_px").cast(pl.Int64) * pl.col("height_px").cast(pl.Int64)
    measured = pl.col("effective_pixels").fill_null(pl.col("pixels"))
    upscaled = measured <= UPSCALED_SHARE * pl.col("pixels")
    known = known.with_columns(pixels=pixels.clip(lower_bound=1)).with_columns(
        upscaled=upscaled, detail=pl.when(upscaled).then(measured.clip(lower_bound=1)).otherwise("pixels")
    )
    mode = pl.col("mode").fill_null("RGB")
    worth = pl.col("format").replace_strict(_CODEC_WORTH, default=1.0, return_dtype=pl.Float64).fill_null(1.0)
    return known.select(
        "digest",
        "pixels",
        "detail",
        "upscaled",
        # Rounded before the floor, so that no machine's logarithm moves a power of the tolerance.
        size_class=(pl.col("detail").log() / math.log(_AREA_TOLERANCE)).round(9).floor().cast(pl.Int32),
        lossless=pl.col("lossless").fill_null(False),
        jpeg_quality=pl.col("jpeg_quality"),
        # Of lossless pictures the larger file is no better, only larger.
        bytes_per_pixel=pl.when(pl.col("lossless").fill_null(False))
        .then(0.0)
        .otherwise((pl.col("size_bytes") / pl.col("pixels")).fill_null(0.0)),
        jpeg_bytes=(pl.col("size_bytes") * worth).fill_null(0.0),
        codec=pl.col("format").fill_null(""),
        colours=pl.when(mode.is_in(_GREY_MODES)).then(0).when(mode.is_in(_PALETTE_MODES)).then(1).otherwise(2),
        deep=mode.is_in(_DEEP_MODES),
        has_alpha=pl.col("has_alpha").fill_null(False),
        frames=pl.col("frames").fill_null(1),
        taken_at="taken_at",
        width_px="width_px",
        height_px="height_px",
        size_bytes="size_bytes",
    )


def keeper_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows best keeper first: a total order.

    Most effective pixels (sides within 5 % count as equal), then lossless over lossy, then the higher JPEG quality,
    then (of lossy ones) more bytes per pixel, then taken earlier, then modified earlier, then location and path.

    Args:
        frame: Columns of `picture_traits`, and of objects those that there are: modified_at, location (its name;
            else location_id), path, object_id.
    """
    if "location" not in frame.columns and "location_id" in frame.columns:
        frame = frame.with_columns(location="location_id")
        return keeper_order(frame).drop("location")
    keys = [(name, descending) for name, descending in _ORDER if name in frame.columns]
    return frame.sort([name for name, _ in keys], descending=[descending for _, descending in keys], nulls_last=True)


@dataclass(frozen=True, slots=True)
class _Side:
    """Traits of one side of many pairs, as arrays of one length."""

    columns: dict[str, NDArray[Any]]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]


def withhold_codes(traits: pl.DataFrame, keepers: NDArray[np.int64], members: NDArray[np.int64]) -> NDArray[np.int8]:
    """Why each member may not be proposed against its keeper, a `Withhold` code each, 0 where it may.

    Args:
        traits: From `picture_traits`.
        keepers: int64 (m,), rows of `traits`.
        members: int64 (m,), rows of `traits`.
    """
    columns = {
        name: traits[name].to_numpy()
        for name in ("pixels", "detail", "upscaled", "lossless", "jpeg_bytes", "colours", "deep", "has_alpha", "frames")
    }
    columns["quality"] = traits["jpeg_quality"].fill_null(0).to_numpy()
    columns["codec"] = traits["codec"].rank("dense").to_numpy()
    keeper = _Side({name: values[keepers] for name, values in columns.items()})
    member = _Side({name: values[members] for name, values in columns.items()})
    codes = np.zeros(len(keepers), np.int8)
    # The gravest reason last, because a later one overwrites an earlier one.
    for code, holds in reversed(_objections(keeper, member)):
        codes[holds] = code
    return codes


def _objections(keeper: _Side, member: _Side) -> list[tuple[Withhold, NDArray[np.bool_]]]:
    """Every reason to withhold with where it holds, the gravest first."""
    more_detail = member["detail"] > keeper["detail"] * _AREA_TOLERANCE
    # By either count: what looks like an upscale beside a keeper of its size may be a soft picture's best version.
    as_large = (member["detail"] * _AREA_TOLERANCE >= keeper["detail"]) | (
        member["pixels"] * _AREA_TOLERANCE >= keeper["pixels"]
    )
    both_lossy = ~member["lossless"] & ~keeper["lossless"]
    rated = both_lossy & (member["quality"] > 0) & (keeper["quality"] > 0)
    better_rated = rated & (member["quality"] > keeper["quality"] + QUALITY_TOLERANCE)
    unrated = both_lossy & ~rated & (member["jpeg_bytes"] > keeper["jpeg_bytes"])
    same_codec = member["codec"] == keeper["codec"]
    return [
        (Withhold.FRAMES, member["frames"] > 1),
        (Withhold.DETAIL, more_detail),
        (Withhold.PIXELS, (member["pixels"] > keeper["pixels"]) & ~member["upscaled"]),
        (Withhold.COLOURS, member["colours"] > keeper["colours"]),
        (Withhold.DEPTH, member["deep"] & ~keeper["deep"]),
        (Withhold.TRANSPARENCY, member["has_alpha"] & ~keeper["has_alpha"]),
        (Withhold.LOSSLESS, as_large & member["lossless"] & ~keeper["lossless"]),
        (Withhold.QUALITY, as_large & (better_rated | (unrated & same_codec))),
        # A thumbnail of higher quality is no better picture; one that weighs more than its keeper may be.
        (Withhold.MORE_DATA, better_rated & (member["jpeg_bytes"] > keeper["jpeg_bytes"])),
        (Withhold.CODEC, as_large & unrated & ~same_codec),
    ]
