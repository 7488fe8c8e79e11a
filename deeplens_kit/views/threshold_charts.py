"""The charts of the lab: one for each kind of pairs that there are, with its bound and the labelled pairs drawn in.

Takes the state of the thresholds, gives what Panel draws; must not count or judge. Bars, bounds and marks are drawn by
`BoundChart`; this says which of them a pair belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.matching.borderline import LIKELIHOOD_BINS
from deeplens_kit.views.plot_scripts import COLOURS_OF_PLOTS
from deeplens_kit.views.theme import viewer_style
from deeplens_kit.views.threshold_chart import BoundChart

if TYPE_CHECKING:
    from panel.viewable import Viewable

    from deeplens_kit.views.state.threshold_state import ThresholdState

__all__ = ["ThresholdCharts"]

_HEADINGS = {
    "likelihood_min": "Plain pictures",
    "page_likelihood_min": "Pages and crowds",
    "other_shots_pdq_max": "Different times noted",
}
_KINDS = {
    "likelihood_min": (pl.col("signal") == "likelihood") & (pl.col("situation") == "verified"),
    "page_likelihood_min": (pl.col("signal") == "likelihood") & (pl.col("situation") == "verified_page"),
    "other_shots_pdq_max": pl.col("signal") == "other_shots",
}
_MARKED = {
    "likelihood_min": ("likelihood", pl.col("situation") == "verified"),
    "page_likelihood_min": ("likelihood", pl.col("situation") == "verified_page"),
    "other_shots_pdq_max": ("pdq_distance", pl.col("other_shots")),
}
_LEGEND = (
    '<p class="tiny quiet legend">Labelled pairs: <span class="mark same">●</span> the same picture, '
    '<span class="mark different">✕</span> different, <span class="mark unsure">▼</span> unsure.</p>'
)
# As far as the chart of other shots goes, in bits: that of strangers.
_STRANGERS = 128


class ThresholdCharts:
    """Charts that follow the state.

    Args:
        state: The thresholds.
        sheets: CSS of the viewers.
    """

    def __init__(self, state: ThresholdState, sheets: list[str]) -> None:
        self._state, self._sheets = state, sheets
        self._counted = state.histogram
        self._charts = self._made()
        self._drawn: list[Any] = []
        self._legend: Any = None

    def panes(self) -> list[Viewable]:
        """The charts side by side, and beneath them what the marks mean where there are some."""
        import panel as pn

        def words(html: str) -> Any:
            return pn.pane.HTML(html, stylesheets=self._sheets, sizing_mode="stretch_width", margin=0)

        sides = {"flex": "1 1 300px", "min-width": "0"}
        self._drawn = [pn.pane.Bokeh(chart.figure, sizing_mode="stretch_width", margin=0) for _, chart in self._charts]
        # Before the charts, which are painted with what it says.
        told = words(f"<script>{COLOURS_OF_PLOTS}</script>")
        self._legend = words("")
        charts = [
            pn.Column(words(f'<h3 class="chart-head">{_HEADINGS[bound]}</h3>'), drawn, styles=sides)
            for (bound, _), drawn in zip(self._charts, self._drawn, strict=True)
        ]
        return [told, pn.FlexBox(*charts, gap="16px", sizing_mode="stretch_width"), self._legend]

    def draw_bounds(self) -> None:
        """Put each bound where its slider is."""
        self._execute(self._put_bounds)

    def recount(self) -> None:
        """Draw the bars anew where what counts as a page, or as too little to tell, has moved."""
        if self._state.histogram is self._counted:
            return
        self._counted = self._state.histogram
        self._execute(self._put_bars)

    def mark(self) -> None:
        """Draw the labelled pairs."""
        marks = self._state.marks
        if marks is None or self._legend is None:
            return
        self._legend.object = _LEGEND if marks.height else ""
        self._execute(self._put_marks)

    def _put_bounds(self) -> None:
        for bound, chart in self._charts:
            chart.draw(getattr(self._state, bound))
        self._push()

    def _put_bars(self) -> None:
        for bound, chart in self._charts:
            chart.recount(self._of(bound))
        self._put_bounds()

    def _put_marks(self) -> None:
        for bound, chart in self._charts:
            column, mine = _MARKED[bound]
            shown = self._state.marks.filter(mine, pl.col(column).is_not_null())
            chart.mark(shown[column], shown["verdict"])
        self._push()

    def _execute(self, draw: Callable[[], None]) -> None:
        """Draw where the document of a page may be changed: an answer that was waited for comes outside of its lock."""
        import panel as pn

        pn.state.execute(draw, schedule=True)

    def _made(self) -> list[tuple[str, BoundChart]]:
        """For each kind of pairs that there are its bound, with its chart."""
        made = []
        for bound in _HEADINGS:
            mine = self._of(bound)
            if mine.is_empty() and bound != "likelihood_min":
                continue
            by_bits = bound == "other_shots_pdq_max"
            chart = BoundChart(
                mine,
                width=1.0 if by_bits else 1 / LIKELIHOOD_BINS,
                ends=(0, _STRANGERS) if by_bits else (0.0, 1.0),
                label="bits of PDQ that differ" if by_bits else "likelihood of a copy",
                style=viewer_style(),
                at_least=not by_bits,
            )
            made.append((bound, chart))
        return made

    def _of(self, bound: str) -> pl.DataFrame:
        counted: pl.DataFrame = self._state.histogram
        return counted.filter(_KINDS[bound]).group_by("value").agg(pl.col("pairs").sum())

    def _push(self) -> None:
        """Send what was drawn where the charts stand in a notebook; a server sends it by itself."""
        from panel.io import push_notebook

        push_notebook(*self._drawn)
