"""The review of groups in a notebook or on a page: a list of them, and copy beside keeper, by mouse or keyboard.

Takes the state of a review and a source of thumbnails, gives something that Panel draws; must not group, judge or
record anything by itself. What is pressed names the copy that it was shown for, so that nothing is said of another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from deeplens_kit.errors import DeepLensError
from deeplens_kit.schemas import DecisionKind, Verdict
from deeplens_kit.views.cards import message
from deeplens_kit.views.findings_summary import findings_summary
from deeplens_kit.views.group_cards import withheld_list
from deeplens_kit.views.pair_view import PAIR_MODES, PairView
from deeplens_kit.views.review_board import ReviewBoard
from deeplens_kit.views.review_cards import list_html, pair_html
from deeplens_kit.views.state.duplicates_state import PAGE_GROUPS
from deeplens_kit.views.state.review_state import ReviewState
from deeplens_kit.views.theme import viewer_style

if TYPE_CHECKING:
    from panel.viewable import Viewable

    from deeplens_kit.pipeline.pair_pictures import PairLooks
    from deeplens_kit.views.state.review_rows import ReviewGroup

__all__ = ["ReviewView"]

_MOST_WITHHELD = 50
_VERDICTS, _KINDS = {str(item) for item in Verdict}, {str(item) for item in DecisionKind}


class ReviewView:
    """Groups side by side, to be labelled and decided.

    Args:
        state: Where one is, and what is said.
        thumbnail: Gives WebP bytes for a digest and a side in pixels, or None; called off the event loop.
        looks: Gives what two digests look like for a close look, as `PairView` takes it; None for no such button.
        src: Where a server has the images, gives their addresses.
        may_act: Whether whoever looks may label and decide; else there are no such buttons.
        alone: With totals and filters; without where a page has them.
    """

    def __init__(
        self,
        state: ReviewState,
        thumbnail: Callable[[str, int], bytes | None],
        looks: Callable[[str, str], PairLooks | None] | None = None,
        *,
        src: Callable[[str, int], str] | None = None,
        may_act: bool = True,
        alone: bool = True,
    ) -> None:
        import panel as pn

        self._state, self._may_act = state, may_act
        self._sheets = [
            viewer_style(),
            files("deeplens_kit.views").joinpath("review.css").read_text(encoding="utf-8"),
        ]
        self._summary = pn.pane.HTML("", stylesheets=self._sheets, sizing_mode="stretch_width", margin=0)
        self._closer = None if looks is None else PairView(looks)
        self._looking = False
        closer = {} if self._closer is None else {"closer": self._closer.__panel__()}
        self._board = ReviewBoard(
            thumbnail, self._act, src, stylesheets=self._sheets, margin=(12, 0, 0, 0), eager=not alone, **closer
        )
        self._layout: Viewable = self._lay_out() if alone else self._board
        self._show_summary()
        self._show()
        self._board.embed_first()
        state.param.watch(self._show, ["group", "member", "page", "revision", "locations", "tiers", "marked"])

    def __panel__(self) -> Viewable:
        return self._layout

    # --- Parts -------------------------------------------------------------------------------------------------------

    def _lay_out(self) -> Viewable:
        import panel as pn

        state = self._state
        boxes = [
            pn.Column(
                pn.pane.HTML(f'<p class="label">{state.param[name].label}</p>', stylesheets=self._sheets, margin=0),
                pn.widgets.CheckBoxGroup.from_param(
                    state.param[name],
                    css_classes=["checks", name],
                    inline=True,
                    stylesheets=self._sheets,
                    sizing_mode="stretch_width",
                    margin=(2, 0, 0, 0),
                ),
                styles={"flex": "1 1 240px", "min-width": "min(100%, 200px)"},
            )
            for name in ("locations", "tiers")
            if len(state.param[name].objects) > 1
        ]
        # A ground of its own: a notebook's may be light while the texts follow a dark screen.
        return pn.Column(
            self._summary,
            pn.FlexBox(*boxes, gap="0 28px", sizing_mode="stretch_width"),
            self._board,
            stylesheets=self._sheets,
            styles={"background": "var(--page)", "padding": "16px"},
            sizing_mode="stretch_width",
        )

    # --- What the person does ----------------------------------------------------------------------------------------

    def _act(self, act: str, value: str) -> None:
        """Do what a button says; a page can send anything, and what means nothing is passed over."""
        state = self._state
        if act in ("move", "page", "open", "member"):
            state.said = ""
        if act == "move" and value in ("group 1", "group -1", "member 1", "member -1"):
            kind, _, by = value.partition(" ")
            (state.move_group if kind == "group" else state.move_member)(int(by))
        elif act == "page" and value.isdecimal():
            state.turn_to(int(value))
        elif act == "open":
            state.open_group(value)
        elif act == "member" and value.isdecimal():
            state.open_member(int(value))
        elif act == "regroup":
            self._regroup()
        elif act == "look":
            self._toggle_look()
        elif act == "way" and value in ("1", "2", "3", "4") and self._closer is not None:
            self._closer.mode = PAIR_MODES[int(value) - 1]
        elif self._may_act:
            self._say(act, value)

    def _say(self, act: str, value: str) -> None:
        if act == "undo":
            self._state.take_back()
        elif act == "mark":
            self._state.mark(value or None)
        elif act == "unmark":
            self._state.unmark()
        elif act in ("decide-group", "decide-page", "decide-marked") and value in _KINDS:
            state = self._state
            whole = {"group": state.decide_group, "page": state.decide_page, "marked": state.decide_marked}
            whole[act.removeprefix("decide-")](value)
        else:
            self._say_of(act, value)

    def _say_of(self, act: str, value: str) -> None:
        """Say something of the copy that it was shown for."""
        said, _, digest = value.partition(" ")
        if act == "label" and said in _VERDICTS and digest:
            self._state.label(said, digest)
        elif act == "decide" and said in _KINDS and digest:
            self._state.decide(said, digest)
        elif act == "instead" and value:
            self._state.keep_instead(value)

    def _regroup(self) -> None:
        import panel as pn

        if not self._board.busy:
            pn.state.execute(self._group_anew)

    async def _group_anew(self) -> None:
        """Off the event loop: a million pictures take seconds."""
        self._board.busy = True
        try:
            findings = await asyncio.to_thread(self._state.gather)
        except DeepLensError as error:
            self._state.param.update(said=str(error), revision=self._state.revision + 1)
        else:
            self._state.adopt(findings)
            self._show_summary()
        finally:
            self._board.busy = False

    def _toggle_look(self) -> None:
        if self._closer is not None:
            self._looking = not self._looking
            self._show()

    # --- What the person sees ----------------------------------------------------------------------------------------

    def _show_summary(self) -> None:
        findings = self._state.findings
        shown = findings_summary(findings, again="run this cell again")
        if not findings.totals.objects and findings.frames.withheld.height:
            lines = withheld_list(findings.withheld(_MOST_WITHHELD))
            shown += f'<h3 class="sub-head">Matches that are not proposed, and why</h3>{lines}'
        self._summary.object = shown

    def _show(self, *_events: object) -> None:
        state = self._state
        found = state.current()
        if found is None:
            narrowed = message("No group fits the filters", "Take a filter back to see more.")
            self._board.put(narrowed if state.is_narrowed else "")
            return
        page = min(state.page, state.pages)
        shown = list_html(
            state.lines(),
            state.group,
            first=(page - 1) * PAGE_GROUPS + 1,
            groups=state.groups,
            page=page,
            pages=state.pages,
            marked=state.marked,
            may_act=self._may_act,
        )
        pair = pair_html(
            found,
            state.said,
            pending=state.pending,
            can_take_back=state.can_take_back,
            looking=None if self._closer is None else self._looking,
            may_act=self._may_act,
        )
        self._board.put(f'<div class="review">{shown}{pair}</div>')
        if self._looking and self._closer is not None:
            self._look(self._closer, found)

    @staticmethod
    def _look(closer: PairView, found: ReviewGroup) -> None:
        pair = found.keeper.digest, found.entry.picture.digest
        if found.entry.is_equal:
            closer.clear("Both files have the same bytes: there is nothing to compare.")
        elif closer.pair != pair:
            closer.show(*pair)
