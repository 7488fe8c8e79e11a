"""The page of search: a picture or words go in, pictures come out, each with where it is kept and why it was found.

Takes the state of a search and what was found in the workspace, gives Panel components; must not search on the event
loop: a slow search must not hold up the pages of others. What goes wrong is said in the place of the results.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from html import escape
from importlib.resources import files
from typing import Any

import panel as pn

from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.answer_cards import AnswerLook, answer_html, answer_notes, selection_html
from deeplens_kit.views.cards import message, picture_src
from deeplens_kit.views.crop_box import CropBox
from deeplens_kit.views.group_cards import group_card, withheld_list
from deeplens_kit.views.live_board import LiveBoard
from deeplens_kit.views.picture_drop import PictureDrop
from deeplens_kit.views.question_cards import filters_html, form_html, mix_html, recalled_html
from deeplens_kit.views.search_deeds import SearchDeeds
from deeplens_kit.views.state.duplicates_state import Findings
from deeplens_kit.views.state.question import LIMITS
from deeplens_kit.views.state.search_acts import SearchActs
from deeplens_kit.views.state.search_state import SearchState
from deeplens_kit.views.theme import viewer_style

__all__ = ["SearchView"]

_GROUND = {"background": "var(--page)", "padding": "16px"}
_SIDE = {"flex": "1 1 260px", "min-width": "min(100%, 240px)"}
_REST = {"flex": "999 1 480px", "min-width": "min(100%, 320px)"}
_MOST_NAME = 80
_ASKED_PX = 600
_BACK = (
    '<p class="back"><button type="button" class="second" data-act="back" data-focus>'
    "&larr; Back to the results</button></p>"
)


class SearchView(SearchDeeds):
    """Question on one side, answer on the other.

    Args:
        state: What is asked and answered.
        findings: Gives the groups, for "Its duplicates"; asked each time, for they may have changed.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
        acts: What can be done besides searching.
        compare: Gives a viewer of one pair; without it nothing is compared.
        reads_text: Words are understood as what pictures show; else they are those of names and tags.
        preferences: What the person prefers, by name.
        address: What a link asks: the text behind its question mark.

    Attributes:
        question: Where a picture is given.
        filters: What narrows the answer.
        answer: The results, or the groups of one of them.
        address: The part of the page's address that holds the question; empty in a notebook.
    """

    def __init__(
        self,
        state: SearchState,
        findings: Callable[[], Findings],
        src: Callable[[str, int], str],
        *,
        acts: SearchActs | None = None,
        compare: Callable[[], Any] | None = None,
        reads_text: bool = False,
        preferences: Mapping[str, object] | None = None,
        address: str = "",
    ) -> None:
        prefer = preferences or {}
        super().__init__(
            state,
            acts or SearchActs(),
            meaning=str(prefer.get("search.meaning") or "shows") if reads_text else "words",
            grid="small" if prefer.get("search.grid") == "small" else "large",
        )
        self._findings, self._src, self._reads_text = findings, src, reads_text
        self._shown_turn = state.turn
        sheets = [viewer_style(), files("deeplens_kit.views").joinpath("search.css").read_text(encoding="utf-8")]
        self._drop = PictureDrop(
            self._take, state.refuse, max_bytes=state.max_upload_bytes, kept_words=state.kept_words
        )
        self._asked = LiveBoard(self._act, stylesheets=sheets)
        self._crop = CropBox(self._take_crop, stylesheets=sheets, visible=False)
        self._form = LiveBoard(self._act, stylesheets=sheets)
        parts: list[Any] = [self._crop, self._asked, self._drop, self._form, self._files]
        # The address of a notebook is not ours to write.
        parts += [self.address] if pn.state.curdoc is not None else []
        self.question = pn.Column(*parts, sizing_mode="stretch_width")
        self.filters = LiveBoard(self._act, stylesheets=sheets)
        self._chosen = LiveBoard(self._act, stylesheets=sheets, css_classes=["chosen-bar"])
        self._results = LiveBoard(self._act, stylesheets=sheets)
        self._pair = compare() if compare is not None else None
        self._stage = pn.Column(sizing_mode="stretch_width")
        self.answer = pn.Column(self._results, self._stage, self._chosen, sizing_mode="stretch_width")
        state.param.watch(self._show, ["answer", "problem", "asked"])
        state.param.watch(self._show_facets, ["facets"])
        state.param.watch(self._show_chosen, ["selected"])
        state.param.watch(self._rest, "loading")
        limit = prefer.get("search.limit")
        if limit in LIMITS:
            state.change(limit=limit)
        self._show()
        self._show_facets()
        if pn.state.curdoc is not None:
            pn.state.onload(partial(self._start, address))

    def __panel__(self) -> pn.viewable.Viewable:
        """Question and filters beside the answer, or above it where there is little room."""
        # A ground of its own: a notebook's may be light while the texts follow a dark screen.
        side = pn.Column(self.question, self.filters, styles=_SIDE, max_width=420, sizing_mode="stretch_width")
        answer = pn.Column(self.answer, styles=_REST, sizing_mode="stretch_width")
        return pn.FlexBox(
            side, answer, gap="28px", align_items="flex-start", styles=_GROUND, stylesheets=[viewer_style()],
            sizing_mode="stretch_width",
        )  # fmt: skip

    # --- What the person sees ------------------------------------------------------------

    def _rest(self, *_events: object) -> None:
        busy = self._state.loading
        self._drop.busy = self._results.busy = self._crop.busy = busy
        if busy and self._state.answer is None and not self._state.question.is_empty:
            self._results.html = message("Searching…", kind="busy")

    def _show(self, *_events: object) -> None:
        """Draw both sides; what answers a new question is given the focus, what a filter changed is not."""
        asked = self._state.asked
        self._show_asked()
        self._drop.compact = self._state.answer is not None and bool(asked and asked.image)
        self._form.html = form_html(self._state.question, self._meaning, reads_text=self._reads_text)
        self._show_results(is_new=self._state.turn != self._shown_turn)
        self._shown_turn = self._state.turn
        self._show_chosen()

    def _show_facets(self, *_events: object) -> None:
        self.filters.html = filters_html(self._state.question, self._state.facets, self._features())

    def _show_chosen(self, *_events: object) -> None:
        self._chosen.html = selection_html(self._state.answer, self._state.selected)

    def _show_asked(self) -> None:
        asked, answer = self._state.asked, self._state.answer
        picture = asked is not None and answer is not None and bool(asked.image)
        if not picture or asked is None or answer is None:
            self._crop.visible = False
            self._asked.html = "" if asked is None and not self._state.problem else _start_over()
            return
        query = answer.query
        name = _short(asked.name or str(query.get("name") or "picture"))
        shape = (query.get("width_px") or 1, query.get("height_px") or 1)
        indexed = bool(query["is_indexed"]) if query["is_indexed"] is not None else isinstance(asked.image, str)
        digest = str(answer.terms[0]["digest"]) if answer.terms else str(query["digest"])
        self._crop.param.update(
            src=self._src(digest, _ASKED_PX) if indexed else picture_src(self._state.preview),
            alt=f"The picture searched for: {name}",
            shape=float(shape[0]) / float(shape[1]),
            crop=list(asked.crop or ()),
            visible=True,
        )
        facts = ""
        if query.get("width_px"):
            facts = f"{query['width_px']:,} × {query['height_px']:,} px, {query['format']}"
            facts += f", {format_bytes(int(str(query['size_bytes'])))}" if query.get("size_bytes") else ""
        said = "This very file is indexed." if indexed else "This very file is not indexed."
        self._asked.html = (
            f'<section class="asked" aria-label="The picture searched for"><div class="text"><p class="title">'
            f'<bdi>{escape(name)}</bdi></p><p class="small quiet">{escape(facts)}</p><p class="small quiet">{said}</p>'
            f"{mix_html(asked)}{_start_over()}</div></section>"
        )

    def _show_results(self, *, is_new: bool = False) -> None:
        self._stage[:] = []
        self._results.html = self._answer_html(is_new=is_new)

    def _answer_html(self, *, is_new: bool) -> str:
        state, asked = self._state, self._state.asked
        if state.problem:
            heading = "Nothing was searched for" if asked is None or not asked.image else "This search did not work"
            return message(heading, state.problem, kind="problem")
        if state.answer is None or asked is None:
            return self._invitation()
        notes = answer_notes(state.answer)
        if state.answer.results.is_empty():
            return notes + self._nothing_found(state.answer.searched)
        can_rate = self._acts.rate is not None and bool(asked.image or asked.shows)
        look = AnswerLook(
            selected=state.selected,
            ratings=state.ratings if can_rate else None,
            of_one_picture=asked.is_one_picture,
            with_picture=self._pair is not None and bool(asked.image),
            can_save=self._acts.save is not None,
            grid=self._grid,
            is_new=is_new,
        )
        return notes + answer_html(state.answer, self._src, look)

    def _invitation(self) -> str:
        if not self._state.has_pictures:
            return message(
                "Nothing indexed yet",
                "This workspace holds no picture that could be searched. Add a location with `deeplens locations add`, "
                "run `deeplens index`, then reload this page. What could not be read is listed by `deeplens failures`.",
            )
        how = "say what it shows" if self._reads_text else "words of its name"
        return (
            message(
                "Have we got this picture?",
                f"Drop a picture, paste one, give a link or {how}: it is compared with every picture of this "
                "workspace. Copies come first, then what is alike.",
            )
            + self._recalled
        )

    def _recall(self) -> str:
        saved = self._acts.saved() if self._acts.saved is not None else ()
        history = self._acts.history() if self._acts.history is not None else ()
        return recalled_html(saved, history, can_clear=self._acts.clear_history is not None)

    def _nothing_found(self, searched: int) -> str:
        state, threshold = self._state, self._state.question.filters.min_score
        if not state.has_pictures:
            return self._invitation()
        filters = replace(state.question.filters, min_score=0.0)
        if not searched and state.question.words and filters == type(filters)():
            return message(
                "No name or tag has these words",
                "They were looked for in paths, names, tags, descriptions and metadata. Try fewer or other words.",
            )
        if not searched:
            return message(
                "No picture fits the filters", "Nothing was compared. Take a filter back, or choose other locations."
            )
        compared = f"None of the {plural(searched, 'picture')} compared"
        said = f"{compared} scores {threshold:.2f} or more. Lower the least score to see what comes nearest."
        if not threshold:
            said = f"{compared} is alike enough to be scored."
        return message("Nothing like it was found", said)

    async def _open_groups(self, digest: str) -> None:
        shown = self._results.html
        # Off the event loop: after another indexing they are read anew.
        findings = await asyncio.to_thread(self._findings)
        if self._results.html != shown:
            # The person has gone on meanwhile.
            return
        groups = findings.groups_of(digest)
        notes = "".join(message(note, kind="note") for note in findings.notes)
        withheld = findings.withheld_of(digest)
        if groups:
            body = '<div class="head"><h2>Its duplicates</h2></div>' + "".join(
                group_card(group, self._src) for group in groups
            )
        else:
            body = message(
                "No duplicates of it are proposed",
                "By the strict rule no other file is a copy of this picture, nor this of another.",
            )
        if withheld:
            body += f'<h3 class="sub-head">Matches that are not proposed</h3>{withheld_list(withheld)}'
        self._results.html = _BACK + notes + body

    def _compare(self, first: str, second: str) -> None:
        if self._pair is None:
            return
        self._results.html = f'{_BACK}<div class="head"><h2>Compared closely</h2></div>'
        self._stage[:] = [self._pair.__panel__()]
        self._pair.show(first, second)


def _start_over() -> str:
    return (
        '<p class="acts"><button type="button" class="second" id="start-over" data-act="clear">Start over</button></p>'
    )


def _short(name: str) -> str:
    text = display_path(name)
    return text if len(text) <= _MOST_NAME else f"{text[: _MOST_NAME // 2]}…{text[-_MOST_NAME // 2 :]}"
