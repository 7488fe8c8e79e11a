"""What an extractor is: thumbnails in, columns of numbers out.

Takes a batch of upright RGB thumbnails and gives one array per column, in the order of the batch; must not open
files, keep anything between batches, or let the numbers of a picture depend on the pictures beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.schemas import FeatureSpec

__all__ = ["Columns", "Extractor", "TextExtractor", "Thumbnail", "require_thumbnails"]

Thumbnail: TypeAlias = NDArray[np.uint8]
"""Upright sRGB samples, (height, width, 3) uint8, long side at most 384 px, shortest side at least 1 px."""

Columns: TypeAlias = Mapping[str, NDArray[Any]]
"""Column name -> array whose first axis is the batch."""

_AXES, _CHANNELS = 3, 3


class Extractor(Protocol):
    """Computes one feature. Safe to call from several threads at once."""

    @property
    def spec(self) -> FeatureSpec:
        """Everything that the numbers depend on, apart from the picture."""
        ...

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Compute the feature of each thumbnail.

        Args:
            thumbnails: Arrays (height, width, 3) uint8, RGB, long side <= 384; may differ in size; may be none.

        Returns:
            One array per name in `spec.columns`, first axis len(thumbnails); a vector feature, which has no
            columns, gives {"vector": (n, spec.size) float16, L2-normalised}.
        """
        ...


@runtime_checkable
class TextExtractor(Extractor, Protocol):
    """Computes a vector feature of pictures, and of words in the same space. Safe to call from several threads."""

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """Embed each text.

        Args:
            texts: May be none.

        Returns:
            (n, spec.size) float16, L2-normalised: the cosine with the vector of a picture tells how well it fits.

        Raises:
            ModelUnavailableError: What texts need beyond pictures is not installed.
        """
        ...


def require_thumbnails(thumbnails: Sequence[Thumbnail]) -> None:
    """Raise TypeError where an array is not a thumbnail: a defect of the caller, never of a user's file."""
    for index, pixels in enumerate(thumbnails):
        fits = pixels.dtype == np.uint8 and pixels.ndim == _AXES and pixels.shape[2] == _CHANNELS and pixels.size > 0
        if not fits:
            raise TypeError(
                f"thumbnail {index} of the batch is {pixels.dtype} {pixels.shape}, should be uint8 (height, width, 3)"
            )
