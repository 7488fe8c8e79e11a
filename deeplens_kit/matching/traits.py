"""Traits: what of a picture is compared when one copy has to stay for another.

Takes what is known of pictures by their files and by measurement, gives one row of comparable numbers for each. Must
not order or withhold: the policy does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.losses import told

__all__ = [
    "AREA_TOLERANCE",
    "COMPARED_COLUMNS",
    "DENSITY_TOLERANCE",
    "POLICY_COLUMNS",
    "QUALITY_TOLERANCE",
    "SIDE_TOLERANCE",
    "ComparedTraits",
    "beside_bit",
    "known_columns",
    "not_looked_at_bit",
    "picture_traits",
]

SIDE_TOLERANCE = 0.05
"""Sides within 5 % count as equal (inclusive): measured detail is not more exact than that."""

QUALITY_TOLERANCE = 2
"""Estimated JPEG qualities that differ by at most this count as equal (inclusive): tables are rounded, and a picture
saved again at its own quality or a little above has lost, not gained."""

DENSITY_TOLERANCE = 1.25
"""Bytes per pixel of pictures without a known quality that differ by at most this factor (inclusive) count as equal:
a watermark, noise and sharpening cost bytes too."""

# What a byte of a lossy codec is worth in bytes of JPEG at equal quality, erring towards keeping the newer codec.
_CODEC_WORTH = {"JPEG": 1.0, "WEBP": 1.5, "AVIF": 2.5, "HEIF": 4.0}

_BUSY_PALETTE = 0.3
"""From so many bytes a pixel (inclusive) a palette is a photograph's, quantised and dithered: lossless by its format
alone. Photographs of the development benchmark take .31 to .9 as GIF, .2 to .6 with 64 colours; drawings a tenth."""

UPSCALED_SHARE = 0.5
"""Up to this share of pixels with detail (inclusive) a picture that a smaller copy outdoes counts as an upscale, by
what it resolves; above, every pixel counts. Pictures enlarged 1.5 times a side have .44, twice .25. Between .5 and 1
the measure tells noise, dither and the blocks of JPEG 10 (1.0) from a clean original (.5 to 1), in favour of the
former, and says nothing of size."""

USED_SHARE = 0.70
"""From this share of pixels with detail (inclusive) the nominal size of a picture is really used."""

# More than there are classes of size: what was tilted comes after all else, and what holds foreign content after that.
_TILTED_CLASSES, _FOREIGN_CLASSES = 1_000, 2_000

AREA_TOLERANCE = (1.0 + SIDE_TOLERANCE) ** 2
"""Areas that differ by at most this factor (inclusive) count as equal."""

# Qualities 88 to 92 are one class, 93 to 97 the next: what people choose lies in the middle of its class.
_QUALITY_CLASS = 2 * QUALITY_TOLERANCE + 1
_LEAST = 1e-6  # bytes per pixel; what is 0 or unknown counts as this
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")  # before their depth
_DEPTHS = {"16": 2, "16B": 2, "16L": 2, "16N": 2, "16f": 3, "32": 4, "32f": 5, "64": 6, "64f": 7}
"""What follows the semicolon of a mode, in the order in which each can hold all of the last; 8 bits and fewer are 1."""

_DEEP_MODES = {"I": _DEPTHS["32"], "F": _DEPTHS["32f"]}
_PALETTE_MODES = ("P", "PA")

_BESIDE_KINDS = (
    *("sensor data", "layers", "pages", "pictures", "video", "sound", "thermal", "gain map", "depth", "mattes"),
    *("channels", "sizes", "unknown data"),
)
"""What a file can hold beside its picture, as `pictures.auxiliary` names it."""

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
    "camera": pl.String(),
    "colourfulness": pl.Float32(),
    "sharpness": pl.Float32(),
    "auxiliary": pl.String(),
}
"""Columns of `pictures` that the policy looks at; any but the sides may be missing, which counts as unknown."""


def picture_traits(pictures: pl.DataFrame) -> pl.DataFrame:
    """What the policy compares, for each picture.

    Args:
        pictures: `digest`, `width_px`, `height_px`, whatever of `POLICY_COLUMNS` there is, `paired_pixels` where
            `upscales.with_resolution` found them, `source_format` and its likes where `equal_samples.mark_sources` did,
            `foreign` and `tilted` where `relations.mark_foreign` and `mark_tilted` did, and `outdone` where
            `upscales.mark_outdone` did; without that column all that measure like upscales count as such.

    Returns:
        Row by row: digest, pixels, measured (whether its detail was), effective (pixels, what came of that; null where
        it was not), used (whether that fills its size), upscaled,
        detail (pixels; where upscaled those that carry detail), size_class (logarithmic, one per `SIDE_TOLERANCE`, less
        demoted), demoted (0; more where it was tilted, and more where it holds foreign content),
        lossless (and not made from a lossy file), jpeg_quality, quality_class, bytes_per_pixel (0 where lossless),
        density_class (of lossy pictures without a known quality, logarithmic), jpeg_bytes (what its bytes are worth),
        codec, coded_by (that of the lossy file it was made from, where there is one), native (it was not made from
        one), colours (0 grey, 1 palette, 2 full), quantised (a palette of a photograph, by its bytes), colourfulness,
        deep (1 up to 8 bits a sample, the higher the deeper), has_alpha, frames, beside (a `beside_bit` for each thing
        beside its picture, or `not_looked_at_bit`), from_camera (it says when or with what it was taken), told and
        told_facts (`losses.told`, and how many), taken_at, width_px, height_px, size_bytes.
    """
    known = known_columns(pictures)
    demoted = pl.lit(0)
    for name, classes in (("foreign", _FOREIGN_CLASSES), ("tilted", _TILTED_CLASSES)):
        if name in pictures.columns:
            demoted += pl.when(name).then(classes).otherwise(0)
    outdone = pl.col("outdone") if "outdone" in pictures.columns else pl.lit(True)
    paired = pl.col("paired_pixels") if "paired_pixels" in pictures.columns else pl.lit(None, pl.Int64)
    measured = pl.coalesce(paired, "effective_pixels", "pixels")
    upscaled = outdone & (paired.is_not_null() | (measured <= UPSCALED_SHARE * pl.col("pixels")))
    known = known.with_columns(
        upscaled=upscaled, detail=pl.when(upscaled).then(measured.clip(lower_bound=1)).otherwise("pixels")
    )
    mode = pl.col("mode").fill_null("RGB")
    kind = mode.str.split(";").list.first()
    if "source_format" in pictures.columns:
        sourced = pl.col("source_format").is_not_null()
        native = ~(sourced & pl.col("lossless").fill_null(False))
        quality = pl.when(sourced).then("source_quality").otherwise("jpeg_quality")
        coded_bytes, codec = pl.coalesce("source_bytes", "size_bytes"), pl.coalesce("source_format", "format")
    else:
        native, quality = pl.lit(True), pl.col("jpeg_quality")
        coded_bytes, codec = pl.col("size_bytes"), pl.col("format")
    lossless = pl.col("lossless").fill_null(False) & native
    colours = pl.when(kind.is_in(_GREY_MODES)).then(0).when(kind.is_in(_PALETTE_MODES)).then(1).otherwise(2)
    a_pixel = (pl.col("size_bytes") / pl.col("pixels")).fill_null(0.0)
    # Of lossless pictures the larger file is no better, only larger.
    density = pl.when(lossless).then(0.0).otherwise((coded_bytes / pl.col("pixels")).fill_null(0.0))
    facts = told(known.columns)
    worth = codec.replace_strict(_CODEC_WORTH, default=1.0, return_dtype=pl.Float64).fill_null(1.0)
    return known.select(
        "digest",
        "pixels",
        "detail",
        "upscaled",
        measured=pl.col("effective_pixels").is_not_null(),
        effective=pl.col("effective_pixels").cast(pl.Float64),
        used=(pl.col("effective_pixels") >= USED_SHARE * pl.col("pixels")).fill_null(False),
        size_class=_class_of(pl.col("detail"), AREA_TOLERANCE) - demoted,
        demoted=demoted.cast(pl.Int32),
        lossless=lossless,
        jpeg_quality=quality,
        quality_class=(quality + QUALITY_TOLERANCE) // _QUALITY_CLASS,
        bytes_per_pixel=density,
        # Bytes beside a known quality tell noise, not quality.
        density_class=pl.when(quality.is_null()).then(_class_of(density, DENSITY_TOLERANCE)).otherwise(0),
        jpeg_bytes=(coded_bytes * worth).fill_null(0.0),
        codec=pl.col("format").fill_null(""),
        coded_by=codec.fill_null(""),
        native=native,
        colours=colours,
        quantised=(colours == 1) & (a_pixel >= _BUSY_PALETTE),
        colourfulness=pl.col("colourfulness").cast(pl.Float64),
        sharpness=pl.col("sharpness").cast(pl.Float64),
        deep=_depth(mode),
        has_alpha=pl.col("has_alpha").fill_null(False),
        frames=pl.col("frames").fill_null(1),
        beside=_beside(),
        from_camera=pl.col("camera").is_not_null() | pl.col("taken_at").is_not_null(),
        told=facts,
        told_facts=facts.bitwise_count_ones().cast(pl.Int32),
        taken_at="taken_at",
        width_px="width_px",
        height_px="height_px",
        size_bytes="size_bytes",
    )


def beside_bit(kind: str) -> int:
    """The bit in `beside` of a kind of what a file holds beside its picture."""
    return 1 << _BESIDE_KINDS.index(kind)


def not_looked_at_bit() -> int:
    """The bit in `beside` of a file in which nobody has looked for what is beside its picture."""
    return 1 << len(_BESIDE_KINDS)


def _depth(mode: pl.Expr) -> pl.Expr:
    said = mode.str.split(";").list.get(1, null_on_oob=True)
    # A depth that nobody knows here is deeper than any: nothing may be given up for being unknown.
    told = said.replace_strict(_DEPTHS, default=max(_DEPTHS.values()) + 1, return_dtype=pl.Int8)
    plain = mode.replace_strict(_DEEP_MODES, default=1, return_dtype=pl.Int8)
    return pl.when(said.is_null()).then(plain).otherwise(told)


def _beside() -> pl.Expr:
    known = pl.col("auxiliary")
    words = known.fill_null("").str.split(", ")
    bits = [pl.when(words.list.contains(kind)).then(beside_bit(kind)).otherwise(0) for kind in _BESIDE_KINDS]
    bits.append(pl.when(known.is_null()).then(not_looked_at_bit()).otherwise(0))
    return pl.sum_horizontal(bits).cast(pl.Int32)


def known_columns(pictures: pl.DataFrame) -> pl.DataFrame:
    """The columns of the policy, missing ones as nulls, and `pixels`, at least 1."""
    pixels = pl.col("width_px").cast(pl.Int64) * pl.col("height_px").cast(pl.Int64)
    return pictures.with_columns(
        pl.col(name).cast(dtype) if name in pictures.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in POLICY_COLUMNS.items()
    ).with_columns(pixels=pixels.clip(lower_bound=1))


def _class_of(value: pl.Expr, tolerance: float) -> pl.Expr:
    """Logarithmic class of a positive number, one per factor of `tolerance`."""
    # Rounded before the floor, so that no machine's logarithm moves a power of the tolerance.
    return (value.clip(lower_bound=_LEAST).log() / math.log(tolerance)).round(9).floor().cast(pl.Int32)


_COMPARED = (
    *("pixels", "detail", "upscaled", "measured", "used", "lossless", "bytes_per_pixel", "jpeg_bytes"),
    *("colours", "deep", "has_alpha", "frames", "beside", "from_camera", "native", "quantised"),
)

COMPARED_COLUMNS = (
    *_COMPARED,
    *("jpeg_quality", "colourfulness", "effective", "sharpness", "coded_by", "taken_at", "modified_at"),
)
"""Columns of `picture_traits`, and of objects `modified_at`, that `ComparedTraits` is made of."""


@dataclass(frozen=True, slots=True)
class ComparedTraits:
    """What two sides are compared by, as arrays of one length."""

    columns: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, traits: pl.DataFrame) -> ComparedTraits:
        """The columns of `picture_traits`, and `modified_at` where there is one, row by row."""
        columns = {name: traits[name].to_numpy() for name in _COMPARED}
        columns["quality"] = traits["jpeg_quality"].fill_null(0).to_numpy()
        columns["colourfulness"] = traits["colourfulness"].fill_null(math.nan).to_numpy()
        columns["effective"] = traits["effective"].fill_null(math.nan).to_numpy()
        columns["sharpness"] = traits["sharpness"].fill_null(math.nan).to_numpy()
        columns["coded_by"] = traits["coded_by"].rank("dense").to_numpy()
        columns["taken"] = traits["taken_at"].to_numpy()
        if "modified_at" in traits.columns:
            columns["modified"] = traits["modified_at"].to_numpy()
        return cls(columns)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def rows(self, rows: NDArray[np.integer]) -> ComparedTraits:
        """One side of many pairs."""
        return ComparedTraits({name: values[rows] for name, values in self.columns.items()})
