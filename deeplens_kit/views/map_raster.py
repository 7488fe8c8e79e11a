"""The points of a map as one picture of a given size, however many they are.

Takes places, their colours and a window, gives RGBA samples; must not know what a point stands for. Some thousands are
discs, the larger the fewer lie in the window; more are a density, drawn by Datashader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.views.map_discs import draw_discs
from deeplens_kit.views.state.map_colours import QUIET, RAMP, Colouring

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MOST_DISCS", "MapRaster", "Window"]

MOST_DISCS = 30_000
"""Up to so many points in the window (inclusive) are discs: they take a tenth of a second to draw."""

# A disc has at most and at least this radius, and between them a share of the room that each point has.
_LARGEST_PX, _SMALLEST_PX = 6.0, 1.2
_SHARE_OF_ROOM = 0.13
# A lone point of a density grows up to this much where there is room around it.
_LONE_PX, _LONE_SHARE = 2, 0.5
# Of 255: what the sparsest pixel of a density has, and what is left of points that are not selected.
_LEAST_ALPHA = 110
_UNSELECTED_ALPHA = 75
_OPAQUE = 255


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the map that is shown, and the pixels that it has."""

    low: tuple[float, float]
    high: tuple[float, float]
    width_px: int
    height_px: int


class MapRaster:
    """Points, ready to be drawn.

    Args:
        places: (n, 2) float32.
        colouring: Of the same points.
    """

    def __init__(self, places: NDArray[np.float32], colouring: Colouring) -> None:
        self._places = places
        self._colouring = colouring
        self._colours = _point_colours(colouring)
        quiet = [number for number, entry in enumerate(colouring.entries) if entry.colour == QUIET]
        self._quiet = np.isin(colouring.entry, quiet)
        self._cache: pd.DataFrame | None = None

    def draw(self, window: Window, selected: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Draw the window.

        Args:
            window: What to show.
            selected: (n,) points that stand out, the others fade; None or no point: all stand out alike.

        Returns:
            (height, width, 4) uint8, the top row first, alpha not multiplied in.
        """
        x, y = self._places.T
        seen = (x >= window.low[0]) & (x <= window.high[0]) & (y >= window.low[1]) & (y <= window.high[1])
        chosen = selected if selected is not None and selected.any() else None
        shown = np.flatnonzero(seen)
        return self._discs(shown, window, chosen) if len(shown) <= MOST_DISCS else self._density(seen, window, chosen)

    def _discs(self, shown: NDArray[np.int64], window: Window, chosen: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        # Later ones lie on top: those selected, then those of the legend before the quiet ones, the rarest and the
        # greatest last.
        entry, amount = self._colouring.entry[shown], np.nan_to_num(self._colouring.amounts[shown])
        picked = np.zeros(len(shown), bool) if chosen is None else chosen[shown]
        shown = shown[np.lexsort((amount, entry, ~self._quiet[shown], picked))]
        colours = self._colours[shown]
        if chosen is not None:
            colours[~chosen[shown], 3] = _UNSELECTED_ALPHA
        size = np.array([window.width_px, window.height_px])
        places = (self._places[shown] - window.low) / np.subtract(window.high, window.low)
        places[:, 1] = 1.0 - places[:, 1]
        room = (size.prod() / max(len(shown), 1)) ** 0.5
        radius = min(_LARGEST_PX, max(_SMALLEST_PX, _SHARE_OF_ROOM * room))
        return draw_discs(places * size, colours, radius, window.width_px, window.height_px)

    def _density(self, seen: NDArray[np.bool_], window: Window, chosen: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        if chosen is None:
            return self._layers(seen, window)
        faded = self._layers(seen & ~chosen, window)
        faded[..., 3] = faded[..., 3].astype(np.int64) * _UNSELECTED_ALPHA // _OPAQUE
        return _over(faded, self._layers(seen & chosen, window))

    def _layers(self, seen: NDArray[np.bool_], window: Window) -> NDArray[np.uint8]:
        """Quiet points beneath, then those of the legend, whose colours mix, then those along the scale."""
        along = self._colouring.entry == len(self._colouring.entries)
        image = np.zeros((window.height_px, window.width_px, 4), np.uint8)
        for layer in (seen & self._quiet, seen & ~self._quiet & ~along, seen & along):
            if layer.any():
                shaded = self._shaded(self._frame[layer], window, along_scale=bool(along[layer].any()))
                image = _over(image, shaded)
        return image

    def _shaded(self, shown: pd.DataFrame, window: Window, *, along_scale: bool) -> NDArray[np.uint8]:
        import datashader as ds
        from datashader import transfer_functions as tf

        canvas = ds.Canvas(
            plot_width=window.width_px,
            plot_height=window.height_px,
            x_range=(window.low[0], window.high[0]),
            y_range=(window.low[1], window.high[1]),
        )
        if along_scale:
            span = self._colouring.span
            assert span is not None, "points along a scale that has no ends"
            most = canvas.points(shown, "x", "y", agg=ds.max("amount"))
            shaded = tf.shade(most, cmap=list(RAMP), how="log", span=(span[0], max(span[1], span[0] + 1)))
        else:
            # A plane of numbers for each colour: only of those that are there.
            used = shown.assign(colour=shown["colour"].cat.remove_unused_categories())
            counts = canvas.points(used, "x", "y", agg=ds.count_cat("colour"))
            key = {colour: colour for colour in used["colour"].cat.categories}
            shaded = tf.shade(counts, color_key=key, how="eq_hist", min_alpha=_LEAST_ALPHA)
        shaded = tf.dynspread(shaded, threshold=_LONE_SHARE, max_px=_LONE_PX)
        packed = np.ascontiguousarray(shaded.values[::-1])
        return packed.view(np.uint8).reshape(*packed.shape, 4)

    @property
    def _frame(self) -> pd.DataFrame:
        """The points as Datashader takes them; made when there are many."""
        if self._cache is None:
            import pandas as pd

            colours = [*(entry.colour for entry in self._colouring.entries), QUIET]
            names = list(dict.fromkeys(colours))
            code = np.array([names.index(colour) for colour in colours], np.int8)
            self._cache = pd.DataFrame(
                {
                    "x": np.ascontiguousarray(self._places[:, 0]),
                    "y": np.ascontiguousarray(self._places[:, 1]),
                    "colour": pd.Categorical.from_codes(code[self._colouring.entry], names),
                    "amount": self._colouring.amounts,
                }
            )
        return self._cache


def _point_colours(colouring: Colouring) -> NDArray[np.uint8]:
    """(n, 4) RGBA of each point."""
    table = np.array([_rgb(entry.colour) for entry in colouring.entries] + [(0, 0, 0)], np.float64)
    colours = table[colouring.entry]
    if colouring.span is not None:
        along = colouring.entry == len(colouring.entries)
        low, high = np.log(colouring.span)
        share = (np.log(colouring.amounts[along]) - low) / max(high - low, np.finfo(float).eps)
        stops = np.array([_rgb(colour) for colour in RAMP], np.float64)
        at = np.linspace(0.0, 1.0, len(RAMP))
        colours[along] = np.stack([np.interp(share, at, stops[:, channel]) for channel in range(3)], axis=1)
    return np.concatenate([colours, np.full((len(colours), 1), _OPAQUE)], axis=1).round().astype(np.uint8)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _over(below: NDArray[np.uint8], above: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture over another (Porter and Duff)."""
    if not below[..., 3].any():
        return above.copy()
    front: Any = above[..., 3:].astype(np.float32) / _OPAQUE
    back: Any = below[..., 3:].astype(np.float32) / _OPAQUE * (1 - front)
    alpha = front + back
    colour = (above[..., :3] * front + below[..., :3] * back) / np.maximum(alpha, 1e-6)
    return np.concatenate([colour, alpha * _OPAQUE], axis=2).round().astype(np.uint8)
