"""What a person sees and chooses on a map: the points, their colours, what is pointed at and what is selected.

Takes a map of pictures and the selection that viewers share; must not draw. Choices change nothing but what is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import param
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.pipeline.clustering import PictureClusters
from deeplens_kit.pipeline.mapping import PictureMap
from deeplens_kit.views.state.map_colours import BY_CLUSTER, COLOUR_CHOICES, Colouring, cluster_name
from deeplens_kit.views.state.map_ground import MapGround
from deeplens_kit.views.state.selection import SelectionState

__all__ = ["SOURCE", "MapState"]

SOURCE = "map"
"""What the shared selection calls a selection made here."""


class MapState(param.Parameterized):
    """The state of a map.

    Attributes:
        picture_map: What is shown; None while it is being made.
        clusters: Clusters of the same pictures, for colours and words; None for none. Given at the beginning, the map
            is coloured by them where there are any.
        colour_by: What the colours tell.
        selection: What is selected, shared with other viewers; one of its own where none is given.
        pointed: The digest of the picture pointed at; empty for none.
        pinned: It stays pointed at while the pointer moves on.
    """

    picture_map = param.ClassSelector(class_=PictureMap, default=None, allow_None=True)
    clusters: Any = param.ClassSelector(class_=PictureClusters, default=None, allow_None=True)
    colour_by: Any = param.Selector(default=COLOUR_CHOICES[0], objects=list(COLOUR_CHOICES))
    selection: Any = param.ClassSelector(class_=SelectionState, instantiate=False)
    pointed = param.String(default="")
    pinned = param.Boolean(default=False)

    def __init__(self, **params: Any) -> None:
        if params.get("selection") is None:
            params["selection"] = SelectionState()  # type: ignore[no-untyped-call]
        # Set last: whether one may colour by clusters depends on whether there are some.
        colour_by = params.pop("colour_by", None)
        super().__init__(**params)  # type: ignore[no-untyped-call]
        self._ground = MapGround(self.picture_map, self.clusters)
        self._load()
        self._offer_clusters()
        if colour_by is not None:
            self.colour_by = colour_by
        elif self.clusters is not None and self.clusters.clusters.height:
            self.colour_by = BY_CLUSTER

    def stand_on(self, ground: MapGround) -> None:
        """Show the map of a ground, which others may stand on as well; coloured by its clusters where it has some."""
        self._ground = ground
        # Only what is another: to be set to the same again counts as a change.
        wanted = {"picture_map": ground.picture_map, "clusters": ground.clusters}
        self.param.update({name: value for name, value in wanted.items() if getattr(self, name) is not value})
        # Afterwards: only now may one colour by clusters.
        if ground.clusters is not None and ground.clusters.clusters.height:
            self.colour_by = BY_CLUSTER

    @property
    def ground(self) -> MapGround:
        """What the map stands on."""
        if self._ground.picture_map is not self.picture_map or self._ground.clusters is not self.clusters:
            self._ground = MapGround(self.picture_map, self.clusters)
        return self._ground

    @param.depends("picture_map", watch=True)
    def _load(self) -> None:
        self._selected: tuple[list[str] | None, NDArray[np.bool_]] = (None, np.zeros(0, bool))
        self.param.update(pointed="", pinned=False)

    @param.depends("clusters", watch=True)
    def _offer_clusters(self) -> None:
        offered = [*COLOUR_CHOICES, *([BY_CLUSTER] if self.clusters is not None else [])]
        if self.colour_by not in offered:
            self.colour_by = offered[0]
        self.param.colour_by.objects = offered

    @property
    def points(self) -> pl.DataFrame:
        """MAP_POINTS; none while the map is being made."""
        return self.ground.points

    @property
    def places(self) -> NDArray[np.float32]:
        """(n, 2) float32, in the order of the points."""
        return self.ground.places

    @property
    def colouring(self) -> Colouring:
        """The colours of the points, as chosen."""
        return self.ground.colouring(self.colour_by)

    @property
    def cluster_of(self) -> pl.Series:
        """(n,) the number of each point's cluster, 0 for none."""
        return self.ground.cluster_of

    @property
    def pointed_cluster(self) -> str:
        """The cluster of what is pointed at with its words, or that it is in none; empty where nobody looked."""
        at = self.points["digest"].index_of(self.pointed) if self.pointed else None
        if at is None or self.clusters is None:
            return ""
        found = self.clusters.clusters.filter(cluster=self.cluster_of[at])
        if found.is_empty():
            return "Outside any cluster"
        row = found.row(0, named=True)
        return f"{cluster_name(row)} ({row['pictures']:,} pictures)"

    @property
    def selected(self) -> NDArray[np.bool_]:
        """(n,) whether each point is selected; the same array while the selection is the same."""
        if self._selected[0] is not self.selection.digests:
            digests = pl.Series(self.selection.digests, dtype=pl.String)
            self._selected = self.selection.digests, self.points["digest"].is_in(digests.implode()).to_numpy()
        return self._selected[1]

    def point_at(self, x: float, y: float, reach: tuple[float, float]) -> None:
        """Point at the picture nearest to a place; where none is within reach the last one stays, to be looked at.

        A picture that is pinned stays as well.
        """
        found = None if self.pinned else self.ground.picker.nearest(x, y, reach)
        if found is not None:
            self.pointed = self.points["digest"][found]

    def pin_at(self, x: float, y: float, reach: tuple[float, float]) -> None:
        """Pin the picture nearest to a place; where none is within reach let go of the one that is pinned."""
        found = self.ground.picker.nearest(x, y, reach)
        if found is None:
            self.pinned = False
        else:
            self.pin(self.points["digest"][found])

    def pin(self, digest: str) -> None:
        """Point at a picture of the map and stay there; another digest is passed over."""
        if self.points["digest"].index_of(digest) is not None:
            self.param.update(pointed=digest, pinned=True)

    def pin_next_selected(self) -> None:
        """Pin the selected picture behind the one that is pointed at, in the order of the points; then the first."""
        selected = np.flatnonzero(self.selected)
        if len(selected):
            at = self.points["digest"].index_of(self.pointed) if self.pointed else None
            behind = selected[selected > at] if at is not None else selected
            self.pin(self.points["digest"][int(behind[0] if len(behind) else selected[0])])

    @property
    def pointed_points(self) -> pl.DataFrame:
        """MAP_POINTS of what is pointed at: the picture, then others that lie exactly there."""
        at = self.points["digest"].index_of(self.pointed) if self.pointed else None
        if at is None:
            return self.points.clear()
        others = self.ground.picker.at(at)
        return self.points[[at, *others[others != at].tolist()]]

    def select_box(self, low: tuple[float, float], high: tuple[float, float]) -> None:
        """Select the pictures within a box, its edges included."""
        self._select(self.ground.picker.in_box(low, high))

    def select_polygon(self, corners: Sequence[tuple[float, float]] | NDArray[np.floating]) -> None:
        """Select the pictures within what was drawn."""
        self._select(self.ground.picker.in_polygon(np.asarray(corners, np.float64)))

    def _select(self, found: NDArray[np.int64]) -> None:
        self.selection.select(self.points["digest"].gather(found).to_list(), SOURCE)
