"""How many pairs there are at each likelihood or distance, with the bound between those within it and those beyond.

Takes counts by value and a bound that moves, gives a Bokeh figure; must not count or judge by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

__all__ = ["BoundChart"]

# Legible on a light and on a dark ground (3:1 and more against both): a canvas knows no style sheet for its bars.
_WITHIN, _BEYOND, _BOUND = "#7f62cc", "#878c96", "#c7632f"
# What is drawn once in text and lines takes the colours of the page.
_COLOURS = """:host {
  --bk-axis-label-text-color: var(--quiet); --bk-major-label-text-color: var(--quiet);
  --bk-axis-line-color: var(--line); --bk-major-tick-line-color: var(--line);
  --bk-minor-tick-line-color: transparent; --bk-grid-line-color: var(--line);
}"""
_HEIGHT_PX = 190
_LEAST_WIDTH_PX = 260
# From this ratio of the highest bar to the middle one on, low bars cannot be seen on an even scale.
_SKEWED = 25
_ROUNDING = 1e-9


class BoundChart:
    """Bars of pairs by a signal, one situation of pictures.

    Args:
        counts: Columns value (left edge of a bar) and pairs.
        width: Of a bar, in units of the signal.
        ends: The least and greatest value that the bound takes.
        label: What the values are.
        style: CSS of the viewers.
        at_least: The bound is met from it upwards (a likelihood), not up to it (a distance).
    """

    def __init__(
        self,
        counts: pl.DataFrame,
        *,
        width: float,
        ends: tuple[float, float],
        label: str,
        style: str,
        at_least: bool = False,
    ) -> None:
        from bokeh.models import ColumnDataSource, HoverTool, Range1d
        from bokeh.models.annotations import Span
        from bokeh.plotting import figure

        shown = counts.filter(pl.col("value").is_between(ends[0], ends[1])).sort("value")
        self._values = shown["value"].to_numpy()
        self._width, self._at_least = width, at_least
        pairs = shown["pairs"].to_numpy()
        skewed = len(pairs) > 0 and pairs.max() > _SKEWED * np.median(pairs)
        bottom = 0.5 if skewed else 0.0
        # Bars of whole bits stand around their number, bins of a likelihood begin at theirs.
        centre = self._values + (width / 2 if at_least else 0.0)
        self._source = ColumnDataSource(
            {"value": self._values, "centre": centre, "pairs": pairs, "colour": [_BEYOND] * len(pairs)}
        )
        self.figure: Any = figure(
            height=_HEIGHT_PX,
            min_width=_LEAST_WIDTH_PX,
            sizing_mode="stretch_width",
            x_range=Range1d(start=ends[0] - width, end=ends[1] + width),
            y_range=Range1d(start=bottom, end=max(1.0, float(pairs.max(initial=0))) * (2.0 if skewed else 1.08)),
            y_axis_type="log" if skewed else "linear",
            tools="",
            toolbar_location=None,
            background_fill_alpha=0.0,
            border_fill_alpha=0.0,
            outline_line_alpha=0.0,
            stylesheets=[style, _COLOURS],
        )
        bars = self.figure.vbar(
            x="centre", top="pairs", bottom=bottom, width=width * 0.9, color="colour", line_alpha=0, source=self._source
        )
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=[(label, "@value"), ("pairs", "@pairs{0,0}")]))
        self.figure.xaxis.axis_label = label
        self.figure.yaxis.axis_label = "pairs (×10 a step)" if skewed else "pairs"
        self.figure.xgrid.visible = False
        self._bound = Span(location=0, dimension="height", line_color=_BOUND, line_width=2.5)
        self.figure.add_layout(self._bound)

    def draw(self, bound: float) -> None:
        """Put the bound where it is, and colour the bars by the side on which they stand.

        Args:
            bound: Inclusive.
        """
        # Between the last bar that meets it and the first that does not.
        self._bound.location = bound if self._at_least else bound + self._width / 2
        # A bin of likelihoods counts as within where all of it is.
        within = self._values + _ROUNDING >= bound if self._at_least else self._values <= bound
        self._source.data["colour"] = [_WITHIN if one else _BEYOND for one in within]
