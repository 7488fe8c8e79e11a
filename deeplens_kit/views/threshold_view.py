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

from deeplens_kit.matching.borderline import SSCD_BINS_PER_UNIT
from deeplens_kit.reporting.words import plural
from deeplens_kit.views.cards import message, picture_src
from deeplens_kit.views.state.threshold_state import ThresholdAnswer, ThresholdState
from deeplens_kit.views.theme import viewer_style
from deeplens_kit.views.threshold_cards import LOADING, figures_html, loose_warning, pairs_html
from deeplens_kit.views.threshold_chart import BoundChart

if TYPE_CHECKING:
    from panel.viewable import Viewable

__all__ = ["ThresholdView"]

_SIDE_PX = 300
# Sources of thumbnails kept: those of some dozens of moves, about 10 kB each.
_KEPT = 600
# Thumbnails fetched before it is looked whether the slider has moved on.
_AT_ONCE = 6


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
        state.param.watch(self._answered, ["outcome", "base", "borderline", "problem"])
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
        cosine = pn.widgets.FloatSlider.from_param(parameters.sscd_alone_min, format="0.00", **wide)
        cosine.disabled = not self._state.sscd_alone
        parameters.watch(lambda event: setattr(cosine, "disabled", not event.new), "sscd_alone")
        return pn.Column(
            said('<h2 class="controls-head">Thresholds</h2>'),
            pn.widgets.IntSlider.from_param(parameters.pdq_max, **wide),
            said('<p class="tiny quiet">Of 256; at 0 both look the same. The strict rule allows 24.</p>'),
            pn.widgets.IntSlider.from_param(parameters.page_pdq_max, **wide),
            said('<p class="tiny quiet">Where one tone covers most of a picture. The strict rule allows 16.</p>'),
            self._sscd_switch(wide),
            cosine,
            said('<p class="tiny quiet">By the strict rule it never does: a frame shifted by 1 % has .98.</p>'),
            said(f'<p class="label">{parameters.tiers.label}</p>'),
            pn.widgets.CheckBoxGroup.from_param(parameters.tiers, css_classes=["checks"], **wide),
            strict,
            styles={"flex": "1 1 260px", "min-width": "min(100%, 240px)"},
            max_width=420,
            sizing_mode="stretch_width",
        )

    def _sscd_switch(self, wide: dict[str, Any]) -> Viewable:
        """A checkbox that is named for those who do not see it, which Bokeh's single one is not."""
        import panel as pn

        state = self._state
        label = state.param.sscd_alone.label
        box = pn.widgets.CheckBoxGroup(options=[label], css_classes=["checks"], **wide)
        box.value = [label] if state.sscd_alone else []
        box.param.watch(lambda event: setattr(state, "sscd_alone", bool(event.new)), "value")
        state.param.watch(lambda event: setattr(box, "value", [label] if event.new else []), "sscd_alone")
        return box

    def _made_charts(self) -> list[tuple[str, str, BoundChart]]:
        """For each kind of picture that has pairs its heading, the name of its bound, and its chart."""
        counted, state = self._state.lab.histogram(), self._state
        bits, cosines = state.param.pdq_max.bounds, state.param.sscd_alone_min.bounds
        wanted = [
            ("Plain pictures", "pdq", "plain", "pdq_max"),
            ("Pages and icons", "pdq", "page_like", "page_pdq_max"),
            ("Not measured what they are like", "pdq", "unmeasured", "unmeasured_pdq_max"),
            ("Plain pictures, by SSCD", "sscd", "plain", "sscd_alone_min"),
        ]
        made = []
        for heading, signal, situation, bound in wanted:
            mine = counted.filter(signal=signal, situation=situation)
            if mine.is_empty() and situation != "plain":
                continue
            by_bits = signal == "pdq"
            chart = BoundChart(
                mine,
                width=1.0 if by_bits else 1 / SSCD_BINS_PER_UNIT,
                ends=bits if by_bits else cosines,
                label="bits of PDQ that differ" if by_bits else "cosine of SSCD",
                style=viewer_style(),
                at_least=not by_bits,
            )
            made.append((heading, bound, chart))
        return made

    def _chart_panes(self) -> list[Viewable]:
        import panel as pn

        sides = {"flex": "1 1 300px", "min-width": "0"}
        self._drawn_charts = [
            pn.pane.Bokeh(chart.figure, sizing_mode="stretch_width", margin=0) for _, _, chart in self._charts
        ]
        return [
            pn.Column(self._words(f'<h3 class="chart-head">{heading}</h3>'), drawn, styles=sides)
            for (heading, _, _), drawn in zip(self._charts, self._drawn_charts, strict=True)
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
        if answer.borderline is None:
            return
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
        if state.problem:
            self._figures.object = message("These thresholds cannot be answered", state.problem, kind="problem")
            self._pairs.object = ""
            return
        warning = loose_warning(state.lab.floor.neighbours) if state.thresholds.is_looser else ""
        self._figures.object = figures_html(state.outcome, state.base) + warning
        self._show_pairs()

    def _show_pairs(self) -> None:
        if self._state.borderline is not None:
            self._pairs.object = pairs_html(self._state.borderline, lambda digest: self._sources.get(digest, LOADING))

    def _draw_bounds(self) -> None:
        bounds = {name: getattr(self._state, name) for name in ("pdq_max", "page_pdq_max", "sscd_alone_min")}
        bounds["unmeasured_pdq_max"] = self._state.thresholds.unmeasured_pdq_max
        for _, bound, chart in self._charts:
            chart.draw(bounds[bound], active=bound != "sscd_alone_min" or self._state.sscd_alone)
        self._push_charts()

    def _push_charts(self) -> None:
        """Send what was drawn where the charts stand in a notebook; a server sends it by itself."""
        from panel.io import push_notebook

        push_notebook(*self._drawn_charts)
