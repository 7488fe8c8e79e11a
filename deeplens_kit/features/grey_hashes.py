"""The four classic 64-bit hashes: pHash (cosine), dHash (gradient), aHash (average), wHash (Haar wavelet).

Takes thumbnails and gives exactly the bits that the `imagehash` package gives for the same picture, row by row, most
significant bit first; must not change the reduction: grey by Pillow, then one Lanczos resize straight to the hash's
own size. What follows the reduction is done for the whole batch at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.schemas import FeatureSpec

__all__ = ["GreyHash", "ahash", "dhash", "phash", "whash"]

_SIDE = 8
"""Rows and columns of bits: 64 in all."""

_COSINE_SIDE_PX = 32
"""pHash keeps the lowest 8 of 32 frequencies each way (imagehash: hash_size * highfreq_factor)."""

_IMAGEHASH = "imagehash 4.3"
_BIT_WEIGHTS = np.uint64(1) << np.arange(_SIDE * _SIDE - 1, -1, -1, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class GreyHash:
    """One 64-bit hash: the column of the feature's own name, (n,) uint64.

    Attributes:
        spec: The feature's descriptor.
        bits: Thumbnails, at least one, to booleans (n, 8, 8).
    """

    spec: FeatureSpec
    bits: Callable[[Sequence[Thumbnail]], NDArray[np.bool_]]

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Hash each thumbnail; every size has a hash, down to 1x1."""
        require_thumbnails(thumbnails)
        if not thumbnails:
            return {self.spec.name: np.zeros(0, dtype=np.uint64)}
        flat = self.bits(thumbnails).reshape(len(thumbnails), _SIDE * _SIDE)
        return {self.spec.name: np.where(flat, _BIT_WEIGHTS, np.uint64(0)).sum(axis=1, dtype=np.uint64)}


def ahash() -> GreyHash:
    """Brighter than the mean of the 8x8 reduction."""
    return GreyHash(_spec("ahash", "thumbnail-384/grey-lanczos-8x8"), _average_bits)


def dhash() -> GreyHash:
    """Brighter than the left neighbour in the 9x8 reduction."""
    return GreyHash(_spec("dhash", "thumbnail-384/grey-lanczos-9x8"), _gradient_bits)


def phash() -> GreyHash:
    """Above the median of the 8x8 lowest frequencies of the 32x32 reduction."""
    return GreyHash(_spec("phash", "thumbnail-384/grey-lanczos-32x32"), _cosine_bits)


def whash() -> GreyHash:
    """Above the median of the 8x8 Haar approximation without its mean; slow, so off by default."""
    return GreyHash(_spec("whash", "thumbnail-384/grey-lanczos-power-of-two"), _wavelet_bits)


def _spec(name: str, preprocessing: str) -> FeatureSpec:
    return FeatureSpec(
        name=name,
        version=1,
        kind="hash",
        size=_SIDE * _SIDE,
        columns=(name,),
        metric="hamming",
        preprocessing=preprocessing,
        weights="",
        source=_IMAGEHASH,
    )


def _reduced(thumbnails: Sequence[Thumbnail], width: int, height: int) -> NDArray[np.uint8]:
    """Each thumbnail in grey, squeezed to (height, width): (n, height, width) uint8."""
    reduced = np.empty((len(thumbnails), height, width), dtype=np.uint8)
    for index, pixels in enumerate(thumbnails):
        grey = Image.fromarray(pixels).convert("L")
        reduced[index] = np.asarray(grey.resize((width, height), Image.Resampling.LANCZOS))
    return reduced


def _average_bits(thumbnails: Sequence[Thumbnail]) -> NDArray[np.bool_]:
    pixels = _reduced(thumbnails, _SIDE, _SIDE)
    # Whole numbers: 64 p > sum p is p > mean p without a rounding to think of.
    mean_64 = pixels.sum(axis=(1, 2), dtype=np.int64, keepdims=True)
    return np.asarray(pixels.astype(np.int64) * _SIDE * _SIDE > mean_64)


def _gradient_bits(thumbnails: Sequence[Thumbnail]) -> NDArray[np.bool_]:
    pixels = _reduced(thumbnails, _SIDE + 1, _SIDE)
    return np.asarray(pixels[:, :, 1:] > pixels[:, :, :-1])


def _cosine_bits(thumbnails: Sequence[Thumbnail]) -> NDArray[np.bool_]:
    import scipy.fft

    pixels = _reduced(thumbnails, _COSINE_SIDE_PX, _COSINE_SIDE_PX).astype(np.float64)
    # The fast transform that imagehash uses, not a matrix product: on flat or symmetric pictures the last bits of the
    # rounding decide on which side of the median a coefficient falls.
    columns = scipy.fft.dct(pixels, axis=1)[:, :_SIDE, :]
    lowest = scipy.fft.dct(columns, axis=2)[:, :, :_SIDE]
    return np.asarray(lowest > np.median(lowest, axis=(1, 2), keepdims=True))


def _wavelet_bits(thumbnails: Sequence[Thumbnail]) -> NDArray[np.bool_]:
    import imagehash

    return np.stack([imagehash.whash(Image.fromarray(pixels), hash_size=_SIDE).hash for pixels in thumbnails])
