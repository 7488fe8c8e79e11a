"""The places of pictures on a map: laid out before, for these or for nearly these pictures, or laid out now.

Takes an open workspace and the key of a layout, gives places; writes the cache of layouts and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.explore import Layout, lay_out, place_among
from deeplens_kit.pipeline.map_cache import KnownLayout, LayoutKey, MapCache
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import FeatureSpec
from deeplens_kit.telemetry import span

__all__ = ["PlaceFinder", "PlacedPictures"]


@dataclass(frozen=True, slots=True, eq=False)
class PlacedPictures:
    """Where pictures lie.

    Attributes:
        places: (n, 2) float32, in the order of the key; NaN where the vector of a picture is lost after all.
        cached: They were there before.
        later: Pictures that were put into a layout that was there.
    """

    places: NDArray[np.float32]
    cached: bool
    later: int = 0


@dataclass(frozen=True, slots=True)
class PlaceFinder:
    """Finds the places of pictures.

    Attributes:
        workspace: An open workspace.
        spec: The feature of the vectors; None where no picture has it.
        key: The pictures, rising, and what else their places depend on.
        tell: Told how many have theirs.
    """

    workspace: Workspace
    spec: FeatureSpec | None
    key: LayoutKey
    tell: Callable[[int], None]

    def found(self, *, refit: bool) -> PlacedPictures:
        """Places that were laid out before, for these pictures or nearly these; else made.

        Args:
            refit: Not for nearly these.
        """
        known = self._cache.get(self.key)
        if known is not None:
            return PlacedPictures(known.places, cached=True)
        base = None if refit or not self.key.digests else self._cache.nearest(self.key)
        if base is not None and (extended := self._extended(base)) is not None:
            return extended
        with span("map"):
            made = self._made()
        self._keep(made)
        return PlacedPictures(made.places, cached=False)

    def _extended(self, base: KnownLayout) -> PlacedPictures | None:
        """The places of a layout, those that are gone left out and new ones put in; None where nothing guides them."""
        row_of = {digest: row for row, digest in enumerate(base.digests)}
        rows = np.array([row_of.get(digest, -1) for digest in self.key.digests])
        stayed, new = rows >= 0, np.flatnonzero(rows < 0)
        known = self._cache.get(self.key, base.name)
        if known is not None:
            return PlacedPictures(known.places, cached=True, later=len(new))
        layout = _nowhere(len(rows))
        layout.places[stayed] = base.layout.places[rows[stayed]]
        layout.is_landmark[stayed] = base.layout.is_landmark[rows[stayed]]
        done = int(stayed.sum())
        self.tell(done)
        if len(new):
            guides, guiding = self._vectors(np.flatnonzero(layout.is_landmark))
            if not len(guides):
                return None
            added, vectors = self._vectors(new)
            layout.places[added] = place_among(
                guiding, layout.places[guides], vectors, progress=lambda placed: self.tell(done + placed)
            )
        self._keep(layout, base.name)
        return PlacedPictures(layout.places, cached=False, later=len(new))

    def _made(self) -> Layout:
        made = _nowhere(len(self.key.digests))
        rows, vectors = self._vectors(np.arange(len(self.key.digests)))
        laid = lay_out(
            vectors,
            seed=self.key.seed,
            neighbours=self.key.neighbours,
            landmarks=self.key.landmarks,
            progress=lambda done, _: self.tell(done),
        )
        made.places[rows], made.is_landmark[rows] = laid.places, laid.is_landmark
        return made

    def _vectors(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Vectors of some of the pictures of the key: the rows that have one, and these."""
        if self.spec is None:
            return rows[:0], np.empty((0, 1), np.float16)
        row_of = {self.key.digests[row]: row for row in rows.tolist()}
        digests, vectors = self.workspace.catalog.vectors(self.spec, list(row_of))
        return np.array([row_of[digest] for digest in digests], np.int64), vectors

    def _keep(self, layout: Layout, base: str = "") -> None:
        # A map that lacks what the catalog says it has is not kept: the next run may bring the vector back.
        if len(self.key.digests) and np.isfinite(layout.places).all():
            self._cache.put(self.key, layout, base)

    @property
    def _cache(self) -> MapCache:
        return MapCache(Path(self.workspace.settings.cache_dir))


def _nowhere(count: int) -> Layout:
    return Layout(np.full((count, 2), np.nan, np.float32), np.zeros(count, bool))
