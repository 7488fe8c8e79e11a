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
    "ComparedTraits",
    "Withhold",
    "keeper_order",
    "known_columns",
    "picture_traits",
    "withhold_codes",
]

SIDE_TOLERANCE = 0.05
"""Sides within 5 % count as equal (inclusive): measured detail is not more exact than that."""

QUALITY_TOLERANCE = 2
"""Estimated JPEG qualities that differ by at most this count as equal (inclusive): tables are rounded, and a picture
saved again at its own quality or a little above has lost, not gained."""

DENSITY_TOLERANCE = 1.25
"""Bytes per pixel of pictures without a known quality that differ by at most this factor (inclusive) count as equal:
a watermark, noise and sharpening cost bytes too."""

COLOUR_FACTOR = 2.0
"""A member more than so many times as colourful as its keeper (exclusive) is clearly so. On the development benchmark
doubled saturation comes to 1.55 to 2.0 of the original, and to 1 / 0.3 and more what lost 70 % of it ..."""

COLOUR_MARGIN = 5.0
"""... where it is also more colourful by this much (exclusive): below, casts and noise of grey pictures count."""

SHARPER_FACTOR = 2.0
"""Of two copies of one size one whose thumbnail has more than so many times the variance of the Laplacian (exclusive)
is clearly sharper: the other was enlarged or blurred, or this one sharpened or made noisy, which the measured
resolution tells apart."""

# What a byte of a lossy codec is worth in bytes of JPEG at equal quality, erring towards keeping the newer codec.
_CODEC_WORTH = {"JPEG": 1.0, "WEBP": 1.5, "AVIF": 2.5, "HEIF": 4.0}

BUSY_PALETTE = 0.3
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
_AREA_TOLERANCE = (1.0 + SIDE_TOLERANCE) ** 2
# As matching measures: both sides of a pair of copies whose areas differ by more than this.
_MEASURED_AREA = (1.0 - SIDE_TOLERANCE) ** 2

RESOLVES_LESS = 0.95
"""A picture that resolves less than this of a copy along a line (exclusive) is no stand-in for it, however large."""

# Qualities 88 to 92 are one class, 93 to 97 the next: what people choose lies in the middle of its class.
_QUALITY_CLASS = 2 * QUALITY_TOLERANCE + 1
_LEAST = 1e-6  # bytes per pixel; what is 0 or unknown counts as this
_GREY_MODES = ("1", "L", "LA", "LA;16", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_DEEP_MODES = ("RGB;16", "RGBA;16", "LA;16", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
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
    "camera": pl.String(),
    "colourfulness": pl.Float32(),
    "sharpness": pl.Float32(),
}
"""Columns of `pictures` that the policy looks at; any but the sides may be missing, which counts as unknown."""

_ORDER: tuple[tuple[str, bool], ...] = (
    ("size_class", True),
    ("colours", True),
    ("deep", True),
    ("has_alpha", True),
    ("from_camera", True),
    ("lossless", True),
    ("quality_class", True),
    ("density_class", True),
    ("native", True),
    ("stays", True),
    ("in_family", True),
    ("taken_at", False),
    ("modified_at", False),
    ("size_bytes", False),
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
    UNMEASURED = 11
    METADATA = 12
    OLDER = 13
    FAMILY = 14
    UNRESOLVED = 15
    RELATION = 16
    UNSEEN = 17
    SHARPER = 18
    OPAQUE = 19


REASONS: dict[Withhold, str] = {
    Withhold.FRAMES: "it has several frames or pages, of which only the first was compared",
    Withhold.DETAIL: "it resolves more than the keeper",
    Withhold.SHARPER: "it is clearly sharper than the keeper, which may have been enlarged to its size",
    Withhold.PIXELS: "it has more pixels than the keeper, and no measurement shows it to be an upscale",
    Withhold.COLOURS: "it has more colours than the keeper",
    Withhold.DEPTH: "it has more bits per sample than the keeper",
    Withhold.TRANSPARENCY: "it has transparency, the keeper has none",
    Withhold.OPAQUE: "the keeper is transparent in places, and may show less there",
    Withhold.LOSSLESS: "it is lossless at about the keeper's size, the keeper is lossy",
    Withhold.QUALITY: "it is less compressed than the keeper at about the same size",
    Withhold.MORE_DATA: "it is smaller but less compressed, and holds more data than the keeper",
    Withhold.CODEC: "it is as large as the keeper in another format, and may be less compressed",
    Withhold.UNMEASURED: "the keeper is larger, but its detail was not measured",
    Withhold.METADATA: "it says when or with what it was taken, the keeper does not",
    Withhold.OLDER: "it is older than the keeper and about as good",
    Withhold.FAMILY: "it belongs with other files; they stay or go together",
    Withhold.UNRESOLVED: "it shows a part of the keeper, and which of the two resolves that more was not measured",
    Withhold.UNSEEN: "the hashes are near, but no closer look has shown one view in both; index again",
    Withhold.RELATION: "how its view relates to the keeper's speaks against it",
}


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
        detail (pixels; where upscaled those that carry detail), size_class (logarithmic, one per `SIDE_TOLERANCE`),
        lossless (and not made from a lossy file), jpeg_quality, quality_class, bytes_per_pixel (0 where lossless),
        density_class (of lossy pictures without a known quality, logarithmic), jpeg_bytes (what its bytes are worth),
        codec, coded_by (that of the lossy file it was made from, where there is one), native (it was not made from
        one), colours (0 grey, 1 palette, 2 full), colourfulness, deep, has_alpha, frames, from_camera (it says when or
        with what it was taken), taken_at, width_px, height_px, size_bytes.
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
    if "source_format" in pictures.columns:
        sourced = pl.col("source_format").is_not_null()
        native = ~(sourced & pl.col("lossless").fill_null(False))
        quality = pl.when(sourced).then("source_quality").otherwise("jpeg_quality")
        coded_bytes, codec = pl.coalesce("source_bytes", "size_bytes"), pl.coalesce("source_format", "format")
    else:
        native, quality = pl.lit(True), pl.col("jpeg_quality")
        coded_bytes, codec = pl.col("size_bytes"), pl.col("format")
    lossless = pl.col("lossless").fill_null(False) & native
    colours = pl.when(mode.is_in(_GREY_MODES)).then(0).when(mode.is_in(_PALETTE_MODES)).then(1).otherwise(2)
    a_pixel = (pl.col("size_bytes") / pl.col("pixels")).fill_null(0.0)
    # Of lossless pictures the larger file is no better, only larger.
    density = pl.when(lossless).then(0.0).otherwise((coded_bytes / pl.col("pixels")).fill_null(0.0))
    worth = codec.replace_strict(_CODEC_WORTH, default=1.0, return_dtype=pl.Float64).fill_null(1.0)
    return known.select(
        "digest",
        "pixels",
        "detail",
        "upscaled",
        measured=pl.col("effective_pixels").is_not_null(),
        effective=pl.col("effective_pixels").cast(pl.Float64),
        used=(pl.col("effective_pixels") >= USED_SHARE * pl.col("pixels")).fill_null(False),
        size_class=_class_of(pl.col("detail"), _AREA_TOLERANCE) - demoted,
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
        quantised=(colours == 1) & (a_pixel >= BUSY_PALETTE),
        colourfulness=pl.col("colourfulness").cast(pl.Float64),
        sharpness=pl.col("sharpness").cast(pl.Float64),
        deep=mode.is_in(_DEEP_MODES),
        has_alpha=pl.col("has_alpha").fill_null(False),
        frames=pl.col("frames").fill_null(1),
        from_camera=pl.col("camera").is_not_null() | pl.col("taken_at").is_not_null(),
        taken_at="taken_at",
        width_px="width_px",
        height_px="height_px",
        size_bytes="size_bytes",
    )


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


def keeper_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows best keeper first: a total order.

    Most effective pixels (sides within 5 % count as equal), then full colours over a palette over grey: a GIF is
    lossless, but no lossless form of a photograph. Then lossless over lossy, then 16 bits over 8, then with
    transparency, then the higher class of JPEG quality, then (of lossy ones whose quality is not known) of bytes per
    pixel, then what comes from a camera by its metadata, then the lossy file before the lossless one that was made from
    it, then what belongs with other files, then taken earlier, then modified earlier, then fewer bytes, then location
    and path.

    Args:
        frame: Columns of `picture_traits`, and of objects those that there are: stays and in_family (as
            `family_copies` says), modified_at, location (its name; else location_id), path, object_id.
    """
    if "location" not in frame.columns and "location_id" in frame.columns:
        frame = frame.with_columns(location="location_id")
        return keeper_order(frame).drop("location")
    keys = [(name, descending) for name, descending in _ORDER if name in frame.columns]
    return frame.sort([name for name, _ in keys], descending=[descending for _, descending in keys], nulls_last=True)


_BESIDE_SAMPLES = (Withhold.METADATA, Withhold.OLDER)
"""Reasons that hold between pictures of equal samples too; all others are about samples."""

_COMPARED = (
    *("pixels", "detail", "upscaled", "measured", "used", "lossless", "bytes_per_pixel", "jpeg_bytes"),
    *("colours", "deep", "has_alpha", "frames", "from_camera", "native", "quantised"),
)


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
        columns["codec"] = traits["coded_by"].rank("dense").to_numpy()
        columns["taken"] = traits["taken_at"].to_numpy()
        if "modified_at" in traits.columns:
            columns["modified"] = traits["modified_at"].to_numpy()
        return cls(columns)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def rows(self, rows: NDArray[np.integer]) -> ComparedTraits:
        """One side of many pairs."""
        return ComparedTraits({name: values[rows] for name, values in self.columns.items()})


def withhold_codes(
    traits: pl.DataFrame | ComparedTraits,
    keepers: NDArray[np.integer],
    members: NDArray[np.integer],
    resolution: NDArray[np.float32] | None = None,
    same_samples: NDArray[np.bool_] | None = None,
) -> NDArray[np.int8]:
    """Why each member may not be proposed against its keeper, a `Withhold` code each, 0 where it may.

    Args:
        traits: From `picture_traits`, as a frame or made ready for many calls.
        keepers: Integers (m,), rows of `traits`.
        members: Integers (m,), rows of `traits`.
        resolution: float32 (m,), pixels of the keeper per pixel of the member along a line of what both show; NaN
            where nobody looked, as everywhere without it. Where it is known it decides what resolves more.
        same_samples: bool (m,), where every sample of the two is the same; nowhere without it.
    """
    compared = ComparedTraits.of(traits) if isinstance(traits, pl.DataFrame) else traits
    keeper, member = compared.rows(keepers), compared.rows(members)
    ratio = np.full(len(keepers), np.nan, np.float32) if resolution is None else resolution
    codes = np.zeros(len(keepers), np.int8)
    # The gravest reason last, because a later one overwrites an earlier one.
    for code, holds in reversed(_objections(keeper, member, ratio)):
        if same_samples is not None and code not in _BESIDE_SAMPLES:
            holds = holds & ~same_samples
        codes[holds] = code
    return codes


def _objections(
    keeper: ComparedTraits, member: ComparedTraits, resolution: NDArray[np.float32]
) -> list[tuple[Withhold, NDArray[np.bool_]]]:
    """Every reason to withhold with where it holds, the gravest first."""
    compared = ~np.isnan(resolution)
    lacks = compared & (resolution < np.float32(RESOLVES_LESS))
    more_detail = np.where(compared, lacks, member["detail"] > keeper["detail"] * _AREA_TOLERANCE)
    # By either count: what looks like an upscale beside a keeper of its size may be a soft picture's best version.
    as_large = (member["detail"] * _AREA_TOLERANCE >= keeper["detail"]) | (
        member["pixels"] * _AREA_TOLERANCE >= keeper["pixels"]
    )
    # Where both look like upscales, or the keeper does not fill its own size, a soft picture's noise would decide.
    upscale = (member["upscaled"] & ~keeper["upscaled"] & keeper["used"]) | (compared & ~lacks)
    both_lossy = ~member["lossless"] & ~keeper["lossless"]
    rated = both_lossy & (member["quality"] > 0) & (keeper["quality"] > 0)
    better_rated = rated & (member["quality"] > keeper["quality"] + QUALITY_TOLERANCE)
    unrated = both_lossy & ~rated & (member["jpeg_bytes"] > keeper["jpeg_bytes"])
    same_codec = member["codec"] == keeper["codec"]
    # Within the tolerances only the border of a class, or the noise of measured detail, puts the keeper first.
    close = rated & (np.abs(member["quality"] - keeper["quality"]) <= QUALITY_TOLERANCE)
    dense = member["bytes_per_pixel"] * DENSITY_TOLERANCE >= keeper["bytes_per_pixel"]
    close |= both_lossy & ~rated & same_codec & dense
    same_size = np.abs(np.log(member["pixels"] / keeper["pixels"])) <= math.log(_AREA_TOLERANCE)
    equal = close & (member["pixels"] * _AREA_TOLERANCE >= keeper["pixels"])
    # What a lossless file was made from is the older of the two, whatever the file system says.
    equal &= member["native"] | ~keeper["native"]
    return [
        (Withhold.FRAMES, member["frames"] > 1),
        (Withhold.DETAIL, more_detail),
        # Laid on each other they did not tell, so each by itself has to: a keeper that may have been blown up is none.
        (Withhold.DETAIL, ~compared & same_size & _fills_more(keeper, member)),
        (Withhold.SHARPER, ~compared & same_size & (member["sharpness"] > SHARPER_FACTOR * keeper["sharpness"])),
        (Withhold.PIXELS, (member["pixels"] > keeper["pixels"]) & ~upscale),
        (Withhold.UNMEASURED, ~compared & ~keeper["measured"] & (member["pixels"] < keeper["pixels"] * _MEASURED_AREA)),
        (Withhold.COLOURS, (member["colours"] > keeper["colours"]) | _more_colourful(keeper, member)),
        (Withhold.DEPTH, member["deep"] & ~keeper["deep"]),
        (Withhold.TRANSPARENCY, member["has_alpha"] & ~keeper["has_alpha"]),
        (Withhold.OPAQUE, keeper["has_alpha"] & ~member["has_alpha"]),
        (Withhold.LOSSLESS, as_large & member["lossless"] & ~keeper["lossless"] & ~member["quantised"]),
        (Withhold.QUALITY, as_large & (better_rated | (unrated & same_codec))),
        # A thumbnail of higher quality is no better picture; one that weighs more than its keeper may be.
        (Withhold.MORE_DATA, better_rated & (member["jpeg_bytes"] > keeper["jpeg_bytes"])),
        (Withhold.CODEC, as_large & unrated & ~same_codec),
        # What says when or with what it was taken is the original until something tells otherwise. That the keeper is
        # lossless does not: whatever was stamped, captioned or recoloured is often saved so.
        (Withhold.METADATA, member["from_camera"] & ~keeper["from_camera"]),
        (Withhold.OLDER, equal & (member["from_camera"] == keeper["from_camera"]) & _older(keeper, member)),
    ]


def _fills_more(keeper: ComparedTraits, member: ComparedTraits) -> NDArray[np.bool_]:
    """Where the keeper does not fill its size and the member has clearly more; nowhere where that was not measured."""
    more: NDArray[np.bool_] = ~keeper["used"] & (member["effective"] > keeper["effective"] * _AREA_TOLERANCE)
    return more


def _more_colourful(keeper: ComparedTraits, member: ComparedTraits) -> NDArray[np.bool_]:
    """Where the member clearly has more colour; nowhere where that was not measured (NaN)."""
    mine, its = member["colourfulness"], keeper["colourfulness"]
    clearly: NDArray[np.bool_] = (mine > its * COLOUR_FACTOR) & (mine > its + COLOUR_MARGIN)
    return clearly


def _older(keeper: ComparedTraits, member: ComparedTraits) -> NDArray[np.bool_]:
    """Where the member was taken earlier, or modified earlier where that does not differ; unknown says nothing."""
    older: NDArray[np.bool_] = member["taken"] < keeper["taken"]
    if "modified" in member.columns:
        later = member["taken"] > keeper["taken"]
        older |= ~later & (member["modified"] < keeper["modified"])
    return older
