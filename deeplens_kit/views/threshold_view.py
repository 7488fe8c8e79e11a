"""Thresholds with sliders: what they come to, how the pairs lie around them, and the pairs nearest to them as pictures.

Takes the state of the thresholds and a source of thumbnails, gives something that Panel draws in a notebook or a page;
must not count or judge. While a slider is dragged each answer is for where it is by then: moves that were overtaken
while one was being answered are not answered, so that nothing queues.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.matching.borderline import LIKELIHOOD_BINS
from deeplens_kit.reporting.words import plural
from deeplens_kit.views.cards import message, picture_src
from deeplens_kit.views.slider_names import naming_script
from deeplens_kit.views.state.threshold_state import ThresholdAnswer, ThresholdState
from deeplens_kit.views.theme import viewer_style
from deeplens_kit.views.threshold_cards import LOADING, figures_html, loose_warning, pairs_html
from deeplens_kit.views.threshold_chart import BoundChart

if TYPE_CHECKING:
    from panel.viewable import Viewable

__all__ = ["ThresholdView"]

_HEADINGS = {
    "likelihood_min": "Plain pictures",
    "page_likelihood_min": "Pages and crowds",
    "other_shots_pdq_max": "Different times noted",
}

_SIDE_PX = 300
# Sources of thumbnails kept: those of some dozens of moves, about 10 kB each.
_KEPT = 600
# Thumbnails fetched before it is looked whether the slider has moved on.
_AT_ONCE = 6
# As far as the chart of other shots goes, in bits: that of strangers.
_STRANGERS = 128


class ThresholdView:
    """Controls on one side, what they come to on the other.

    Args:
        state: The thresholds.
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
    """

    def __init__(self, state: ThresholdState, thumbnail: Callable[[str, int], bytes | None]) -> None:
        self._state, self._thumbnail = state, thumbnail
        self._sources: OrderedDict[str, str] = OrderedDict()
        self._following = False
        self._sheets = [viewer_style(), files("deeplens_kit.views").joinpath("thresholds.css").read_text("utf-8")]
        self._figures, self._pairs = self._words(), self._words()
        self._charts = self._made_charts()
        self._drawn_charts: list[Any] = []
        self._layout = self._lay_out()
        state.live = False
        state.param.watch(self._moved, list(ThresholdState.BOUNDS))
        state.param.watch(self._answered, ["outcome", "base", "borderline"])
        self._answered()
        self._moved()

    def __panel__(self) -> Viewable:
        return self._layout

    # --- Parts -------------------------------------------------------------------------------------------------------

    def _words(self, html: str = "", margin: int | tuple[int, int] = 0) -> Any:
        from panel.pane import HTML

        return HTML(html, stylesheets=self._sheets, sizing_mode="stretch_width", margin=margin)

    def _lay_out(self) -> Viewable:
        import panel as pn

        # A ground of its own: a notebook's may be light while the texts follow a dark screen.
        ground = {
            "stylesheets": self._sheets,
            "styles": {"background": "var(--page)", "padding": "16px"},
            "sizing_mode": "stretch_width",
        }
        missing = self._nothing()
        if missing:
            return pn.Column(self._words(missing), **ground)
        notes = []
        if not self._state.lab.current:
            text = "Pictures were indexed after these pairs were found: index again, then open this again."
            notes.append(self._words(message(text, kind="note")))
        if self._state.lab.unseen:
            notes.append(self._words(message(_unseen_words(self._state.lab.unseen), kind="note")))
        charts = pn.FlexBox(*self._chart_panes(), gap="16px", sizing_mode="stretch_width")
        # As wide as there is room for beside the controls, beneath them where there is little.
        wide = {"flex": "999 1 480px", "min-width": "min(100%, 320px)"}
        answer = pn.Column(*notes, self._figures, charts, self._pairs, styles=wide)
        return pn.FlexBox(self._controls(), answer, gap="28px", align_items="flex-start", **ground)

    def _nothing(self) -> str:
        """What is said where there are no pairs; empty where there are."""
        lab = self._state.lab
        if not lab.pictures:
            return message("Nothing indexed yet", "Index a location with `deeplens index`, then open this again.")
        if not lab.pairs:
            text = (
                f"Among {plural(lab.pictures, 'picture')} no two are near enough to each other for any threshold to "
                "matter. Files with equal bytes are found without thresholds."
            )
            return message("No pairs to set thresholds for", text)
        return ""

    def _controls(self) -> Viewable:
        import panel as pn

        parameters = self._state.param
        wide = {"stylesheets": self._sheets, "sizing_mode": "stretch_width", "margin": (6, 10)}

        def said(html: str) -> Any:
            return self._words(html, margin=(0, 10))

        strict = pn.widgets.Button(name="Back to the strict rule", **wide)
        strict.on_click(lambda _event: self._state.back_to_strict())
        return pn.Column(
            said('<h2 class="controls-head">Thresholds</h2>'),
            pn.widgets.FloatSlider.from_param(parameters.likelihood_min, format="0.00", **wide),
            said('<p class="tiny quiet">Of all that a close look found, 0 to 1. The strict rule asks for 0.90.</p>'),
            pn.widgets.FloatSlider.from_param(parameters.page_likelihood_min, format="0.00", **wide),
            said(
                '<p class="tiny quiet">Where one tone covers most of a picture, or many others are near it. The strict '
                "rule asks for 0.90.</p>"
            ),
            pn.widgets.IntSlider.from_param(parameters.other_shots_pdq_max, **wide),
            said('<p class="tiny quiet">Of 256 of PDQ; a burst looks alike. The strict rule allows 2.</p>'),
            said(naming_script(count=3)),
            said(f'<p class="label">{parameters.tiers.label}</p>'),
            pn.widgets.CheckBoxGroup.from_param(parameters.tiers, css_classes=["checks"], **wide),
            strict,
            styles={"flex": "1 1 260px", "min-width": "min(100%, 240px)"},
            max_width=420,
            sizing_mode="stretch_width",
        )

    def _made_charts(self) -> list[tuple[str, BoundChart]]:
        """For each kind of pairs that there are its bound, with its chart."""
        counted = self._state.lab.histogram()
        wanted = [
            ("likelihood_min", counted.filter(signal="likelihood", situation="verified")),
            ("page_likelihood_min", counted.filter(signal="likelihood", situation="verified_page")),
            ("other_shots_pdq_max", counted.filter(signal="other_shots")),
        ]
        made = []
        for bound, mine in wanted:
            if mine.is_empty() and bound != "likelihood_min":
                continue
            by_bits = bound == "other_shots_pdq_max"
            chart = BoundChart(
                mine.group_by("value").agg(pl.col("pairs").sum()),
                width=1.0 if by_bits else 1 / LIKELIHOOD_BINS,
                ends=(0, _STRANGERS) if by_bits else (0.0, 1.0),
                label="bits of PDQ that differ" if by_bits else "likelihood of a copy",
                style=viewer_style(),
                at_least=not by_bits,
            )
            made.append((bound, chart))
        return made

    def _chart_panes(self) -> list[Viewable]:
        import panel as pn

        sides = {"flex": "1 1 300px", "min-width": "0"}
        self._drawn_charts = [
            pn.pane.Bokeh(chart.figure, sizing_mode="stretch_width", margin=0) for _, chart in self._charts
        ]
        return [
            pn.Column(self._words(f'<h3 class="chart-head">{_HEADINGS[bound]}</h3>'), drawn, styles=sides)
            for (bound, _), drawn in zip(self._charts, self._drawn_charts, strict=True)
        ]

    # --- What happens ------------------------------------------------------------------------------------------------

    def _moved(self, *_events: object) -> None:
        self._draw_bounds()
        if not self._following:
            import panel as pn

            self._following = True
            pn.state.execute(self._follow)

    async def _follow(self) -> None:
        """Answer for where the sliders are, until they are where the last answer was for."""
        try:
            while True:
                request = self._state.begin()
                answer = await asyncio.to_thread(self._state.compute, request)
                self._state.finish(answer)
                await self._fetch(answer)
                if self._state.begin() == request:
                    return
        finally:
            self._following = False

    async def _fetch(self, answer: ThresholdAnswer) -> None:
        """Get the thumbnails that are not here yet, some at a time, while the answer still stands."""
        digests = pl.concat([answer.borderline["digest_a"], answer.borderline["digest_b"]]).unique(maintain_order=True)
        missing = [digest for digest in digests if digest not in self._sources]
        for first in range(0, len(missing), _AT_ONCE):
            if self._state.begin() != answer.request:
                return
            found = await asyncio.to_thread(self._thumbnails, missing[first : first + _AT_ONCE])
            self._sources.update(found)
            self._show_pairs()
        while len(self._sources) > _KEPT:
            self._sources.popitem(last=False)

    def _thumbnails(self, digests: Sequence[str]) -> dict[str, str]:
        return {digest: picture_src(self._thumbnail(digest, _SIDE_PX)) for digest in digests}

    def _answered(self, *_events: object) -> None:
        state = self._state
        warning = loose_warning(state.lab.floor.neighbours) if state.thresholds.is_looser else ""
        self._figures.object = figures_html(state.outcome, state.base) + warning
        self._show_pairs()

    def _show_pairs(self) -> None:
        self._pairs.object = pairs_html(self._state.borderline, lambda digest: self._sources.get(digest, LOADING))

    def _draw_bounds(self) -> None:
        for bound, chart in self._charts:
            chart.draw(getattr(self._state, bound))
        self._push_charts()

    def _push_charts(self) -> None:
        """Send what was drawn where the charts stand in a notebook; a server sends it by itself."""
        from panel.io import push_notebook

        push_notebook(*self._drawn_charts)


def _unseen_words(count: int) -> str:
    verb = "was" if count == 1 else "were"
    said = f"{plural(count, 'pair')} {verb} not looked at closely; no threshold proposes them."
    return f"{said} Index again to have it done."
