"""The page of duplicates: the groups by the bytes they would free, a page at a time, each with its evidence.

Takes the state of what is looked at, gives Panel components; must not group, rank or remove anything.
"""

from __future__ import annotations

from collections.abc import Callable

import panel as pn

from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.views.board import Board
from deeplens_kit.views.cards import message, pager
from deeplens_kit.views.findings_summary import findings_summary
from deeplens_kit.views.group_cards import group_card
from deeplens_kit.views.state.duplicates_state import DuplicatesState, GroupsPage
from deeplens_kit.views.theme import viewer_style

__all__ = ["DuplicatesView"]

# What frees most is seen at once; the others fold, or the page would be a mile long.
_UNFOLDED = 1


class DuplicatesView:
    """Totals at the top, filters beside, groups beneath.

    Args:
        state: What is looked at.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
        on_review: Told the id of a group that is to be reviewed; None for no such button.

    Attributes:
        summary: What all groups add up to, and how much of what was found it speaks of.
        filters: By location and tier.
        groups: A page of them, or a single one.
    """

    def __init__(
        self,
        state: DuplicatesState,
        src: Callable[[str, int], str],
        on_review: Callable[[str], None] | None = None,
    ) -> None:
        self._state, self._src, self._on_review = state, src, on_review
        sheet = [viewer_style()]
        self.summary = Board(html=findings_summary(state.findings))
        self.groups = Board(self._act)
        boxes = []
        for name in ("locations", "tiers"):
            parameter = state.param[name]
            if len(parameter.objects) > 1:
                label = f'<p class="label">{parameter.label}</p>'
                boxes += [
                    pn.pane.HTML(label, stylesheets=sheet, sizing_mode="stretch_width", margin=0),
                    pn.widgets.CheckBoxGroup.from_param(
                        parameter,
                        css_classes=["checks", name],
                        stylesheets=sheet,
                        sizing_mode="stretch_width",
                        margin=(4, 0, 12, 0),
                    ),
                ]
        self.filters = pn.Column(*boxes, sizing_mode="stretch_width")
        state.param.watch(self._show, ["locations", "tiers", "page", "group", "revision"])
        state.param.watch(self._add_up, ["revision"])
        self._show()

    def _act(self, act: str, value: str) -> None:
        if act == "page" and value.isdecimal():
            self._state.turn_to(int(value))
        elif act == "list":
            self._state.open_group("")
        elif act == "all":
            self._state.param.update(locations=[], tiers=[])
        elif act == "review" and value and self._on_review is not None:
            self._on_review(value)

    def _add_up(self, *_events: object) -> None:
        self.summary.html = findings_summary(self._state.findings)

    def _show(self, *_events: object) -> None:
        self.groups.html = self._single_html() if self._state.group else self._list_html()

    def _list_html(self) -> str:
        page = self._state.current_page()
        if not page.groups:
            if not self._state.is_narrowed:
                return ""
            everything = '<p class="acts"><button type="button" data-act="all">Show all groups</button></p>'
            return message("No group fits the filters", "Take a filter back to see more.") + everything
        cards = "".join(
            group_card(
                group,
                self._src,
                opened=page.first == 1 and number < _UNFOLDED,
                focus=number == 0 and page.first > 1,
                can_review=self._on_review is not None,
            )
            for number, group in enumerate(page.groups)
        )
        return f"{self._head_html(page)}{cards}{pager(min(self._state.page, page.pages), page.pages)}"

    def _head_html(self, page: GroupsPage) -> str:
        heading = plural(page.matching, "group")
        if page.pages > 1:
            heading = f"Groups {page.first:,} to {page.first + len(page.groups) - 1:,} of {page.matching:,}"
        said = "Those that free most come first. In each, one file stays and every other one matches that very file."
        if self._state.is_narrowed:
            said = (
                f"By these filters {plural(page.objects, 'file')} could go, which frees "
                f"{format_bytes(page.frees_bytes)}. Groups that free most of it come first."
            )
        return f'<div class="head"><h2>{heading}</h2><p class="small quiet">{said}</p></div>'

    def _single_html(self) -> str:
        group = self._state.single()
        back = '<p class="back"><button type="button" class="second" data-act="list">&larr; All groups</button></p>'
        if group is None:
            text = "It may have gone with its files, or another rule was used when the link was made."
            return back + message("There is no such group now", text)
        return back + group_card(group, self._src, can_review=self._on_review is not None)
