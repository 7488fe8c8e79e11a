"""PDQ: a 256-bit perceptual hash with a measure of how much picture there was to hash.

Takes thumbnails and gives PDQ's own bits for them; must not use another decode or resize than the thumbnail's, since
PDQ does its own smoothing. The bits are those of the published algorithm, rounding included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.schemas import FeatureSpec

__all__ = ["MIN_SIDE_PX", "Pdq"]

MIN_SIDE_PX = 5
"""Inclusive; below it PDQ defines no hash: zeros, quality 0 (the constant of the reference implementation)."""

_HASH_BYTES = 32


_SPEC = FeatureSpec(
    name="pdq",
    version=1,
    kind="hash",
    size=256,
    columns=("pdq", "pdq_quality"),
    metric="hamming",
    preprocessing="thumbnail-384/luma-601",
    weights="",
    source="The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm, Meta, 2019",
)


@dataclass(frozen=True, slots=True)
class Pdq:
    """Columns `pdq`, (n, 32) uint8, and `pdq_quality`, (n,) int32, 0..100.

    Byte 0, most significant bit first, holds the highest frequencies: the bytes of PDQ's hexadecimal form, and of
    `numpy.packbits` of the vector that the `pdqhash` package gives.
    """

    spec: FeatureSpec = _SPEC

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Hash each thumbnail; one with a side under 5 px gets 32 zero bytes and quality 0."""
        from deeplens_kit.features.kernels import pdq_hash

        require_thumbnails(thumbnails)
        hashes = np.zeros((len(thumbnails), _HASH_BYTES), dtype=np.uint8)
        quality = np.zeros(len(thumbnails), dtype=np.int32)
        for index, pixels in enumerate(thumbnails):
            if min(pixels.shape[:2]) >= MIN_SIDE_PX:
                quality[index] = pdq_hash(np.ascontiguousarray(pixels), hashes[index])
        return {"pdq": hashes, "pdq_quality": quality}
