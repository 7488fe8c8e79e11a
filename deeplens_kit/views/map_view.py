"""The map: pictures as points, alike beside alike; point at one to see it, draw around some to select them.

Takes the state of a map and a source of thumbnails, gives something that Panel draws in a notebook or a page; must not
compute places or decide anything. The points are one image, so the pointer's place comes back and the picture there is
looked up: a million points send no more to the browser than fifty.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.views.board import Board
from deeplens_kit.views.cards import PLACEHOLDER, image_source
from deeplens_kit.views.map_near import NearPictures
from deeplens_kit.views.map_raster import MapRaster, Window
from deeplens_kit.views.map_tiles import MapTiles
from deeplens_kit.views.map_words import (
    card_html,
    legend_html,
    notes_html,
    nothing_html,
    selection_html,
    waiting_html,
)
from deeplens_kit.views.state.map_ground import MapGround
from deeplens_kit.views.state.map_state import MapState
from deeplens_kit.views.theme import viewer_style

if TYPE_CHECKING:
    import polars as pl
    from panel.viewable import Viewable

__all__ = ["MapView"]

_HEIGHT_PX, _USUAL_WIDTH_PX = 560, 900
# A window as large as a wall of screens is drawn coarser.
_MOST_PX = 2400
# Room around the outermost points, as a share of the whole; and what a map of one place spans.
_MARGIN, _LEAST_SPAN = 0.06, 1.0
# How near the pointer must be to a point.
_REACH_PX = 14.0
_SIDE_PX = 300
_FRAME_COLOUR, _RING_COLOUR = "#9aa0aa", "#d02f2f"


class MapView:
    """A map of pictures.

    Args:
        state: What is shown and chosen; while its `picture_map` is None the view says that it is being made.
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
        nearest: Gives digest and cosine of the most alike of a digest, so many at most; None for no such pictures
            beside the one that is pinned.
        src: Where a server has the images, gives their addresses.

    Raises:
        ExtraMissingError: HoloViews, numba or Panel is not installed.
    """

    def __init__(
        self,
        state: MapState,
        thumbnail: Callable[[str, int], bytes | None],
        nearest: Callable[[str, int], pl.DataFrame] | None = None,
        src: Callable[[str, int], str] | None = None,
    ) -> None:
        try:
            import holoviews
            import numba  # noqa: F401 - drawn with later, looked for now
            import panel
        except ImportError as error:
            raise ExtraMissingError("The map", "workbench") from error
        holoviews.renderer("bokeh")  # loads it; as an extension it would write into the notebook
        self._state = state
        self._src, self._nearest = image_source(thumbnail, src), nearest
        # Stays while the parts come and go, so that there is always one that tells whether the page listens.
        ear = Board(margin=0)
        # A ground of its own: a notebook's may be light while the texts follow a dark screen.
        self._layout = panel.Column(
            ear,
            sizing_mode="stretch_width",
            stylesheets=_sheets(),
            styles={"background": "var(--page)", "padding": "16px"},
        )
        state.param.watch(lambda _: self._show(), ["picture_map"])
        self._show()

    def __panel__(self) -> Viewable:
        return self._layout

    def _show(self) -> None:
        found = self._state.picture_map
        if found is None:
            self._layout[1:] = [_html(waiting_html())]
        elif found.points.is_empty():
            self._layout[1:] = [_html(nothing_html(found))]
        else:
            self._layout[1:] = _Parts(self._state, self._src, self._nearest).all()


class _Parts:
    """The parts of a map that has points."""

    def __init__(
        self,
        state: MapState,
        src: Callable[[str, int], str],
        nearest: Callable[[str, int], pl.DataFrame] | None,
    ) -> None:
        self._state, self._src = state, src
        self._near = NearPictures(state, src, nearest, _sheets())
        self._raster: tuple[str, MapGround, MapRaster] | None = None
        self._whole = state.ground.part("whole", lambda: _whole(state.places))
        self._window = Window(*self._whole, _USUAL_WIDTH_PX, _HEIGHT_PX)
        self._legend, self._card, self._sum = _html(""), _html(""), _html("")

    def all(self) -> list[Any]:
        import panel as pn

        found = self._state.picture_map
        assert found is not None, "parts without a map"
        self._follow()
        side = pn.Column(
            self._controls(), self._legend, self._card, self._near, self._sum, self._acts(),
            sizing_mode="stretch_width", styles={"flex": "1 1 260px", "max-width": "420px"},
        )  # fmt: skip
        plot = pn.pane.HoloViews(
            self._plot(), backend="bokeh", linked_axes=False, sizing_mode="stretch_width", height=_HEIGHT_PX,
        )  # fmt: skip
        # The caution stands beneath the points themselves, on a narrow screen too.
        drawn = pn.Column(plot, _html(notes_html(found)), styles={"flex": "4 1 340px", "min-width": "0"})
        return [pn.FlexBox(drawn, side, gap="16px", align_items="flex-start")]

    def _controls(self) -> Any:
        import panel as pn

        group = pn.widgets.RadioButtonGroup.from_param(
            self._state.param.colour_by, name="", sizing_mode="stretch_width", margin=(4, 0, 10, 0),
            stylesheets=_sheets(),
        )  # fmt: skip
        return pn.Column(_html('<p class="small quiet">Coloured by</p>'), group, sizing_mode="stretch_width")

    def _acts(self) -> Any:
        import panel as pn

        shown = pn.widgets.Button(name="Select what is shown", margin=(6, 8, 0, 0), stylesheets=_sheets())
        clear = pn.widgets.Button(name="Clear selection", margin=(6, 0, 0, 0), stylesheets=_sheets())
        shown.on_click(lambda _: self._state.select_box(self._window.low, self._window.high))
        clear.on_click(lambda _: self._state.selection.clear())
        following = pn.widgets.Button(name="Next selected picture", margin=(6, 8, 0, 0), stylesheets=_sheets())
        following.on_click(lambda _: self._state.pin_next_selected())
        return pn.FlexBox(shown, following, clear, flex_wrap="wrap")

    def _follow(self) -> None:
        """Say what the state says, now and whenever it changes."""
        state = self._state

        def legend(*_: Any) -> None:
            self._legend.object = legend_html(state.colouring)

        def card(*_: Any) -> None:
            pointed = state.pointed_points
            address = self._src(state.pointed, _SIDE_PX) if pointed.height else PLACEHOLDER
            self._card.object = card_html(pointed, address, state.pointed_cluster)

        def total(*_: Any) -> None:
            self._sum.object = selection_html(state.points.filter(state.selected))

        state.param.watch(legend, ["colour_by", "clusters"])
        state.param.watch(card, ["pointed", "clusters"])
        state.selection.param.watch(total, ["digests"])
        for say in (legend, card, total):
            say()

    def _plot(self) -> Any:
        import holoviews as hv

        streams = hv.streams
        window = [streams.RangeXY(), streams.PlotSize()]
        chosen = [
            streams.Params(self._state, ["colour_by", "clusters"]),
            streams.Params(self._state.selection, ["digests"]),
        ]
        points = hv.DynamicMap(self._drawn, streams=[*window, *chosen])
        ring = hv.DynamicMap(self._ringed, streams=[streams.Params(self._state, ["pointed"])])
        # Kept: HoloViews holds streams weakly.
        self._streams = [
            streams.PointerXY(source=points), streams.Tap(source=points),
            streams.BoundsXY(source=points), streams.Lasso(source=points),
        ]  # fmt: skip
        self._streams[0].add_subscriber(self._point)
        self._streams[1].add_subscriber(self._pin)
        self._streams[2].add_subscriber(self._box)
        self._streams[3].add_subscriber(self._lasso)
        (x0, y0), (x1, y1) = self._whole
        return (points * ring).opts(
            hv.opts.RGB(
                responsive=True, min_height=_HEIGHT_PX, xlim=(x0, x1), ylim=(y0, y1), xaxis=None, yaxis=None,
                tools=["lasso_select", "box_select"], default_tools=["pan", "wheel_zoom", "reset"],
                active_tools=["lasso_select", "wheel_zoom"], toolbar="above", hooks=[_plain], backend="bokeh",
            ),
            hv.opts.Points(
                size=20, fill_alpha=0, line_color=_RING_COLOUR, line_width=2.5, backend="bokeh",
            ),
        )  # fmt: skip

    def _drawn(self, x_range: Any = None, y_range: Any = None, width: Any = None, height: Any = None, **_: Any) -> Any:
        import holoviews as hv

        (x0, y0), (x1, y1) = self._whole
        x_range, y_range = x_range or (x0, x1), y_range or (y0, y1)
        self._window = Window(
            (float(x_range[0]), float(y_range[0])),
            (float(x_range[1]), float(y_range[1])),
            min(int(width or _USUAL_WIDTH_PX), _MOST_PX),
            min(int(height or _HEIGHT_PX), _MOST_PX),
        )
        samples = self._drawing().draw(self._window, self._state.selected)
        bounds = (x_range[0], y_range[0], x_range[1], y_range[1])
        return hv.RGB(samples, bounds=bounds, vdims=["red", "green", "blue", "alpha"])

    def _drawing(self) -> MapRaster:
        """The points in the colours that are chosen."""
        ground, colour_by = self._state.ground, self._state.colour_by
        if self._raster is None or self._raster[0] != colour_by or self._raster[1] is not ground:
            tiles = ground.part("tiles", lambda: MapTiles(ground.places))
            shared = ground.part(
                ("raster", colour_by), lambda: MapRaster(ground.places, ground.colouring(colour_by), tiles)
            )
            self._raster = colour_by, ground, shared.for_one()
        return self._raster[2]

    def _ringed(self, pointed: str = "") -> Any:
        import holoviews as hv

        found = self._state.pointed_points.head(1)
        return hv.Points(found.select("x", "y").to_numpy().reshape(-1, 2))

    def _point(self, x: Any = None, y: Any = None) -> None:
        if x is not None and y is not None:
            self._state.point_at(float(x), float(y), self._reach)

    def _pin(self, x: Any = None, y: Any = None) -> None:
        if x is not None and y is not None:
            self._state.pin_at(float(x), float(y), self._reach)

    @property
    def _reach(self) -> tuple[float, float]:
        low, high = self._window.low, self._window.high
        return (
            _REACH_PX * (high[0] - low[0]) / self._window.width_px,
            _REACH_PX * (high[1] - low[1]) / self._window.height_px,
        )

    def _box(self, bounds: Any = None) -> None:
        if bounds is not None:
            self._state.select_box((bounds[0], bounds[1]), (bounds[2], bounds[3]))

    def _lasso(self, geometry: Any = None) -> None:
        if geometry is not None:
            self._state.select_polygon(np.asarray(geometry))


def _whole(places: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """The window of all places, with room around them."""
    low, high = places.min(axis=0).astype(float), places.max(axis=0).astype(float)
    middle, span = (low + high) / 2, np.maximum(high - low, _LEAST_SPAN) * (0.5 + _MARGIN)
    return tuple((middle - span).tolist()), tuple((middle + span).tolist())


def _plain(plot: Any, _: Any) -> None:
    """Let the ground of the page show through, light or dark."""
    figure = plot.state
    figure.background_fill_alpha = figure.border_fill_alpha = 0
    figure.outline_line_color = _FRAME_COLOUR
    figure.outline_line_alpha = 0.5
    # One ring is drawn beside the image: not worth a context of the graphics card for every map of a notebook.
    figure.output_backend = "canvas"
    figure.toolbar.logo = None
    figure.toolbar.autohide = False


def _sheets() -> list[str]:
    return [viewer_style(), files("deeplens_kit.views").joinpath("map.css").read_text(encoding="utf-8")]


def _html(text: str) -> Any:
    from panel.pane import HTML

    return HTML(text, stylesheets=_sheets(), sizing_mode="stretch_width", margin=(0, 0, 10, 0))
