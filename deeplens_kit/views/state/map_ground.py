"""What a map stands on, which nobody changes: the points, what finds them, their colours, and what is drawn from them.

Takes a map of pictures and their clusters, makes each part when it is first asked for, once; must not hold anything of
who looks. Of a million pictures it is most of what a map weighs, so those who look at one map at the same time share
one of these. All of it may be used from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.explore import PlacePicker
from deeplens_kit.schemas import CLUSTER_MEMBERS, MAP_POINTS
from deeplens_kit.views.state.map_colours import BY_CLUSTER, Colouring, cluster_colouring, colouring_of

if TYPE_CHECKING:
    from deeplens_kit.pipeline.clustering import PictureClusters
    from deeplens_kit.pipeline.mapping import PictureMap

__all__ = ["MapGround"]

_Part = TypeVar("_Part")

_CLUSTER_OF = "cluster of"
_OF_CLUSTERS = (_CLUSTER_OF, ("colours", BY_CLUSTER), ("raster", BY_CLUSTER))


class MapGround:
    """The ground of a map.

    Args:
        picture_map: The map; None while it is being made.
        clusters: Of the same pictures; None for none.

    Attributes:
        picture_map: The map.
        clusters: The clusters.
        points: MAP_POINTS; none while the map is being made.
        places: (n, 2) float32, in the order of the points.
        picker: Finds points by where they are.
        token: Tells one map from another; the same with other clusters.
    """

    def __init__(self, picture_map: PictureMap | None, clusters: PictureClusters | None = None) -> None:
        self.picture_map, self.clusters = picture_map, clusters
        self.points: pl.DataFrame = MAP_POINTS.empty() if picture_map is None else picture_map.points
        self.places: NDArray[np.float32] = self.points.select("x", "y").to_numpy().astype(np.float32)
        self.picker = PlacePicker(self.places)
        self.token = object()
        self._parts: dict[Hashable, Any] = {}
        # A part may be made of others.
        self._one_at_a_time = threading.RLock()

    def with_clusters(self, clusters: PictureClusters) -> MapGround:
        """The same ground with clusters; what was made of it until now is shared."""
        other = copy(self)
        other.clusters = clusters
        other._one_at_a_time = threading.RLock()
        with self._one_at_a_time:
            other._parts = {name: part for name, part in self._parts.items() if name not in _OF_CLUSTERS}
        return other

    def part(self, name: Hashable, make: Callable[[], _Part]) -> _Part:
        """A part by its name, made when it is first asked for; who asks meanwhile waits."""
        if name not in self._parts:
            with self._one_at_a_time:
                if name not in self._parts:
                    self._parts[name] = make()
        found: _Part = self._parts[name]
        return found

    def colouring(self, colour_by: str) -> Colouring:
        """The colours of the points.

        Args:
            colour_by: One of COLOUR_CHOICES, or BY_CLUSTER where there are clusters.
        """
        return self.part(("colours", colour_by), lambda: self._colours(colour_by))

    @property
    def cluster_of(self) -> pl.Series:
        """(n,) the number of each point's cluster, 0 for none."""
        return self.part(_CLUSTER_OF, self._cluster_of)

    def _colours(self, colour_by: str) -> Colouring:
        if colour_by == BY_CLUSTER and self.clusters is not None:
            return cluster_colouring(self.cluster_of, self.clusters.clusters)
        return colouring_of(self.points, colour_by)

    def _cluster_of(self) -> pl.Series:
        members = CLUSTER_MEMBERS.empty() if self.clusters is None else self.clusters.members
        of_points = self.points.select("digest").join(
            members.select("digest", "cluster"), on="digest", how="left", maintain_order="left"
        )
        return of_points["cluster"].fill_null(0)
