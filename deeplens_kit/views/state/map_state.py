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

from deeplens_kit.explore import PlacePicker
from deeplens_kit.pipeline.mapping import PictureMap
from deeplens_kit.schemas import MAP_POINTS
from deeplens_kit.views.state.map_colours import COLOUR_CHOICES, Colouring, colouring_of
from deeplens_kit.views.state.selection import SelectionState

__all__ = ["SOURCE", "MapState"]

SOURCE = "map"
"""What the shared selection calls a selection made here."""


class MapState(param.Parameterized):
    """The state of a map.

    Attributes:
        picture_map: What is shown; None while it is being made.
        colour_by: What the colours tell.
        selection: What is selected, shared with other viewers; one of its own where none is given.
        pointed: The digest of the picture pointed at; empty for none.
    """

    picture_map = param.ClassSelector(class_=PictureMap, default=None, allow_None=True)
    colour_by: Any = param.Selector(default=COLOUR_CHOICES[0], objects=list(COLOUR_CHOICES))
    selection: Any = param.ClassSelector(class_=SelectionState, instantiate=False)
    pointed = param.String(default="")

    def __init__(self, **params: Any) -> None:
        if params.get("selection") is None:
            params["selection"] = SelectionState()  # type: ignore[no-untyped-call]
        super().__init__(**params)  # type: ignore[no-untyped-call]
        self._load()

    @param.depends("picture_map", watch=True)
    def _load(self) -> None:
        self._picker = PlacePicker(self.places)
        self._colouring: dict[str, Colouring] = {}
        self.pointed = ""

    @property
    def points(self) -> pl.DataFrame:
        """MAP_POINTS; none while the map is being made."""
        return MAP_POINTS.empty() if self.picture_map is None else self.picture_map.points

    @property
    def places(self) -> NDArray[np.float32]:
        """(n, 2) float32, in the order of the points."""
        return self.points.select("x", "y").to_numpy().astype(np.float32)

    @property
    def colouring(self) -> Colouring:
        """The colours of the points, as chosen."""
        if self.colour_by not in self._colouring:
            self._colouring[self.colour_by] = colouring_of(self.points, self.colour_by)
        return self._colouring[self.colour_by]

    @property
    def selected(self) -> NDArray[np.bool_]:
        """(n,) whether each point is selected."""
        digests = pl.Series(self.selection.digests, dtype=pl.String)
        return self.points["digest"].is_in(digests.implode()).to_numpy()

    def point_at(self, x: float, y: float, reach: tuple[float, float]) -> None:
        """Point at the picture nearest to a place; where none is within reach the last one stays, to be looked at."""
        found = self._picker.nearest(x, y, reach)
        if found is not None:
            self.pointed = self.points["digest"][found]

    @property
    def pointed_points(self) -> pl.DataFrame:
        """MAP_POINTS of what is pointed at: the picture, then others that lie exactly there."""
        at = self.points["digest"].index_of(self.pointed) if self.pointed else None
        if at is None:
            return self.points.clear()
        others = self._picker.at(at)
        return self.points[[at, *others[others != at].tolist()]]

    def select_box(self, low: tuple[float, float], high: tuple[float, float]) -> None:
        """Select the pictures within a box, its edges included."""
        self._select(self._picker.in_box(low, high))

    def select_polygon(self, corners: Sequence[tuple[float, float]] | NDArray[np.floating]) -> None:
        """Select the pictures within what was drawn."""
        self._select(self._picker.in_polygon(np.asarray(corners, np.float64)))

    def _select(self, found: NDArray[np.int64]) -> None:
        self.selection.select(self.points["digest"].gather(found).to_list(), SOURCE)
