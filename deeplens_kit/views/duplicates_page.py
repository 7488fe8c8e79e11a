"""The page of duplicates: the groups as a list, or one by one to be labelled and decided; both narrowed alike.

Takes what reads the groups and what records acts, gives Panel components; must not group, judge or record anything by
itself. The groups are read apart from the event loop: of a million pictures that takes a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import panel as pn

from deeplens_kit.errors import DeepLensError
from deeplens_kit.views.board import Board
from deeplens_kit.views.cards import message
from deeplens_kit.views.duplicates_view import DuplicatesView
from deeplens_kit.views.review_view import ReviewView
from deeplens_kit.views.state.duplicates_state import DuplicatesState, Findings
from deeplens_kit.views.state.review_state import ReviewSource, ReviewState
from deeplens_kit.views.state.search_state import UNEXPECTED

if TYPE_CHECKING:
    from deeplens_kit.pipeline.pair_pictures import PairLooks

__all__ = ["DuplicatesPage", "RecentFindings"]

_READING = message("The groups are being read", "Of a million pictures this takes about a minute.", kind="busy")
_UNREAD = "This page cannot be shown"
_OUTDATED = "Something was indexed or decided since these groups were made. What was said of them shows all the same."
_WAYS = (("list", "As a list"), ("review", "One by one"))


@dataclass(frozen=True, slots=True)
class RecentFindings:
    """Groups that are at hand.

    Attributes:
        findings: The groups.
        outdated: Something was indexed or decided since they were made.
    """

    findings: Findings
    outdated: bool


class DuplicatesPage:
    """Totals at the top, filters beside, and the groups beneath in one of two ways.

    Args:
        recent: Gives groups that are at hand, also outdated ones, or reads them; called off the event loop.
        source: Of groups as they are now, and of acts.
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
        looks: Gives what two digests look like, see `PairView`.
        may_act: Whether whoever looks may label and decide.
        group: Id of a group to open; empty for none.
        way: "list" or "review".

    Attributes:
        summary: What all groups add up to.
        filters: By location and tier.
        main: The groups.
    """

    def __init__(
        self,
        recent: Callable[[], RecentFindings],
        source: ReviewSource,
        thumbnail: Callable[[str, int], bytes | None],
        src: Callable[[str, int], str],
        looks: Callable[[str, str], PairLooks | None] | None = None,
        *,
        may_act: bool,
        group: str = "",
        way: str = "list",
    ) -> None:
        self._recent, self._source, self._may_act = recent, source, may_act
        self._thumbnail, self._src, self._looks = thumbnail, src, looks
        self._group, self._way = group, way if way in dict(_WAYS) else "list"
        self._list: DuplicatesState | None = None
        self._view: DuplicatesView | None = None
        self._review: ReviewState | None = None
        self._review_view: ReviewView | None = None
        self._outdated = False
        self._switch = Board(self._act, margin=(0, 0, 12, 0))
        self._shown = pn.Column(Board(html=_READING), sizing_mode="stretch_width")
        self.summary, self.filters = (pn.Column(sizing_mode="stretch_width") for _ in range(2))
        self.main = pn.Column(self._switch, self._shown, sizing_mode="stretch_width")
        pn.state.onload(self._load)

    # --- What is there -----------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        try:
            recent = await asyncio.to_thread(self._recent)
        except DeepLensError as error:
            self._shown[:] = [Board(html=message(_UNREAD, str(error), kind="problem"))]
            return
        except Exception:
            self._shown[:] = [Board(html=message(_UNREAD, UNEXPECTED, kind="problem"))]
            raise
        self._outdated = recent.outdated
        state = self._list = DuplicatesState(recent.findings)
        state.open_group(self._group)
        view = self._view = DuplicatesView(state, self._src, on_review=self._review_group)
        self.summary[:], self.filters[:] = [view.summary], [view.filters]
        state.param.watch(self._narrow, ["locations", "tiers"])
        self._show()
        self._prepare_after(state)

    def _show(self) -> None:
        """Show the groups in the way that is chosen."""
        view, state = self._view, self._list
        if view is None or state is None:
            return
        self._switch.html = self._switch_html()
        if self._way == "review" and state.findings.totals.objects:
            self._shown[:] = [self._reviewing(state).__panel__()]
        else:
            self._shown[:] = [view.groups]

    def _reviewing(self, state: DuplicatesState) -> ReviewView:
        """The review, made when somebody first wants it."""
        if self._review_view is None:
            review = self._review = ReviewState(
                self._source, findings=state.findings, locations=state.locations, tiers=state.tiers
            )
            review.open_group(state.group)
            self._review_view = ReviewView(
                review, self._thumbnail, self._looks, src=self._src, may_act=self._may_act, alone=False
            )
            review.param.watch(self._follow, ["revision"])
            self._prepare_after(review)
        return self._review_view

    def _prepare_after(self, state: DuplicatesState) -> None:
        """Once a page of groups shows, have the next one made ready beside it: most turn to that."""

        async def prepare() -> None:
            # Whoever turns to it is told what is wrong.
            with suppress(DeepLensError):
                await asyncio.to_thread(state.prepare_next)

        state.param.watch(lambda *_: pn.state.execute(prepare), ["page"])
        pn.state.execute(prepare)

    def _switch_html(self) -> str:
        buttons = "".join(
            f'<button type="button" id="way-{way}" data-act="way" data-value="{way}" '
            f'aria-pressed="{str(way == self._way).lower()}">{words}</button>'
            for way, words in _WAYS
        )
        note = ""
        if self._list is not None and not self._list.findings.totals.objects and not self._outdated:
            return ""
        if self._outdated:
            anew = '<button type="button" class="second" data-act="anew">Group anew</button>'
            note = f'{message(_OUTDATED, kind="note")}<p class="acts">{anew}</p>'
        label = "How to look at the groups"
        return f'{note}<div class="acts ways" role="group" aria-label="{escape(label)}">{buttons}</div>'

    # --- What the person does ----------------------------------------------------------------------------------------

    def _act(self, act: str, value: str) -> None:
        if act == "way" and value in dict(_WAYS):
            self._way = value
            self._show()
        elif act == "anew" and not self._switch.busy:
            pn.state.execute(self._group_anew)

    def _review_group(self, group_id: str) -> None:
        """Look at a group closely."""
        self._way = "review"
        self._show()
        if self._review is not None:
            self._review.open_group(group_id)

    async def _group_anew(self) -> None:
        self._switch.busy = True
        try:
            findings = await asyncio.to_thread(self._source.findings)
        except DeepLensError as error:
            self._switch.html = message(_UNREAD, str(error), kind="problem") + self._switch_html()
        else:
            self._adopt(findings)
        finally:
            self._switch.busy = False

    def _narrow(self, *_events: object) -> None:
        """What narrows the list narrows the review."""
        if self._list is not None and self._review is not None:
            self._review.param.update(locations=self._list.locations, tiers=self._list.tiers)

    def _follow(self, *_events: object) -> None:
        """Groups that the review made anew are those of the list."""
        review = self._review
        if review is not None and self._list is not None and review.findings is not self._list.findings:
            self._adopt(review.findings)

    def _adopt(self, findings: Findings) -> None:
        self._outdated = False
        for state in (self._list, self._review):
            if state is not None and state.findings is not findings:
                state.adopt(findings)
        self._switch.html = self._switch_html()
