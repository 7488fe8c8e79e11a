"""The points of a map as one picture of a given size, however many they are.

Takes places, their colours and a window, gives RGBA samples; must not know what a point stands for. Some thousands are
discs, the larger the fewer lie in the window; more are a density. A million are drawn in less than a tenth of a second,
which moving the map allows (`benchmarks.map`): only the tiles that the window touches are looked at, in one pass.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.views.map_discs import draw_discs
from deeplens_kit.views.map_tiles import MapTiles
from deeplens_kit.views.state.map_colours import QUIET, RAMP, Colouring

__all__ = ["MOST_DISCS", "MapRaster", "Window"]

MOST_DISCS = 30_000
"""Up to so many points in the window (inclusive) are discs; more would hide each other."""

# A disc has at most and at least this radius, and between them a share of the room that each point has.
_LARGEST_PX, _SMALLEST_PX = 6.0, 1.2
_SHARE_OF_ROOM = 0.13
# A lone point of a density grows up to this much where there is room around it.
_LONE_PX, _LONE_SHARE = 2, 0.5
# Of 255: what the sparsest pixel of a density has, and what is left of points that are not selected.
_LEAST_ALPHA = 110
_UNSELECTED_ALPHA = 75
_OPAQUE = 255
# Codes of colours in a byte: the entries of a legend, of which there are two dozen at most, then the scale.
_FIRST_OF_SCALE, _LEVELS = 32, 224
_OF_QUIET, _OF_LEGEND, _OF_SCALE = 0, 1, 2
_CODES = 256


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
        tiles: The same places by tile, where they are at hand.
    """

    def __init__(self, places: NDArray[np.float32], colouring: Colouring, tiles: MapTiles | None = None) -> None:
        self._tiles = tiles or MapTiles(places)
        self._palette, self._layers = _palette(colouring)
        order = self._tiles.order
        self._codes = _codes(colouring)[order]
        self._rank = _rank(colouring, self._layers)[order]
        self._picked_of: tuple[NDArray[np.bool_] | None, NDArray[np.bool_]] = (None, np.zeros(0, bool))

    def for_one(self) -> MapRaster:
        """One for somebody who has a selection of their own; what is heavy is shared."""
        return copy(self)

    def draw(self, window: Window, selected: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Draw the window.

        Args:
            window: What to show.
            selected: (n,) points that stand out, the others fade; None or no point: all stand out alike.

        Returns:
            (height, width, 4) uint8, the top row first, alpha not multiplied in.
        """
        from deeplens_kit.views.map_kernels import positions_within

        picked = self._picked(selected)
        runs = self._tiles.runs(window.low, window.high)
        shown = positions_within(self._tiles.places, runs, np.array([*window.low, *window.high]), MOST_DISCS)
        if len(shown) <= MOST_DISCS:
            return self._discs(shown, window, picked)
        return self._density(runs, window, picked)

    def _picked(self, selected: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """What is selected, by tile; of no length where nothing is. Kept: a window moves oftener than a selection."""
        if selected is not self._picked_of[0]:
            some = selected is not None and selected.any()
            self._picked_of = selected, selected[self._tiles.order] if some else np.zeros(0, bool)  # type: ignore[index]
        return self._picked_of[1]

    def _discs(self, shown: NDArray[np.int64], window: Window, picked: NDArray[np.bool_]) -> NDArray[np.uint8]:
        # Later ones lie on top: those selected, then those of the legend before the quiet ones, the rarest and the
        # greatest last.
        chosen = picked[shown] if len(picked) else np.zeros(len(shown), bool)
        order = np.lexsort((self._tiles.order[shown], self._rank[shown], chosen))
        shown, chosen = shown[order], chosen[order]
        alpha = np.where(chosen, _OPAQUE, _UNSELECTED_ALPHA) if len(picked) else np.full(len(shown), _OPAQUE)
        colours = np.concatenate([self._palette[self._codes[shown]], alpha[:, None].astype(np.uint8)], axis=1)
        size = np.array([window.width_px, window.height_px])
        places = (self._tiles.places[shown].astype(np.float64) - window.low) / np.subtract(window.high, window.low)
        places[:, 1] = 1.0 - places[:, 1]
        room = (size.prod() / max(len(shown), 1)) ** 0.5
        radius = min(_LARGEST_PX, max(_SMALLEST_PX, _SHARE_OF_ROOM * room))
        return draw_discs(places * size, colours, radius, window.width_px, window.height_px)

    def _density(self, runs: NDArray[np.int64], window: Window, picked: NDArray[np.bool_]) -> NDArray[np.uint8]:
        from deeplens_kit.views.map_kernels import compose, count_points, grown

        shape = (2, window.height_px, window.width_px)
        quiet, named = np.zeros(shape, np.uint32), np.zeros((*shape, 4), np.uint32)
        scaled = np.zeros(shape, np.uint8)
        count_points(
            self._tiles.places, self._codes, picked, runs, np.array([*window.low, *window.high]),
            self._palette, self._layers, quiet, named, scaled,
        )  # fmt: skip
        quiet_alpha, named_alpha = _equalised(quiet), _equalised(named[..., 0])
        faded = _UNSELECTED_ALPHA if len(picked) else _OPAQUE
        image = compose(
            quiet, named, scaled, quiet_alpha, named_alpha, self._palette, np.array(_rgb(QUIET), np.uint8), faded
        )
        return np.asarray(grown(image, _LONE_PX, _LONE_SHARE))


def _equalised(points: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """How opaque a pixel is by its number of points, such that all shades are as frequent: crowds stay told apart."""
    frequent = np.bincount(points.ravel())
    frequent[0] = 0
    alpha = _LEAST_ALPHA + (_OPAQUE - _LEAST_ALPHA) * frequent.cumsum() / max(int(frequent.sum()), 1)
    alpha[0] = 0
    return alpha.round().astype(np.uint8)


def _codes(colouring: Colouring) -> NDArray[np.uint8]:
    """The colour of each point as a byte."""
    level = np.nan_to_num(colouring.share) * (_LEVELS - 1)
    along = colouring.entry == len(colouring.entries)
    return np.where(along, _FIRST_OF_SCALE + level.round(), colouring.entry).astype(np.uint8)


def _palette(colouring: Colouring) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What each code looks like, and in which layer it is drawn."""
    palette, layers = np.zeros((_CODES, 3), np.uint8), np.full(_CODES, _OF_SCALE, np.uint8)
    for number, entry in enumerate(colouring.entries):
        palette[number] = _rgb(entry.colour)
        layers[number] = _OF_QUIET if entry.colour == QUIET else _OF_LEGEND
    stops = np.array([_rgb(colour) for colour in RAMP], np.float64)
    share, at = np.linspace(0.0, 1.0, _LEVELS), np.linspace(0.0, 1.0, len(RAMP))
    ramp = np.stack([np.interp(share, at, stops[:, channel]) for channel in range(3)], axis=1)
    palette[_FIRST_OF_SCALE:] = ramp.round()
    return palette, layers


def _rank(colouring: Colouring, layers: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Which of two points lies on top: not a quiet one, the rarer entry, the greater along the scale."""
    entry = colouring.entry.astype(np.float32)
    quiet = layers[np.minimum(colouring.entry, _FIRST_OF_SCALE)] == _OF_QUIET
    return np.where(quiet, -1.0, entry + np.nan_to_num(colouring.share)).astype(np.float32)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))
