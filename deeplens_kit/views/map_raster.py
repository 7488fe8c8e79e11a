"""The points of a map as one picture of a given size, however many they are.

Takes places, their colours and a window, gives RGBA samples by Datashader; must not know what a point stands for. A few
points are discs that a finger can hit, a million are a density: the fewer lie in the window, the larger they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.views.state.map_colours import QUIET, RAMP, Colouring

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MapRaster", "Window"]

# A disc takes at most this many pixels from its middle to its edge, and shrinks as the points have less room.
_LARGEST_PX = 6.0
_SHARE_OF_ROOM = 0.13
# Discs of this radius or more (inclusive) are drawn twice as large and made smaller, which smooths their edges.
_SMOOTH_FROM_PX = 2
_SMOOTHING = 2
# A lone point of a density grows up to this much where there is room around it.
_LONE_PX, _LONE_SHARE = 2, 0.5
# Of 255: what the sparsest pixel of a density has, and what is left of points that are not selected.
_LEAST_ALPHA = 110
_UNSELECTED = 0.22


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
        import pandas as pd

        self._colouring = colouring
        self._names = [str(number) for number in range(len(colouring.entries) + 1)]
        self._frame = pd.DataFrame(
            {
                "x": np.ascontiguousarray(places[:, 0]),
                "y": np.ascontiguousarray(places[:, 1]),
                "entry": pd.Categorical.from_codes(colouring.entry, self._names),
                "amount": colouring.amounts,
            }
        )

    def draw(self, window: Window, selected: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Draw the window.

        Args:
            window: What to show.
            selected: (n,) points that stand out, the others fade; None or no point: all stand out alike.

        Returns:
            (height, width, 4) uint8, the top row first, alpha not multiplied in.
        """
        x, y = self._frame["x"].to_numpy(), self._frame["y"].to_numpy()
        seen = (x >= window.low[0]) & (x <= window.high[0]) & (y >= window.low[1]) & (y <= window.high[1])
        shown = self._frame[seen]
        radius = _radius_px(len(shown), window)
        image = self._layers(shown, window, radius)
        if selected is None or not selected.any():
            return image
        image[..., 3] = (image[..., 3] * _UNSELECTED).astype(np.uint8)
        return _over(image, self._layers(self._frame[seen & selected], window, radius))

    def _layers(self, shown: pd.DataFrame, window: Window, radius: int) -> NDArray[np.uint8]:
        """Quiet points beneath, then those of the legend, then those along the scale.

        Discs of different entries lie over one another, the rarest on top; the colours of a density are mixed.
        """
        entries = self._colouring.entries
        codes = shown["entry"].cat.codes.to_numpy()
        quiet = [number for number, entry in enumerate(entries) if entry.colour == QUIET]
        loud = [number for number in range(len(entries)) if number not in quiet]
        layers = [*([number] for number in quiet), *([[number] for number in loud] if radius else [loud])]
        image = np.zeros((window.height_px, window.width_px, 4), np.uint8)
        for numbers in layers:
            layer = np.isin(codes, numbers)
            if layer.any():
                image = _over(image, self._shaded(shown[layer], window, radius, along_scale=False))
        scaled = codes == len(entries)
        if scaled.any():
            image = _over(image, self._shaded(shown[scaled], window, radius, along_scale=True))
        return image

    def _shaded(self, shown: pd.DataFrame, window: Window, radius: int, *, along_scale: bool) -> NDArray[np.uint8]:
        import datashader as ds
        from datashader import transfer_functions as tf

        scale = _SMOOTHING if radius >= _SMOOTH_FROM_PX else 1
        canvas = ds.Canvas(
            plot_width=window.width_px * scale,
            plot_height=window.height_px * scale,
            x_range=(window.low[0], window.high[0]),
            y_range=(window.low[1], window.high[1]),
        )
        alpha = 255 if radius else _LEAST_ALPHA
        if along_scale:
            span = self._colouring.span
            assert span is not None, "points along a scale that has no ends"
            most = canvas.points(shown, "x", "y", agg=ds.max("amount"))
            shaded = tf.shade(most, cmap=list(RAMP), how="log", span=(span[0], max(span[1], span[0] + 1)))
        else:
            counts = canvas.points(shown, "x", "y", agg=ds.count_cat("entry"))
            key = dict(zip(self._names, [*(entry.colour for entry in self._colouring.entries), QUIET], strict=True))
            shaded = tf.shade(counts, color_key=key, how="eq_hist", min_alpha=alpha)
        if radius:
            shaded = tf.spread(shaded, px=radius * scale, shape="circle")
        else:
            shaded = tf.dynspread(shaded, threshold=_LONE_SHARE, max_px=_LONE_PX)
        return _samples(shaded, scale)


def _radius_px(count: int, window: Window) -> int:
    room: float = (window.width_px * window.height_px / max(count, 1)) ** 0.5
    return round(min(_LARGEST_PX, _SHARE_OF_ROOM * room))


def _samples(shaded: Any, scale: int) -> NDArray[np.uint8]:
    """RGBA samples, the top row first, at the size of the window."""
    packed = np.ascontiguousarray(shaded.values[::-1])
    samples = packed.view(np.uint8).reshape(*packed.shape, 4)
    if scale == 1:
        return samples.copy()
    height, width = packed.shape[0] // scale, packed.shape[1] // scale
    blocks = samples.reshape(height, scale, width, scale, 4).astype(np.float32)
    alpha = blocks[..., 3:]
    weight = alpha.sum(axis=(1, 3))
    colour = (blocks[..., :3] * alpha).sum(axis=(1, 3)) / np.maximum(weight, 1.0)
    return np.concatenate([colour, weight / scale**2], axis=2).round().astype(np.uint8)


def _over(below: NDArray[np.uint8], above: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture over another (Porter and Duff)."""
    front = above[..., 3:].astype(np.float32) / 255
    back = below[..., 3:].astype(np.float32) / 255 * (1 - front)
    alpha = front + back
    colour = (above[..., :3] * front + below[..., :3] * back) / np.maximum(alpha, 1e-6)
    return np.concatenate([colour, alpha * 255], axis=2).round().astype(np.uint8)
