"""Reasons to withhold: which member may not be proposed for removal, whatever it matches and whatever should stay.

Takes what is known of pictures, gives for pairs of a keeper and a member a reason to withhold the member. Must not look
at evidence, nor at what a person prefers (`keep_policy`): the reasons hold against whichever keeper was chosen. Only
sizes, formats and tables are known here: that a keeper shows all that its member shows is for verification to find, so
where a crop is larger than a shrunken full view, the crop stays and the view may be proposed.
"""

from __future__ import annotations

import math
from enum import IntEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.traits import (
    AREA_TOLERANCE,
    DENSITY_TOLERANCE,
    QUALITY_TOLERANCE,
    SIDE_TOLERANCE,
    ComparedTraits,
    beside_bit,
    not_looked_at_bit,
)

__all__ = [
    "REASONS",
    "RESOLVES_LESS",
    "SHARPER_FACTOR",
    "Withhold",
    "withhold_codes",
]

COLOUR_FACTOR = 2.0
"""A member more than so many times as colourful as its keeper (exclusive) is clearly so. On the development benchmark
doubled saturation comes to 1.55 to 2.0 of the original, and to 1 / 0.3 and more what lost 70 % of it ..."""

COLOUR_MARGIN = 5.0
"""... where it is also more colourful by this much (exclusive): below, casts and noise of grey pictures count."""

SHARPER_FACTOR = 2.0
"""Of two copies of one size one whose thumbnail has more than so many times the variance of the Laplacian (exclusive)
is clearly sharper: the other was enlarged or blurred, or this one sharpened or made noisy, which the measured
resolution tells apart."""

# As matching measures: both sides of a pair of copies whose areas differ by more than this.
_MEASURED_AREA = (1.0 - SIDE_TOLERANCE) ** 2

RESOLVES_LESS = 0.95
"""A picture that resolves less than this of a copy along a line (exclusive) is no stand-in for it, however large."""


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
    SENSOR = 20
    DEVELOPED = 21
    LAYERS = 22
    PAGES = 23
    PICTURES = 24
    VIDEO = 25
    SOUND = 26
    GAIN_MAP = 27
    DEPTH_MAP = 28
    MATTES = 29
    THERMAL = 30
    PATCH = 31
    CHANNELS = 32
    SIZES = 33
    UNKNOWN_DATA = 34
    NOT_LOOKED_AT = 35
    KEEP_BOTH = 36
    ALTERNATES = 37
    NEVER_PROPOSE = 38
    CROWD = 39
    PROTECTED = 40


REASONS: dict[Withhold, str] = {
    Withhold.SENSOR: "it is camera RAW: what its sensor saw was not compared, only the picture made from it",
    Withhold.DEVELOPED: "the keeper is camera RAW, of which this shows one development",
    Withhold.LAYERS: "it has layers, which were not compared",
    Withhold.PAGES: "it has several pages, of which only the first was compared",
    Withhold.PICTURES: "it holds further pictures behind its first, which were not compared",
    Withhold.VIDEO: "it holds a video beside its picture, which was not compared",
    Withhold.SOUND: "it holds sound beside its picture, which was not compared",
    Withhold.GAIN_MAP: "it has a gain map for bright screens, the keeper has none",
    Withhold.DEPTH_MAP: "it has a depth map, the keeper has none",
    Withhold.MATTES: "it has mattes that cut out what it shows, the keeper has none",
    Withhold.THERMAL: "it holds measured temperatures, which were not compared",
    Withhold.CHANNELS: "it has channels beside its colours, such as saved selections, which were not compared",
    Withhold.SIZES: "it holds its picture in several sizes, of which only the largest was compared",
    Withhold.UNKNOWN_DATA: "it holds something behind its picture that is not known, and was not compared",
    Withhold.NOT_LOOKED_AT: "what it holds beside its picture is not known yet; index again",
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
    Withhold.PATCH: "it differs from the keeper in one place and is about as good; either may be the altered one",
    Withhold.PROTECTED: "the keep policy protects it",
    Withhold.RELATION: "how its view relates to the keeper's speaks against it",
    Withhold.KEEP_BOTH: "a person decided to keep both",
    Withhold.ALTERNATES: "a person decided that both stay, as alternates",
    Withhold.NEVER_PROPOSE: "a person decided that it is never proposed",
    Withhold.CROWD: "the keeper would take more pictures than have copies as a rule, as a blank page, a logo or a "
    "placeholder does: look, then approve what may go",
}


_BESIDE = {
    Withhold.SENSOR: "sensor data",
    Withhold.LAYERS: "layers",
    Withhold.PAGES: "pages",
    Withhold.PICTURES: "pictures",
    Withhold.VIDEO: "video",
    Withhold.SOUND: "sound",
    Withhold.THERMAL: "thermal",
    Withhold.CHANNELS: "channels",
    Withhold.SIZES: "sizes",
    Withhold.UNKNOWN_DATA: "unknown data",
    Withhold.GAIN_MAP: "gain map",
    Withhold.DEPTH_MAP: "depth",
    Withhold.MATTES: "mattes",
}
"""What a member holds beside its picture, the gravest loss first."""

_DERIVED = (Withhold.GAIN_MAP, Withhold.DEPTH_MAP, Withhold.MATTES)
"""Kinds that belong to the picture itself, so that a keeper with the same view and the same kind stands for them; of
all others the contents may differ however alike the pictures are."""

_BESIDE_SAMPLES = (Withhold.METADATA, Withhold.OLDER, Withhold.DEVELOPED, *_BESIDE)
"""Reasons that hold between pictures of equal samples too; all others are about samples."""


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
    same = np.zeros(len(keepers), np.bool_) if same_samples is None else same_samples
    for code, holds in reversed(_objections(keeper, member, ratio, same)):
        if code not in _BESIDE_SAMPLES:
            holds = holds & ~same
        codes[holds] = code
    return codes


def _objections(
    keeper: ComparedTraits,
    member: ComparedTraits,
    resolution: NDArray[np.float32],
    same_samples: NDArray[np.bool_],
) -> list[tuple[Withhold, NDArray[np.bool_]]]:
    """Every reason to withhold with where it holds, the gravest first."""
    compared = ~np.isnan(resolution)
    lacks = compared & (resolution < np.float32(RESOLVES_LESS))
    more_detail = np.where(compared, lacks, member["detail"] > keeper["detail"] * AREA_TOLERANCE)
    # By either count: what looks like an upscale beside a keeper of its size may be a soft picture's best version.
    as_large = (member["detail"] * AREA_TOLERANCE >= keeper["detail"]) | (
        member["pixels"] * AREA_TOLERANCE >= keeper["pixels"]
    )
    # Where both look like upscales, or the keeper does not fill its own size, a soft picture's noise would decide.
    upscale = (member["upscaled"] & ~keeper["upscaled"] & keeper["used"]) | (compared & ~lacks)
    both_lossy = ~member["lossless"] & ~keeper["lossless"]
    rated = both_lossy & (member["quality"] > 0) & (keeper["quality"] > 0)
    better_rated = rated & (member["quality"] > keeper["quality"] + QUALITY_TOLERANCE)
    unrated = both_lossy & ~rated & (member["jpeg_bytes"] > keeper["jpeg_bytes"])
    same_codec = member["coded_by"] == keeper["coded_by"]
    # Within the tolerances only the border of a class, or the noise of measured detail, puts the keeper first.
    close = rated & (np.abs(member["quality"] - keeper["quality"]) <= QUALITY_TOLERANCE)
    dense = member["bytes_per_pixel"] * DENSITY_TOLERANCE >= keeper["bytes_per_pixel"]
    close |= both_lossy & ~rated & same_codec & dense
    same_size = np.abs(np.log(member["pixels"] / keeper["pixels"])) <= math.log(AREA_TOLERANCE)
    equal = close & (member["pixels"] * AREA_TOLERANCE >= keeper["pixels"])
    # Of equal samples what a lossless file was made from is the older of the two, whatever the file system says.
    equal &= ~same_samples | member["native"] | ~keeper["native"]
    return [
        *_lost_beside(keeper, member),
        # Not between equal samples: those exist only where nothing is beside them.
        (Withhold.NOT_LOOKED_AT, (member["beside"] & not_looked_at_bit()) != 0),
        (Withhold.FRAMES, member["frames"] > 1),
        (Withhold.DETAIL, more_detail),
        # Laid on each other they did not tell, so each by itself has to: a keeper that may have been blown up is none.
        (Withhold.DETAIL, ~compared & same_size & _fills_more(keeper, member)),
        (Withhold.SHARPER, ~compared & same_size & ~_noisy_at_most(keeper, member) & _sharper(keeper, member)),
        (Withhold.PIXELS, (member["pixels"] > keeper["pixels"]) & ~upscale),
        (Withhold.UNMEASURED, ~compared & ~keeper["measured"] & (member["pixels"] < keeper["pixels"] * _MEASURED_AREA)),
        (Withhold.COLOURS, (member["colours"] > keeper["colours"]) | _more_colourful(keeper, member)),
        (Withhold.DEPTH, member["deep"] > keeper["deep"]),
        (Withhold.TRANSPARENCY, member["has_alpha"] & ~keeper["has_alpha"]),
        (Withhold.OPAQUE, keeper["has_alpha"] & ~member["has_alpha"]),
        # A photograph in 256 colours is what somebody made of the camera's file, however its format keeps them.
        (
            Withhold.LOSSLESS,
            as_large & member["lossless"] & ~keeper["lossless"] & ~(member["quantised"] & keeper["from_camera"]),
        ),
        (Withhold.QUALITY, as_large & (better_rated | (unrated & same_codec))),
        # A thumbnail of higher quality is no better picture; one that weighs more than its keeper may be.
        (Withhold.MORE_DATA, better_rated & (member["jpeg_bytes"] > keeper["jpeg_bytes"])),
        (Withhold.CODEC, as_large & unrated & ~same_codec),
        # What says when or with what it was taken is the original until something tells otherwise. That the keeper is
        # lossless does not: whatever was stamped, captioned or recoloured is often saved so.
        (Withhold.METADATA, member["from_camera"] & ~keeper["from_camera"]),
        (Withhold.OLDER, equal & (member["from_camera"] == keeper["from_camera"]) & _older(keeper, member)),
    ]


def _lost_beside(keeper: ComparedTraits, member: ComparedTraits) -> list[tuple[Withhold, NDArray[np.bool_]]]:
    """What the member holds beside its picture and the keeper may not; what was developed from a RAW keeper."""
    found = []
    for code, kind in _BESIDE.items():
        bit = beside_bit(kind)
        holds = (member["beside"] & bit) != 0
        found.append((code, holds & ((keeper["beside"] & bit) == 0) if code in _DERIVED else holds))
    sensor = beside_bit("sensor data")
    developed = ((keeper["beside"] & sensor) != 0) & ((member["beside"] & sensor) == 0)
    return [*found, (Withhold.DEVELOPED, developed)]


def _fills_more(keeper: ComparedTraits, member: ComparedTraits) -> NDArray[np.bool_]:
    """Where the keeper does not fill its size and the member has clearly more; nowhere where that was not measured."""
    more: NDArray[np.bool_] = ~keeper["used"] & (member["effective"] > keeper["effective"] * AREA_TOLERANCE)
    return more


def _sharper(keeper: ComparedTraits, member: ComparedTraits) -> NDArray[np.bool_]:
    """Where the thumbnail of the member is clearly sharper."""
    sharper: NDArray[np.bool_] = member["sharpness"] > SHARPER_FACTOR * keeper["sharpness"]
    return sharper


def _noisy_at_most(keeper: ComparedTraits, member: ComparedTraits) -> NDArray[np.bool_]:
    """Where a sharper member can only be noisier: the keeper fills its size, and is first for no better quality."""
    rated = (keeper["quality"] > 0) & (member["quality"] > 0)
    filled: NDArray[np.bool_] = keeper["used"] & rated & (keeper["quality"] <= member["quality"] + QUALITY_TOLERANCE)
    return filled


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
