"""What a person does on the page of search, and what comes of it: another question, a file, a verdict, a name.

Takes what was pressed and typed, changes the state of the search and calls the functions that act; must not draw. What
takes long is done off the event loop, and what cannot be done is told.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import panel as pn

from deeplens_kit.errors import DeepLensError
from deeplens_kit.reporting.answer_files import ANSWER_ENDINGS, answer_file
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.link import is_link
from deeplens_kit.search.query import SearchBy
from deeplens_kit.views.address import Address
from deeplens_kit.views.file_saver import FileSaver
from deeplens_kit.views.live_board import BoardAct
from deeplens_kit.views.notices import notice
from deeplens_kit.views.state.question import LIMITS, Question, question_of_address
from deeplens_kit.views.state.search_acts import SearchActs
from deeplens_kit.views.state.search_state import SearchState

__all__ = ["SearchDeeds"]

_GREATEST_WEIGHT = 2.0


class SearchDeeds(ABC):
    """What can be done on a page of search; the page draws what comes of it.

    Args:
        state: What is asked and answered.
        acts: What can be done besides searching.
        meaning: What words mean at first: "shows" or "words".
        grid: How large pictures are at first: "large" or "small".
    """

    def __init__(self, state: SearchState, acts: SearchActs, *, meaning: str, grid: str) -> None:
        self._state, self._acts, self._meaning, self._grid = state, acts, meaning, grid
        self._files, self.address = FileSaver(), Address(self.open)
        self._recalled = ""

    @abstractmethod
    def _show_results(self, *, is_new: bool = False) -> None:
        """Draw the answer, or what stands in its place."""

    @abstractmethod
    async def _open_groups(self, digest: str) -> None:
        """Show the groups of a picture in the place of the answer."""

    @abstractmethod
    def _compare(self, first: str, second: str) -> None:
        """Show two pictures closely in the place of the answer."""

    @abstractmethod
    def _recall(self) -> str:
        """What was saved and asked before, as HTML; reads the stores."""

    def open(self, text: str) -> None:
        """Ask what a link asks: the text behind its question mark."""
        question, problem = question_of_address(text)
        if problem:
            self._state.refuse(problem)
            return
        self.address.text = text
        if question.is_empty:
            self._state.clear()
        self._state.put(question)
        pn.state.execute(self._search)

    async def _start(self, text: str) -> None:
        """Ask what the link asks by which the page was opened; without one count what could be chosen."""
        question, problem = question_of_address(text)
        if problem:
            self._state.refuse(problem)
            return
        if text:
            self.address.text = text
            self._state.put(question)
        await self._search()

    def _take(self, content: bytes, name: str) -> None:
        self._state.ask(content, name)
        pn.state.execute(self._search)

    def _take_crop(self, crop: tuple[float, float, float, float] | None) -> None:
        if self._state.question.image:
            self._ask(crop=crop)

    def _ask(self, **values: Any) -> None:
        try:
            self._state.change(**values)
        except DeepLensError as error:
            self._state.refuse(str(error))
            return
        pn.state.execute(self._search)

    def _act(self, done: BoardAct) -> None:
        act = getattr(self, f"_on_{done.act.replace('-', '_')}", None)
        if act is not None:
            act(done)

    def _on_type(self, done: BoardAct) -> None:
        text = done.fields.get("text", "").strip()
        self._meaning = "shows" if done.fields.get("meaning") == "shows" else "words"
        if is_link(text):
            self._state.ask(text, text)
            pn.state.execute(self._search)
        elif text or self._state.question.image:
            # A picture stays beside what results are to show, and words of names beside both.
            self._ask(**{"shows": "", "words": "", self._meaning: text})
        if self._acts.prefer is not None and "meaning" in done.fields:
            self._in_thread(partial(self._acts.prefer, "search.meaning", self._meaning))

    def _on_balance(self, done: BoardAct) -> None:
        if done.text.isdigit():
            self._ask(balance=min(100, int(done.text)) / 100)

    def _on_threshold(self, done: BoardAct) -> None:
        self._narrow(min_score=_number(done.text, 0.0, 1.0))

    def _on_facet(self, done: BoardAct) -> None:
        facet, _, value = done.value.partition(":")
        try:
            self._state.question = self._state.question.narrowed(facet, value, on=done.on)
        except DeepLensError as error:
            self._state.refuse(str(error))
            return
        pn.state.execute(self._search)

    def _on_widen(self, _done: BoardAct) -> None:
        self._ask(filters=SearchFilters())

    def _on_by(self, done: BoardAct) -> None:
        if done.text in ("", *SearchBy):
            self._ask(by=done.text, weights=())

    def _on_weight(self, done: BoardAct) -> None:
        weights = dict.fromkeys(self._features(), 1.0) | dict(self._state.question.weights)
        if done.value in weights:
            weights[done.value] = _number(done.text, 0.0, _GREATEST_WEIGHT)
            self._ask(weights=tuple(sorted(weights.items())), by="likeness")

    def _on_limit(self, done: BoardAct) -> None:
        if done.text.isdigit() and int(done.text) in LIMITS:
            self._ask(limit=int(done.text))
            self._prefer("search.limit", int(done.text))

    def _on_grid(self, done: BoardAct) -> None:
        self._grid = "small" if done.value == "small" else "large"
        self._prefer("search.grid", self._grid)
        self._show_results()

    def _on_group(self, done: BoardAct) -> None:
        pn.state.execute(partial(self._open_groups, done.value))

    def _on_back(self, _done: BoardAct) -> None:
        self._show_results()

    def _on_again(self, done: BoardAct) -> None:
        # A page can send anything, and a text that is no digest could name a file of this machine.
        if done.value in self._found():
            self._state.change(shows="", words="")
            self._state.ask(done.value, self._found()[done.value].rpartition("/")[2])
            pn.state.execute(self._search)

    def _on_clear(self, _done: BoardAct) -> None:
        self._state.clear()
        self._tell_address()
        pn.state.execute(self._search)

    def _on_select(self, done: BoardAct) -> None:
        self._state.select(done.cards or (done.value,), on=done.on)

    def _on_unselect(self, _done: BoardAct) -> None:
        self._state.select(self._state.selected, on=False)
        self._show_results()

    def _on_compare(self, done: BoardAct) -> None:
        asked = self._state.asked
        if asked is not None and done.value in self._found():
            self._compare(asked.digest or str(asked.image), done.value)

    def _on_compare_selected(self, _done: BoardAct) -> None:
        if len(self._state.selected) == 2:
            self._compare(*self._state.selected)

    def _on_export(self, done: BoardAct) -> None:
        which, _, ending = done.value.partition(":")
        answer = self._state.answer
        if answer is not None and ending in ANSWER_ENDINGS:
            chosen = self._state.selected if which == "selected" else tuple(answer.results["digest"])
            self._files.hand_over(f"search{ending}", answer_file(answer, chosen, ending))

    def _on_rate(self, done: BoardAct) -> None:
        verdict, _, digest = done.value.partition(":")
        if self._acts.rate is not None and digest in self._found():
            pn.state.execute(partial(self._rate, digest, verdict))

    def _on_save(self, done: BoardAct) -> None:
        name, save = done.fields.get("name", "").strip(), self._acts.save
        asked = self._state.asked
        if save is not None and asked is not None and name:
            self._in_thread(partial(save, name, asked.query(), False), said=f"Saved as {name!r}.")

    def _on_forget(self, done: BoardAct) -> None:
        if self._acts.remove is not None:
            self._in_thread(partial(self._acts.remove, done.value), then=self._remember)

    def _on_clear_history(self, _done: BoardAct) -> None:
        if self._acts.clear_history is not None:
            self._in_thread(self._acts.clear_history, then=self._remember)

    def _on_open(self, done: BoardAct) -> None:
        self.address.push(done.value)
        self.open(done.value)

    def _narrow(self, **values: Any) -> None:
        self._state.narrow(**values)
        pn.state.execute(self._search)

    def _prefer(self, name: str, value: object) -> None:
        if self._acts.prefer is not None:
            self._in_thread(partial(self._acts.prefer, name, value))

    def _in_thread(self, work: Callable[[], Any], *, said: str = "", then: Callable[[], Any] | None = None) -> None:
        async def do() -> None:
            try:
                await asyncio.to_thread(work)
            except DeepLensError as error:
                notice(str(error), kind="problem")
                return
            if said:
                notice(said)
            if then is not None:
                then()

        pn.state.execute(do)

    async def _rate(self, digest: str, verdict: str) -> None:
        state, asked, answer = self._state, self._state.asked, self._state.answer
        if asked is None or answer is None or self._acts.rate is None:
            return
        # The same button again takes it back.
        said = "" if state.ratings.get(digest) == verdict else verdict
        digests = [term["digest"] for term in answer.terms]
        score = float(answer.results.filter(answer.results["digest"] == digest)["score"][0])
        try:
            told = await asyncio.to_thread(self._acts.rate, asked.query(), digests, digest, said, score)
        except DeepLensError as error:
            notice(str(error), kind="problem")
            return
        if state.answer is answer:
            others = {key: was for key, was in state.ratings.items() if key != digest}
            state.ratings = others | ({digest: said} if said else {})
            self._show_results()
        notice(told)

    def _remember(self) -> None:
        """Show anew what was saved and asked before."""
        pn.state.execute(self._search)

    async def _search(self) -> None:
        request = self._state.begin()
        try:
            outcome = await asyncio.to_thread(self._state.compute, request)
        except Exception:
            self._state.fail(request)
            raise
        if outcome.question.is_empty:
            self._recalled = await asyncio.to_thread(self._recall)
        if self._state.finish(request, outcome):
            self._tell_address()
            if outcome.question.is_empty:
                self._show_results()

    def _tell_address(self) -> None:
        """Write the question into the address: another picture or other words are a step of their own."""
        text = self._state.question.address()
        old, _ = question_of_address(self.address.text)
        bare = replace(self._state.question, image="", digest="", name="")
        same = (old.image, old.shows, old.words) == (_said_image(self._state.question), bare.shows, bare.words)
        (self.address.replace if same else self.address.push)(text)

    def _features(self) -> list[str]:
        answer = self._state.answer
        return [] if answer is None else sorted(set(answer.parts["feature"]))

    def _found(self) -> dict[str, str]:
        """Path of each picture of the answer, by digest."""
        answer = self._state.answer
        return {} if answer is None else dict(answer.results.select("digest", "path").iter_rows())


def _said_image(question: Question) -> str:
    return question.digest if isinstance(question.image, bytes) else question.image


def _number(text: str, least: float, most: float) -> float:
    try:
        return min(most, max(least, float(text)))
    except ValueError:
        return least
