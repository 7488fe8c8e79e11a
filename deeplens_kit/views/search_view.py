"""The page of search: a picture goes in, pictures that are alike come out, each with where it is kept.

Takes the state of a search and what was found in the workspace, gives Panel components; must not search on the event
loop: a slow search must not hold up the pages of others. What goes wrong is said in the place of the results.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import Any

import panel as pn
import param

from deeplens_kit.reporting.words import format_bytes, format_seconds, plural
from deeplens_kit.search.link import is_link
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.board import Board
from deeplens_kit.views.cards import message, picture_frame, picture_grid, picture_src
from deeplens_kit.views.group_cards import group_card, withheld_list
from deeplens_kit.views.picture_drop import PictureDrop
from deeplens_kit.views.result_cards import result_card
from deeplens_kit.views.slider_names import naming_script
from deeplens_kit.views.state.duplicates_state import Findings
from deeplens_kit.views.state.search_state import Query, SearchState
from deeplens_kit.views.theme import viewer_style

__all__ = ["SearchView"]

_WIDE: dict[str, Any] = {"sizing_mode": "stretch_width", "stylesheets": [viewer_style()], "margin": (10, 0, 0, 0)}
_GROUND = {"background": "var(--page)", "padding": "16px"}
_SIDE = {"flex": "1 1 260px", "min-width": "min(100%, 240px)"}
_REST = {"flex": "999 1 480px", "min-width": "min(100%, 320px)"}
_QUERY_PX = 180
_MOST_NAME = 80
# More than any link that is followed: a longer one has to be refused, and not be cut and followed.
_MOST_TYPED = 10_000


class SearchView:
    """Question on one side, answer on the other.

    Args:
        state: What is asked and answered.
        findings: Gives the groups, for "Its duplicates"; asked each time, for they may have changed.
        src: Gives the address of a thumbnail for a digest and a side in pixels.

    Attributes:
        question: Where a picture is given.
        filters: What narrows the answer.
        answer: The results, or the groups of one of them.
    """

    def __init__(self, state: SearchState, findings: Callable[[], Findings], src: Callable[[str, int], str]) -> None:
        self._state, self._findings, self._src = state, findings, src
        self._drop = PictureDrop(self._take, state.refuse, max_bytes=state.max_upload_bytes)
        self._link = pn.widgets.TextInput(
            label="Or give a link", placeholder="https://…", max_length=_MOST_TYPED, **_WIDE
        )
        self._go = pn.widgets.Button(label="Search the link", **_WIDE)
        self._text = pn.widgets.TextInput(
            label="Or words of names and tags", placeholder="beach 2019", max_length=_MOST_TYPED, **_WIDE
        )
        self._asked = Board(self._act)
        self.question = pn.Column(
            self._asked, self._drop, self._link, self._go, self._text, sizing_mode="stretch_width"
        )
        self.filters = self._lay_out_filters()
        self.answer = Board(self._act)
        self._link.param.watch(self._take_link, "enter_pressed")
        self._go.on_click(self._take_link)
        self._text.param.watch(self._take_words, "enter_pressed")
        state.param.watch(self._search_anew, list(SearchState.FILTERS))
        state.param.watch(self._show, ["answer", "problem", "asked"])
        state.param.watch(self._rest, "loading")
        self._show()

    def _lay_out_filters(self) -> pn.viewable.Viewable:
        at, boxes = self._state.param, []
        for name in ("locations", "formats"):
            if len(at[name].objects) > 1:
                group = pn.widgets.CheckBoxGroup.from_param(at[name], css_classes=["checks", name], **_WIDE)
                boxes += [_words(f'<p class="label">{at[name].label}</p>'), group]
        sizes = pn.Row(
            pn.widgets.Select.from_param(at.min_bytes, **(_WIDE | {"margin": (10, 10, 0, 0)})),
            pn.widgets.Select.from_param(at.max_bytes, **_WIDE),
            sizing_mode="stretch_width",
        )
        return pn.Column(
            pn.widgets.FloatSlider.from_param(at.threshold, format="0.00", **_WIDE),
            _words('<p class="tiny quiet">Copies score 0.5 and more; what is only alike, less.</p>'),
            *boxes,
            sizes,
            pn.widgets.Select.from_param(at.limit, **_WIDE),
            sizing_mode="stretch_width",
        )

    def __panel__(self) -> pn.viewable.Viewable:
        """Question and filters beside the answer, or above it where there is little room."""
        # A ground of its own: a notebook's may be light while the texts follow a dark screen.
        named = _words(naming_script(count=1))
        side = pn.Column(self.question, self.filters, named, styles=_SIDE, max_width=420, sizing_mode="stretch_width")
        answer = pn.Column(self.answer, styles=_REST, sizing_mode="stretch_width")
        return pn.FlexBox(
            side, answer, gap="28px", align_items="flex-start", styles=_GROUND, stylesheets=[viewer_style()],
            sizing_mode="stretch_width",
        )  # fmt: skip

    # --- What the person does ------------------------------------------------------------

    def _take(self, content: bytes, name: str) -> None:
        self._link.param.update(value="", value_input="")
        self._state.ask(content, name)
        pn.state.execute(self._search)

    def _take_link(self, *_events: object) -> None:
        link = (self._link.value_input or self._link.value or "").strip()
        if not link:
            return
        if not is_link(link):
            self._state.refuse(f"{_clipped(link)!r} is no link; it must begin with http:// or https://.", link)
            return
        self._state.ask(link, link)
        pn.state.execute(self._search)

    def _take_words(self, *_events: object) -> None:
        words = (self._text.value_input or self._text.value or "").strip()
        if words:
            self._link.param.update(value="", value_input="")
            self._state.ask_words(words)
            pn.state.execute(self._search)

    def _search_anew(self, *_events: object) -> None:
        if self._state.query is not None:
            pn.state.execute(self._search)

    def _act(self, act: str, value: str) -> None:
        if act == "group":
            pn.state.execute(partial(self._open_groups, value))
        elif act == "back":
            self._show()
        elif act == "again" and value in self._found():
            # A page can send anything, and a text that is no digest could name a file of this machine.
            self._link.param.update(value="", value_input="")
            self._state.ask(value, self._found()[value].rpartition("/")[2])
            pn.state.execute(self._search)
        elif act == "clear":
            self._link.param.update(value="", value_input="")
            self._text.param.update(value="", value_input="")
            self._state.clear()

    async def _search(self) -> None:
        request = self._state.begin()
        if request is None:
            return
        try:
            outcome = await asyncio.to_thread(self._state.compute, request)
        except Exception:
            self._state.fail(request)
            raise
        self._state.finish(request, outcome)

    # --- What the person sees ------------------------------------------------------------

    def _rest(self, *_events: object) -> None:
        self._drop.busy = self.answer.busy = self._state.loading
        self._go.disabled = self._state.loading
        if self._state.loading and self._state.answer is None:
            self.answer.html = message("Searching…", kind="busy")

    def _show(self, *events: param.parameterized.Event) -> None:
        """Draw both sides; what answers a new question is given the focus, what a filter changed is not."""
        self._asked.html = self._asked_html()
        self._drop.compact = self._state.answer is not None
        # That it was set is no sign: param calls a value changed that it does not know how to compare.
        new = any(event.name == "asked" and event.new is not event.old for event in events)
        self.answer.html = self._answer_html(new=new)

    def _asked_html(self) -> str:
        asked, answer = self._state.asked, self._state.answer
        if asked is None or answer is None:
            return ""
        query = answer.query
        if asked.words:
            return (
                '<section class="asked" aria-label="The words searched for"><div class="text"><p class="title">'
                f"<bdi>{escape(_short(asked))}</bdi></p>"
                '<p class="small quiet">In paths, names, tags, descriptions and metadata.</p>'
                '<p class="acts"><button type="button" class="second" data-act="clear">Start over</button></p>'
                "</div></section>"
            )
        facts = f"{query['width_px']:,} × {query['height_px']:,} px, {query['format']}"
        if query.get("size_bytes"):
            facts += f", {format_bytes(int(str(query['size_bytes'])))}"
        said = "This very file is indexed." if query["is_indexed"] else "This very file is not indexed."
        frame = picture_frame(
            src=self._asked_src(query), alt=f"The picture searched for: {_short(asked)}", side_px=_QUERY_PX
        )
        return (
            f'<section class="asked" aria-label="The picture searched for">{frame}<div class="text">'
            f'<p class="title"><bdi>{escape(_short(asked))}</bdi></p><p class="small quiet">{escape(facts)}</p>'
            f'<p class="small quiet">{said}</p>'
            '<p class="acts"><button type="button" class="second" data-act="clear">Start over</button></p>'
            "</div></section>"
        )

    def _asked_src(self, query: Mapping[str, object]) -> str:
        if query["is_indexed"]:
            return self._src(str(query["digest"]), 300)
        return picture_src(self._state.preview)

    def _answer_html(self, *, new: bool = False) -> str:
        state = self._state
        if state.problem:
            heading = "Nothing was searched for" if state.query is None else "This search did not work"
            return message(heading, state.problem, kind="problem")
        if state.answer is None:
            return self._invitation()
        answer = state.answer
        notes = "".join(message(note, kind="note") for note in _notes(answer))
        if answer.results.is_empty():
            return notes + self._nothing_found(answer.searched)
        of_digest: dict[str, list[dict[str, Any]]] = {}
        for place in answer.places.iter_rows(named=True):
            of_digest.setdefault(place["digest"], []).append(place)
        cards, by_words = [], bool(state.asked is not None and state.asked.words)
        for row in answer.results.iter_rows(named=True):
            places = of_digest.get(row["digest"], [])
            # What stays names the picture; else what the search named it by.
            first = (row["location"], row["path"])
            places.sort(key=lambda at, first=first: (not at["stays"], (at["location"], at["path"]) != first))  # type: ignore[misc]
            cards.append(result_card(row, places, self._src, by_words=by_words))
        shown = f"{plural(len(cards), 'picture')}"
        if answer.found > len(cards):
            least = "" if answer.found_all else "at least "
            shown = f"The best {len(cards):,} of {least}{plural(answer.found, 'picture')}"
        head = (
            f'<div class="head"><h2 tabindex="-1"{" data-focus" if new else ""}>{shown}</h2><p class="small quiet">'
            f"{plural(answer.searched, 'picture')} compared in {_duration(answer.seconds)}</p></div>"
        )
        return (
            notes
            + head
            + picture_grid(cards, label="Pictures found, the best first").replace(
                'class="pictures"', 'class="pictures results"', 1
            )
        )

    def _invitation(self) -> str:
        if not self._state.has_pictures:
            return message(
                "Nothing indexed yet",
                "This workspace holds no picture that could be searched. Add a location with `deeplens locations add`, "
                "run `deeplens index`, then reload this page. What could not be read is listed by `deeplens failures`.",
            )
        return message(
            "Have we got this picture?",
            "Drop a picture, paste one or give a link: it is compared with every picture of this workspace. "
            "Copies come first, then what is alike.",
        )

    def _nothing_found(self, searched: int) -> str:
        state = self._state
        if not state.has_pictures:
            return self._invitation()
        if not searched:
            return message(
                "No picture fits the filters", "Nothing was compared. Take a filter back, or choose other locations."
            )
        compared = f"None of the {plural(searched, 'picture')} compared"
        said = f"{compared} scores {state.threshold:.2f} or more. Lower the least score to see what comes nearest."
        if not state.threshold:
            said = f"{compared} is alike enough to be scored."
        return message("Nothing like it was found", said)

    async def _open_groups(self, digest: str) -> None:
        shown = self.answer.html
        # Off the event loop: after another indexing they are read anew.
        findings = await asyncio.to_thread(self._findings)
        if self.answer.html != shown:
            # The person has gone on meanwhile.
            return
        groups = findings.groups_of(digest)
        back = (
            '<p class="back"><button type="button" class="second" data-act="back" data-focus>'
            "&larr; Back to the results</button></p>"
        )
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
        self.answer.html = back + notes + body

    def _found(self) -> dict[str, str]:
        """Path of each picture of the answer, by digest."""
        answer = self._state.answer
        return {} if answer is None else dict(answer.results.select("digest", "path").iter_rows())


def _duration(seconds: float) -> str:
    return f"{round(1000 * seconds):,} ms" if seconds < 1 else format_seconds(seconds)


def _words(html: str) -> pn.pane.HTML:
    return pn.pane.HTML(html, stylesheets=[viewer_style()], sizing_mode="stretch_width", margin=(4, 0, 0, 0))


def _short(asked: Query) -> str:
    return _clipped(display_path(asked.name))


def _clipped(text: str) -> str:
    return text if len(text) <= _MOST_NAME else f"{text[: _MOST_NAME // 2]}…{text[-_MOST_NAME // 2 :]}"


def _notes(answer: Any) -> list[str]:
    notes = []
    if not answer.current:
        notes.append(
            "Files were indexed that this search does not know yet; run `deeplens index` to bring it up to date."
        )
    return [*notes, *(f"Not compared: {reason}" for reason in answer.missing)]
