"""The pictures that are most like one, by the vectors of a feature: all of them compared, none left out.

Takes an open workspace and a feature, gives digests and cosines; must not decide what a cosine means. Vectors are read
when something is asked for the first time, and kept: two bytes for each of their numbers.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.pipeline.file_listing import indexed_places
from deeplens_kit.pipeline.mapping import spec_of
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["MOST_ALIKE", "AlikePictures"]

MOST_ALIKE = 8
"""Of a picture, where nobody says otherwise: a screen's width of small previews."""

_BLOCK = 16_384
_COLUMNS = pl.Schema({"digest": pl.String(), "cosine": pl.Float32()})


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    digests: pl.Series
    vectors: NDArray[np.float16]
    lengths: NDArray[np.float32]


class AlikePictures:
    """The most alike of each picture of a workspace, as it is when something is asked for the first time.

    Args:
        workspace: An open workspace.
        feature: A vector feature, for example "sscd_small".

    Raises:
        UnknownNameError: There is no such vector feature; names those that pictures have.
    """

    def __init__(self, workspace: Workspace, feature: str) -> None:
        pictures = workspace.catalog.pictures(columns=["digest", "features"])
        self._workspace, self._feature = workspace, feature
        self._spec = spec_of(workspace, feature, pictures)
        self._held: _Held | None = None
        self._one_at_a_time = threading.Lock()

    def __call__(self, digest: str, most: int = MOST_ALIKE) -> pl.DataFrame:
        """The most alike of a picture, the most alike first.

        Args:
            digest: The picture.
            most: How many, at least 1.

        Returns:
            Columns digest and cosine (-1..1), the picture itself left out; no row where it has no vector.

        Raises:
            UnknownNameError: No indexed picture has this digest.
        """
        held = self._all()
        at = held.digests.index_of(digest)
        if at is None:
            if self._workspace.catalog.pictures([digest], ["digest"]).is_empty():
                raise UnknownNameError("picture", digest, [], advice="give the digest of one that is indexed.")
            return pl.DataFrame(schema=_COLUMNS)
        asked = held.vectors[at].astype(np.float32)
        cosines = np.empty(len(held.vectors), np.float32)
        for first in range(0, len(cosines), _BLOCK):
            cosines[first : first + _BLOCK] = held.vectors[first : first + _BLOCK].astype(np.float32) @ asked
        with np.errstate(divide="ignore", invalid="ignore"):
            cosines = np.clip(cosines / (held.lengths * held.lengths[at]), -1.0, 1.0)
        cosines[at] = np.nan
        found = np.flatnonzero(np.isfinite(cosines))
        if len(found) > most:
            found = found[np.argpartition(-cosines[found], most - 1)[:most]]
        order = found[np.lexsort((found, -cosines[found]))]
        return pl.DataFrame({"digest": held.digests.gather(order), "cosine": cosines[order]}, schema=_COLUMNS)

    def _all(self) -> _Held:
        with self._one_at_a_time:
            if self._held is None:
                self._held = self._read()
            return self._held

    def _read(self) -> _Held:
        if self._spec is None:
            return _Held(pl.Series([], dtype=pl.String), np.empty((0, 1), np.float16), np.empty(0, np.float32))
        shown = indexed_places(self._workspace, ["digest"])["digest"].unique().sort()
        names, vectors = self._workspace.catalog.vectors(self._spec, shown.to_list())
        lengths = np.empty(len(vectors), np.float32)
        for first in range(0, len(lengths), _BLOCK):
            block = vectors[first : first + _BLOCK].astype(np.float32)
            lengths[first : first + _BLOCK] = np.linalg.norm(block, axis=1)
        return _Held(pl.Series(names, dtype=pl.String), vectors, lengths)
