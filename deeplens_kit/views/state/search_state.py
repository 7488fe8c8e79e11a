"""What a person searches for, how narrowly, and what came of it.

Takes a function that searches, holds the question and the answer as parameters; must not import Panel or open a store.
A search has three steps, so that a page can take the slow one off its event loop: `begin`, `compute`, `finish`. Of
several that overlap, the one begun last is the one that shows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import param
import polars as pl

from deeplens_kit.errors import DeepLensError, QueryError
from deeplens_kit.reporting.words import format_bytes
from deeplens_kit.schemas import SEARCH_FACETS
from deeplens_kit.search.query import Query, SearchBy
from deeplens_kit.views.state.question import Question

if TYPE_CHECKING:
    from deeplens_kit.pipeline.searching import SearchAnswer

__all__ = ["MAX_UPLOAD_BYTES", "UNEXPECTED", "SearchOutcome", "SearchRequest", "SearchState"]

SAME_SCORE = 0.01
"""Scores that differ by less say the same: among copies of one picture it is the noise of a re-encoding."""

MAX_UPLOAD_BYTES = 100 * 1000**2
"""Inclusive. Above any JPEG, PNG or HEIC that a camera writes; an upload is held in memory while its page is open. What
is larger is asked for by its path, `deeplens search --image FILE`, up to the setting `decode.max_bytes`."""

UNEXPECTED = "Something went wrong on our side. The details are in the log of `deeplens serve`; this page still works."
"""Said where a defect of ours showed: calm, and where to look."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
# What makes a question another one; the rest narrows it.
_ASKING = {"image", "shows", "words", "crop"}
_GONE = (
    "The picture of this link is not kept any more: a picture that is not indexed is kept for a week after it was "
    "searched for. Give it again."
)


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search as it was asked for; later changes of the state do not reach it."""

    number: int
    question: Question


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What came of a request: an answer, or the reason why there is none.

    Attributes:
        answer: The answer, or None.
        problem: What was wrong with the question; empty where there is an answer.
        question: The question with the bytes in place of a link, so that it need not be fetched again.
        preview: The picture that was searched for as WebP, or None.
        facets: SEARCH_FACETS; None where nothing was counted.
        ratings: What the person said of results of the question, verdict by digest.
    """

    answer: SearchAnswer | None
    problem: str
    question: Question
    preview: bytes | None = None
    facets: pl.DataFrame | None = None
    ratings: Mapping[str, str] | None = None


class SearchState(param.Parameterized):
    """A question and its answer.

    Args:
        search: As `Searcher.search`.
        facets: As `Searcher.facets()`; says whether there is any picture.
        fetch: Gives the bytes behind a link and what to call them; None: links are handed to `search` as they are.
        preview: Gives a picture as WebP, or None where it cannot.
        keepers: Gives the ids of the objects that stay when copies go.
        max_upload_bytes: Larger pictures are refused before they are looked at.
        keep: Keeps a picture that was given, so that a link to the search works; gives its digest.
        kept: Gives it again, or None.
        kept_words: What becomes of a picture that is given, in a sentence.
        ratings: What the person said of results of a query, by digest.
        told: Told each query with its answer, to be remembered.

    Attributes:
        question: What is asked; an empty one for nothing.
        answer: The last answer, or None.
        asked: The question that the answer or problem belongs to, or None.
        facets: SEARCH_FACETS: what the filters can choose from.
        preview: WebP bytes of the picture asked for, or None.
        problem: Why there is no answer; empty where nothing is wrong.
        loading: A search is under way.
        selected: Digests of results that are selected, in the order of the answer.
        ratings: Verdict by digest of a result.
        turn: Goes up with every other question, and not when the same is asked more narrowly.
    """

    question: Any = param.ClassSelector(class_=Question, default=Question())
    answer = param.Parameter(default=None)
    asked: Any = param.ClassSelector(class_=Question, default=None, allow_None=True)
    facets = param.Parameter(default=SEARCH_FACETS.empty())
    preview = param.Parameter(default=None)
    problem = param.String(default="")
    loading = param.Boolean(default=False)
    selected: Any = param.Parameter(default=())
    ratings: Any = param.Parameter(default={})

    def __init__(
        self,
        search: Callable[..., SearchAnswer],
        facets: pl.DataFrame | None = None,
        *,
        fetch: Callable[[str], tuple[bytes, str]] | None = None,
        preview: Callable[[bytes], bytes | None] = lambda _content: None,
        keepers: Callable[[], Collection[str]] = tuple,
        max_upload_bytes: int = MAX_UPLOAD_BYTES,
        keep: Callable[[bytes], str] = lambda content: hashlib.sha256(content).hexdigest(),
        kept: Callable[[str], bytes | None] = lambda _digest: None,
        kept_words: str = "It is not kept.",
        ratings: Callable[[Query, list[str | None]], Mapping[str, str]] = lambda _query, _digests: {},
        told: Callable[[Query, SearchAnswer], object] = lambda _query, _answer: None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._search, self._fetch, self._preview, self._keepers = search, fetch, preview, keepers
        self._keep, self._kept, self._ratings, self._told = keep, kept, ratings, told
        self._noted: tuple[object, ...] = ()
        self.max_upload_bytes, self.kept_words = max_upload_bytes, kept_words
        self._number = 0
        self.turn = 0
        self.has_pictures = facets is None or not facets.is_empty()
        if facets is not None:
            self.facets = _first_facets(facets)

    # --- What is asked -------------------------------------------------------------------

    def ask(self, image: bytes | str, name: str) -> None:
        """Ask for a picture, in the place of another; words stay, and filters.

        Args:
            image: Its bytes, a link, or the digest of an indexed picture; an empty text asks for no picture.
            name: What to call it.
        """
        image = image.strip() if isinstance(image, str) else image
        self.change(image=image, digest="", name=name if image else "", crop=None, by="")

    def change(self, **values: Any) -> None:
        """Ask with other values of the question; see `Question`."""
        self.put(replace(self.question, **values), is_new=bool(_ASKING & set(values)))

    def put(self, question: Question, *, is_new: bool = True) -> None:
        """Ask a question in the place of the present one.

        Args:
            question: For example that of a link.
            is_new: It asks for something else, and not for the same more narrowly.
        """
        self.turn += is_new
        self.question = question

    def narrow(self, **values: Any) -> None:
        """Ask with other filters; see `SearchFilters`. What excludes each other is told and not asked."""
        try:
            self.change(filters=replace(self.question.filters, **values))
        except DeepLensError as error:
            self.param.update(answer=None, asked=self.question, problem=str(error), loading=False)

    def clear(self) -> None:
        """Ask for nothing; a search under way comes to nothing. Filters and how results are shown stay out too."""
        self._number += 1
        empty = Question(limit=self.question.limit)
        self.param.update(
            question=empty, answer=None, asked=None, preview=None, problem="", loading=False, selected=(), ratings={}
        )

    def refuse(self, problem: str, name: str = "") -> None:
        """Say why a picture was not taken; the question before it is gone, its answer would mislead."""
        self._number += 1
        asked = Question(name=name) if name else None
        kept = replace(self.question, image="", digest="", name="", crop=None)
        self.param.update(question=kept, answer=None, asked=asked, preview=None, problem=problem, loading=False)

    # --- Searching -----------------------------------------------------------------------

    def begin(self) -> SearchRequest:
        """Start a search for the present question; of an empty one what could be chosen is counted."""
        self._number += 1
        self.loading = True
        return SearchRequest(self._number, self.question)

    def compute(self, request: SearchRequest) -> SearchOutcome:
        """Search; touches no parameter, so that it may run on any thread.

        A request that was overtaken before it got here, by a slider that moves on, is not searched for.

        Raises:
            Exception: A defect; what is wrong with the question is in the outcome.
        """
        question = request.question
        if request.number != self._number:
            return SearchOutcome(None, "", question)
        try:
            question = self._with_picture(question)
            if question.is_empty:
                facets = self._search(Query(facets=True, limit=1)).facets
                return SearchOutcome(None, "", question, facets=facets)
            query = question.query()
            answer = self._search(query, name=question.name or None)
            if answer.by is SearchBy.COPIES:
                answer = originals_first(answer, self._keepers())
            preview = self._preview(question.image) if isinstance(question.image, bytes) else None
            digests = [None if term["digest"] is None else str(term["digest"]) for term in answer.terms]
            said = self._ratings(query, digests) if digests else {}
            self._remember(query, answer, digests)
        except DeepLensError as error:
            return SearchOutcome(None, str(error), question)
        return SearchOutcome(answer, "", question, preview, answer.facets, said)

    def finish(self, request: SearchRequest, outcome: SearchOutcome) -> bool:
        """Show what came of a request, unless something else was asked since; say whether it shows."""
        # What was asked and not yet begun counts too: a picture may come while the page still counts what there is.
        if request.number != self._number or self.question is not request.question:
            return False
        with param.parameterized.discard_events(self):
            self.question = outcome.question
        found = set(outcome.answer.results["digest"]) if outcome.answer is not None else set()
        self.param.update(
            answer=outcome.answer,
            asked=None if outcome.question.is_empty else outcome.question,
            preview=outcome.preview,
            problem=outcome.problem,
            facets=self.facets if outcome.facets is None else outcome.facets,
            ratings=dict(outcome.ratings or {}),
            selected=tuple(digest for digest in self.selected if digest in found),
            loading=False,
        )
        return True

    def fail(self, request: SearchRequest) -> None:
        """Say calmly that a request came to nothing through a defect of ours."""
        self.finish(request, SearchOutcome(None, UNEXPECTED, request.question))

    def run(self) -> SearchAnswer | None:
        """Search at once, for notebooks and tests; the answer is also in `answer`, a problem in `problem`."""
        request = self.begin()
        try:
            outcome = self.compute(request)
        except BaseException:
            self.fail(request)
            raise
        self.finish(request, outcome)
        return outcome.answer

    # --- Results -------------------------------------------------------------------------

    def select(self, digests: Collection[str], *, on: bool) -> None:
        """Select results, or no more; what is no result is passed over."""
        if self.answer is None:
            return
        chosen = (set(self.selected) | set(digests)) if on else set(self.selected) - set(digests)
        self.selected = tuple(digest for digest in self.answer.results["digest"] if digest in chosen)

    def _with_picture(self, question: Question) -> Question:
        """The question with the bytes behind its link, or those that were kept of an earlier search."""
        from deeplens_kit.search.link import is_link

        image = question.image
        if isinstance(image, str) and image and question.digest == image:
            kept = self._kept(image)
            if kept is None:
                raise QueryError(_GONE)
            image = kept
        elif isinstance(image, str) and image and is_link(image):
            if self._fetch is not None:
                image, name = self._fetch(image)
                question = replace(question, name=name)
        elif isinstance(image, str) and image and _DIGEST.fullmatch(image) is None:
            # A text that is no digest could name a file of this machine.
            raise QueryError(f"{image[:80]!r} is no picture of this workspace, and no link.")
        if not isinstance(image, bytes):
            return question
        if len(image) > self.max_upload_bytes:
            raise QueryError(too_large(question.name, len(image), self.max_upload_bytes))
        digest = question.digest if image is question.image and question.digest else self._keep(image)
        return replace(question, image=image, digest=digest)

    def _remember(self, query: Query, answer: SearchAnswer, digests: list[str | None]) -> None:
        """Tell of what was asked, once: a slider that moves is not another question each time."""
        asked = (digests, query.words, *[getattr(term, "text", getattr(term, "crop", None)) for term in query.terms])
        if asked != self._noted:
            self._noted = asked
            self._told(query, answer)


def _first_facets(counted: pl.DataFrame) -> pl.DataFrame:
    """SEARCH_FACETS of what is known before anything is asked.

    Args:
        counted: location, format, pictures.
    """
    parts = [
        counted.group_by(name).agg(pl.col("pictures").sum()).sort("pictures", name, descending=[True, False])
        .select(facet=pl.lit(name), value=pl.col(name), pictures=pl.col("pictures"))
        for name in ("location", "format")
    ]  # fmt: skip
    return SEARCH_FACETS.check(pl.concat(parts).cast({"pictures": pl.Int64}))


def originals_first(answer: SearchAnswer, keepers: Collection[str]) -> SearchAnswer:
    """The answer with pictures that stay before others that score the same; of an original and its copies, which all
    match a further copy, the original is what a person looks for.

    Args:
        answer: Results, the best first.
        keepers: Ids of the objects that stay when copies go.

    Returns:
        The answer ranked so, with a column `stays` (Boolean) in results and places.
    """
    places = answer.places.with_columns(stays=pl.col("object_id").is_in(list(keepers)))
    stays = places.filter("stays")["digest"].unique().implode()
    results = answer.results.with_columns(stays=pl.col("digest").is_in(stays))
    if answer.results.is_empty():
        return replace(answer, results=results, places=places)
    best, number, ranks = 2.0, 0, []
    for score in answer.results["score"]:
        if best - score > SAME_SCORE:
            best, number = score, number + 1
        ranks.append(number)
    order = results.select("stays", "rank", "tier").with_columns(number=pl.Series(ranks))
    order = order.select(
        at=pl.int_range(pl.len()).sort_by(
            pl.col("tier") != "bytes", "number", "stays", "rank", descending=[False, False, True, False]
        )
    )
    ranked = results[order["at"]].with_columns(rank=results["rank"].sort())
    return replace(answer, results=ranked, places=places)


def too_large(name: str, size_bytes: int, limit_bytes: int) -> str:
    """Why a picture is not taken."""
    return (
        f"{name or 'This file'} has {format_bytes(size_bytes)}; up to {format_bytes(limit_bytes)} can be uploaded. "
        "Search for a larger one by its path: deeplens search --image FILE."
    )
