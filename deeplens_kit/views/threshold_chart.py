"""How many pairs there are at each likelihood or distance, the bound among them, and the labelled pairs where they lie.

Takes counts by value, labelled pairs and a bound that moves, gives a Bokeh figure; must not count or judge by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["BoundChart"]

# Legible on a light and on a dark ground (3:1 and more against both): a canvas knows no style sheet for its bars.
_WITHIN, _BEYOND, _BOUND = "#7f62cc", "#878c96", "#c7632f"
# What is drawn once in text and lines takes the colours of the page.
_COLOURS = """:host {
  --plot-quiet: var(--quiet); --plot-line: var(--line);
  --bk-axis-label-text-color: var(--plot-quiet); --bk-major-label-text-color: var(--plot-quiet);
  --bk-axis-line-color: var(--plot-line); --bk-major-tick-line-color: var(--plot-line);
  --bk-minor-tick-line-color: transparent; --bk-grid-line-color: var(--plot-line);
}"""
# Of labelled pairs: how they are drawn, and at which height of the chart, above its bars.
_MARKS = {
    "same": ("circle", "#1f8f5f", 0.95),
    "different": ("x", "#cc2f5c", 0.86),
    "unsure": ("inverted_triangle", "#878c96", 0.77),
}
_MARK_PX = 8
_HEIGHT_PX = 210
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
        from bokeh.models import ColumnDataSource, HoverTool, LinearScale, Range1d
        from bokeh.models.annotations import Span
        from bokeh.plotting import figure

        self._width, self._at_least, self._ends, self._bound_at = width, at_least, ends, 0.0
        pairs = self._within_ends(counts)["pairs"].to_numpy()
        skewed = len(pairs) > 0 and pairs.max() > _SKEWED * np.median(pairs)
        self._skewed = bool(skewed)
        bottom = 0.5 if skewed else 0.0
        self._source = ColumnDataSource({name: [] for name in ("value", "centre", "pairs", "colour")})
        self._marks = ColumnDataSource({name: [] for name in ("value", "height", "shape", "colour", "verdict")})
        self.figure: Any = figure(
            height=_HEIGHT_PX,
            min_width=_LEAST_WIDTH_PX,
            sizing_mode="stretch_width",
            x_range=Range1d(start=ends[0] - width, end=ends[1] + width),
            y_range=Range1d(start=bottom, end=1.0),
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
        self.figure.extra_y_ranges = {"marks": Range1d(start=0, end=1)}
        self.figure.extra_y_scales = {"marks": LinearScale()}
        drawn = self.figure.scatter(
            x="value", y="height", marker="shape", color="colour", fill_alpha=0.55, line_width=2, size=_MARK_PX,
            source=self._marks, y_range_name="marks",
        )  # fmt: skip
        self.figure.add_tools(HoverTool(renderers=[drawn], tooltips=[("labelled", "@verdict"), (label, "@value")]))
        self.recount(counts)
        self._bound = Span(location=0, dimension="height", line_color=_BOUND, line_width=2.5)
        self.figure.add_layout(self._bound)

    def draw(self, bound: float) -> None:
        """Put the bound where it is, and colour the bars by the side on which they stand.

        Args:
            bound: Inclusive.
        """
        self._bound_at = bound
        # Between the last bar that meets it and the first that does not.
        self._bound.location = bound if self._at_least else bound + self._width / 2
        self._source.data["colour"] = self._colours(np.asarray(self._source.data["value"], np.float64))

    def recount(self, counts: pl.DataFrame) -> None:
        """Draw other bars.

        Args:
            counts: As for the chart.
        """
        shown = self._within_ends(counts)
        values, pairs = shown["value"].to_numpy(), shown["pairs"].to_numpy()
        # Bars of whole bits stand around their number, bins of a likelihood begin at theirs.
        centre = values + (self._width / 2 if self._at_least else 0.0)
        self._source.data = {"value": values, "centre": centre, "pairs": pairs, "colour": self._colours(values)}
        highest = max(1.0, float(pairs.max(initial=0)))
        # Room for the marks above the highest bar.
        self.figure.y_range.end = 0.5 * (highest / 0.5) ** 1.45 * 1.2 if self._skewed else highest * 1.42

    def mark(self, values: pl.Series, verdicts: pl.Series) -> None:
        """Draw labelled pairs where they lie.

        Args:
            values: Of each pair, in units of the signal; those beyond the ends are left out.
            verdicts: same, different or unsure.
        """
        marked = pl.DataFrame({"value": values.cast(pl.Float64), "verdict": verdicts})
        marked = marked.filter(pl.col("value").is_between(*self._ends), pl.col("verdict").is_in(list(_MARKS)))
        drawn = [_MARKS[verdict] for verdict in marked["verdict"]]
        self._marks.data = {
            "value": marked["value"].to_numpy(),
            "height": [height for *_, height in drawn],
            "shape": [shape for shape, *_ in drawn],
            "colour": [colour for _, colour, _ in drawn],
            "verdict": marked["verdict"].to_list(),
        }

    def _within_ends(self, counts: pl.DataFrame) -> pl.DataFrame:
        return counts.filter(pl.col("value").is_between(*self._ends)).sort("value")

    def _colours(self, values: NDArray[np.float64]) -> list[str]:
        # A bin of likelihoods counts as within where all of it is.
        within = values + _ROUNDING >= self._bound_at if self._at_least else values <= self._bound_at
        return [_WITHIN if one else _BEYOND for one in within]
