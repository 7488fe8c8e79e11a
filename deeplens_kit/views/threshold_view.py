"""Thresholds with sliders: what they come to, what labels say of it, and the pairs nearest to them, to be labelled.

Takes the state of the thresholds and sources of pictures, gives something that Panel draws in a notebook or a page;
must not count or judge. While a slider is dragged each answer is for where it is by then: moves that were overtaken
while one was being answered are not answered, so that nothing queues.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.errors import DeepLensError
from deeplens_kit.reporting.words import plural
from deeplens_kit.views.cards import image_source, message
from deeplens_kit.views.desk_cards import asked_html, pairs_html
from deeplens_kit.views.label_desk import LabelDesk
from deeplens_kit.views.pair_view import PAIR_MODES, PairView
from deeplens_kit.views.state.desk_state import DeskAct
from deeplens_kit.views.state.threshold_state import ThresholdState
from deeplens_kit.views.theme import viewer_style
from deeplens_kit.views.threshold_cards import LOADING, evidence_html, figures_html, loose_warning
from deeplens_kit.views.threshold_charts import ThresholdCharts
from deeplens_kit.views.threshold_controls import threshold_controls

if TYPE_CHECKING:
    from panel.viewable import Viewable

    from deeplens_kit.pipeline.pair_pictures import PairLooks

__all__ = ["ThresholdView"]

_SIDE_PX = 300
# Sources of thumbnails kept: those of some dozens of moves, about 10 kB each.
_KEPT = 600
# Thumbnails fetched before it is looked whether the slider has moved on.
_AT_ONCE = 6
_CLOSER = "Choose a pair below, or press →, to see both pictures here."


class ThresholdView:
    """Controls on one side, what they come to on the other, and beneath it pairs to look at and label.

    Args:
        state: The thresholds.
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
        looks: Gives what a pair looks like, see `PairView`; None for no closer look.
        src: Where a server has the images, gives their addresses.
    """

    def __init__(
        self,
        state: ThresholdState,
        thumbnail: Callable[[str, int], bytes | None],
        looks: Callable[[str, str], PairLooks | None] | None = None,
        src: Callable[[str, int], str] | None = None,
    ) -> None:
        self._state, self._desk, self._src = state, state.desk, image_source(thumbnail, src)
        self._sources: OrderedDict[str, str] = OrderedDict()
        self._following, self._writing = False, False
        self._acts: list[DeskAct] = []
        folder = files("deeplens_kit.views")
        own = [folder.joinpath(name).read_text("utf-8") for name in ("thresholds.css", "pair_view.css")]
        self._sheets = [viewer_style(), *own]
        self._figures, self._quality, self._told = self._words(), self._words(margin=(10, 0)), self._words()
        self._charts = ThresholdCharts(state, self._sheets)
        self._closer = None if looks is None else PairView(looks)
        self._board = LabelDesk(self._on_act, stylesheets=self._sheets)
        if self._closer is not None:
            self._closer.clear(_CLOSER)
            self._board.closer = self._closer.__panel__()
        self._layout = self._lay_out()
        state.live = False
        state.param.watch(self._moved, list(ThresholdState.BOUNDS))
        state.param.watch(self._answered, ["outcome", "base", "borderline"])
        state.param.watch(self._judged, ["estimate", "marks"])
        self._desk.param.watch(self._asked, ["source", "pairs", "at", "verdicts", "said", "failed"])
        self._answered()
        self._judged()
        self._asked()
        self._charts.draw_bounds()

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
        missing = self._missing()
        if missing:
            return pn.Column(self._words(missing), **ground)
        notes = []
        if not self._state.lab.current:
            text = "Pictures were indexed after these pairs were found: index again, then open this again."
            notes.append(self._words(message(text, kind="note")))
        if self._state.lab.unseen:
            notes.append(self._words(message(_unseen_words(self._state.lab.unseen), kind="note")))
        # As wide as there is room for beside the controls, beneath them where there is little.
        wide = {"flex": "999 1 480px", "min-width": "min(100%, 320px)"}
        answer = pn.Column(*notes, self._figures, self._quality, *self._charts.panes(), self._board, styles=wide)
        acts = self._state.acts
        controls = threshold_controls(
            self._state,
            self._sheets,
            rules=["strict"] if acts is None else ["strict", *acts.rules()["rule"]],
            on_start=self._start,
            on_save=lambda name, note, use: self._execute(partial(self._save, name, note, use)),
            told=self._told,
        )
        return pn.FlexBox(controls, answer, gap="28px", align_items="flex-start", **ground)

    def _missing(self) -> str:
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

    # --- Bounds that move --------------------------------------------------------------------------------------------

    def _moved(self, *_events: object) -> None:
        self._charts.draw_bounds()
        if not self._following:
            self._following = True
            self._execute(self._follow)

    async def _follow(self) -> None:
        """Answer for where the sliders are, until they are where the last answer was for."""
        state = self._state
        try:
            while True:
                request = state.begin()
                answer = await asyncio.to_thread(state.compute, request)
                state.finish(answer)
                await self._judge()
                digests = [answer.borderline[f"digest_{end}"] for end in "ab"]
                await self._fetch(pl.concat(digests).unique(maintain_order=True).to_list())
                if state.begin() == request:
                    return
        finally:
            self._following = False

    async def _judge(self) -> None:
        """Show what the labels say of where the sliders are."""
        judged = await asyncio.to_thread(self._state.judge, self._state.begin())
        if judged is not None:
            self._state.take(judged)

    async def _read_evidence(self) -> None:
        try:
            found = await asyncio.to_thread(self._state.read_evidence)
        except DeepLensError as error:
            self._quality.object = message("What labels say cannot be read", str(error), kind="problem")
            return
        if found is not None:
            self._state.take_evidence(found)
            await self._judge()
            self._asked()

    async def _fetch(self, digests: Sequence[str]) -> None:
        """Get the thumbnails that are not here yet, some at a time, while the sliders stay where they are."""
        request = self._state.begin()
        missing = [digest for digest in digests if digest not in self._sources]
        for first in range(0, len(missing), _AT_ONCE):
            if self._state.begin() != request:
                return
            found = await asyncio.to_thread(self._thumbnails, missing[first : first + _AT_ONCE])
            self._sources.update(found)
            self._show_pairs()
        while len(self._sources) > _KEPT:
            self._sources.popitem(last=False)

    def _thumbnails(self, digests: Sequence[str]) -> dict[str, str]:
        return {digest: self._src(digest, _SIDE_PX) for digest in digests}

    def _answered(self, *_events: object) -> None:
        state = self._state
        warning = loose_warning(state.lab.floor.neighbours) if state.thresholds.is_looser else ""
        self._figures.object = figures_html(state.outcome, state.base) + warning
        self._charts.recount()
        self._show_pairs()

    def _judged(self, *_events: object) -> None:
        evidence, estimate = self._state.evidence, self._state.estimate
        if self._state.acts is None:
            return
        counts = (0, 0, 0) if evidence is None else (evidence.labels.height, evidence.drawn, evidence.left)
        self._quality.object = evidence_html(estimate, *counts)
        self._charts.mark()

    # --- Pairs that are labelled -------------------------------------------------------------------------------------

    def _asked(self, *_events: object) -> None:
        evidence = self._state.evidence
        drawn, left = (0, 0) if evidence is None else (evidence.drawn, evidence.left)
        may_label = self._state.may_write or self._state.acts is None
        self._board.above = asked_html(self._desk, drawn=drawn, left=left, may_label=may_label)
        self._show_pairs()
        closer, pair = self._closer, self._desk.pair
        if closer is not None and pair != closer.pair:
            closer.show(*pair) if pair is not None else closer.clear(_CLOSER)

    def _show_pairs(self) -> None:
        self._board.below = pairs_html(
            self._state.borderline, self._desk, lambda digest: self._sources.get(digest, LOADING)
        )

    def _on_act(self, act: str, value: str) -> None:
        """Do what a button of the desk says; what is no act of ours is passed over, for a page can send anything."""
        desk = self._desk
        if act == "look" and value.count("/") == 1:
            first, second = value.split("/")
            desk.choose((first, second))
        elif act == "move" and value in ("-1", "1"):
            desk.move(int(value))
        elif act == "say" and value in ("same", "different", "unsure"):
            self._write(desk.say(value))
        elif act == "undo":
            self._write(desk.undo())
        elif act == "source" and value in ("bounds", "sample"):
            self._execute(partial(self._choose_source, value))
        elif act == "ready":
            self._drawn()
        elif act == "way" and self._closer is not None and value in ("1", "2", "3", "4"):
            self._closer.mode = PAIR_MODES[int(value) - 1]

    def _drawn(self) -> None:
        """Fetch the pictures and what labels say now that somebody looks."""
        self._moved()
        if self._state.acts is not None:
            self._execute(self._read_evidence)

    async def _choose_source(self, source: str) -> None:
        self._desk.turn_to(source)
        if source == "sample":
            await self._next_of_sample()
        else:
            self._desk.show(self._state.asked_pairs)

    async def _next_of_sample(self) -> None:
        found, why = await asyncio.to_thread(self._desk.next_of_sample)
        if self._desk.source == "sample" and self._desk.pair is None:
            self._desk.show([] if found is None else [found], first=True)
            if why:
                self._desk.said = why

    def _write(self, act: DeskAct | None) -> None:
        if act is None:
            return
        self._acts.append(act)
        if not self._writing:
            self._writing = True
            self._execute(self._write_all)

    async def _write_all(self) -> None:
        """Write what was said, in turn, then let the figures follow."""
        try:
            while self._acts:
                act = self._acts.pop(0)
                self._desk.written(act, await asyncio.to_thread(self._desk.write, act))
                if self._acts:
                    continue
                if self._desk.source == "sample" and self._desk.pair is None:
                    await self._next_of_sample()
                await self._read_evidence()
        finally:
            self._writing = False

    # --- Rules -------------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        try:
            self._state.start_from(name)
            self._told.object = ""
        except DeepLensError as error:
            self._told.object = message("These bounds cannot be shown", str(error), kind="problem")

    async def _save(self, name: str, note: str, use: bool) -> None:
        try:
            done = await asyncio.to_thread(partial(self._state.save, name, note, use=use))
            self._told.object = f'<p class="small saved" role="status">{escape(done)}</p>'
        except DeepLensError as error:
            self._told.object = message("Not saved", str(error), kind="problem")

    def _execute(self, what: Callable[[], Any]) -> None:
        import panel as pn

        pn.state.execute(what)


def _unseen_words(count: int) -> str:
    verb = "was" if count == 1 else "were"
    said = f"{plural(count, 'pair')} {verb} not looked at closely; no threshold proposes them."
    return f"{said} Index again to have it done."
