"""What a person searches for, how narrowly, and what came of it.

Takes a function that searches, holds the question and the answer as parameters; must not import Panel or open a store.
A search has three steps, so that a page can take the slow one off its event loop: `begin`, `compute`, `finish`. Of
several that overlap, the one begun last is the one that shows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import param
import polars as pl

from deeplens_kit.errors import DeepLensError, QueryError
from deeplens_kit.reporting.words import format_bytes

if TYPE_CHECKING:
    from deeplens_kit.pipeline.searching import SearchAnswer
    from deeplens_kit.search import SearchFilters

__all__ = [
    "DEFAULT_THRESHOLD",
    "MAX_UPLOAD_BYTES",
    "UNEXPECTED",
    "Query",
    "SearchOutcome",
    "SearchRequest",
    "SearchState",
]

DEFAULT_THRESHOLD = 0.0
"""Inclusive. Whatever is near enough to be compared shows: a picture that holds little information scores low against
its very copies, and who asks whether it is there must not be told that it is not."""

SAME_SCORE = 0.01
"""Scores that differ by less say the same: among copies of one picture it is the noise of a re-encoding."""

MAX_UPLOAD_BYTES = 100 * 1000**2
"""Inclusive. Above any JPEG, PNG or HEIC that a camera writes; an upload is held in memory while its page is open. What
is larger is asked for by its path, `deeplens search --image FILE`, up to the setting `decode.max_bytes`."""

UNEXPECTED = "Something went wrong on our side. The details are in the log of `deeplens serve`; this page still works."
"""Said where a defect of ours showed: calm, and where to look."""

# Of a file; 0 for any.
_SIZES: Mapping[str, int] = {
    "any size": 0,
    "10 kB": 10_000,
    "100 kB": 100_000,
    "1 MB": 1_000_000,
    "10 MB": 10_000_000,
    "100 MB": 100_000_000,
}
_LIMITS = (25, 50, 100, 200)


@dataclass(frozen=True, slots=True)
class Query:
    """The picture, or the words, that are searched for.

    Attributes:
        image: Its bytes, a link, or the digest of an indexed picture; empty where words are asked for.
        name: What to call it.
        words: Full text over paths, names, tags, descriptions and metadata; empty where a picture is asked for.
    """

    image: bytes | str
    name: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search as it was asked for; later changes of the state do not reach it."""

    number: int
    query: Query
    filters: SearchFilters
    limit: int


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What came of a request: an answer, or the reason why there is none.

    Attributes:
        answer: The answer, or None.
        problem: What was wrong with the question; empty where there is an answer.
        query: The question with the bytes in place of a link, so that it need not be fetched again.
        preview: The picture that was searched for as WebP, or None.
    """

    answer: SearchAnswer | None
    problem: str
    query: Query
    preview: bytes | None


class SearchState(param.Parameterized):
    """A question and its answer.

    Args:
        search: As `Searcher.search`.
        facets: As `Searcher.facets()`: what the filters can choose from.
        fetch: Gives the bytes behind a link and what to call them; None: links are handed to `search` as they are.
        preview: Gives a picture as WebP, or None where it cannot.
        keepers: Gives the ids of the objects that stay when copies go.
        max_upload_bytes: Larger pictures are refused before they are looked at.

    Attributes:
        query: The picture asked for, or None.
        threshold: Least score of a result, 0..1, inclusive.
        locations: Names; none for all.
        formats: As in `pictures.format`; none for all.
        min_bytes: Least size of a file.
        max_bytes: Greatest size of a file; 0 for any.
        limit: Results at most.
        answer: The last answer, or None.
        asked: The question that the answer or problem belongs to.
        preview: WebP bytes of the picture asked for, or None.
        problem: Why there is no answer; empty where nothing is wrong.
        loading: A search is under way.
    """

    query = param.ClassSelector(class_=Query, default=None, allow_None=True)
    threshold = param.Number(default=DEFAULT_THRESHOLD, bounds=(0.0, 1.0), step=0.01, label="Least score")
    locations = param.ListSelector(default=[], objects=[], label="Locations")
    formats = param.ListSelector(default=[], objects=[], label="Formats")
    min_bytes: Any = param.Selector(default=0, objects=dict(_SIZES), label="File at least")
    max_bytes: Any = param.Selector(default=0, objects=dict(_SIZES), label="File at most")
    limit: Any = param.Selector(default=_LIMITS[1], objects=list(_LIMITS), label="Show at most")
    answer = param.Parameter(default=None)
    asked = param.ClassSelector(class_=Query, default=None, allow_None=True)
    preview = param.Parameter(default=None)
    problem = param.String(default="")
    loading = param.Boolean(default=False)

    FILTERS = ("threshold", "locations", "formats", "min_bytes", "max_bytes", "limit")
    """Parameters that narrow the answer: when one changes, the same picture is searched for again."""

    def __init__(
        self,
        search: Callable[..., SearchAnswer],
        facets: pl.DataFrame | None = None,
        *,
        fetch: Callable[[str], tuple[bytes, str]] | None = None,
        preview: Callable[[bytes], bytes | None] = lambda _content: None,
        keepers: Callable[[], Collection[str]] = tuple,
        max_upload_bytes: int = MAX_UPLOAD_BYTES,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._search, self._fetch, self._preview, self._keepers = search, fetch, preview, keepers
        self.max_upload_bytes = max_upload_bytes
        self._number = 0
        self.has_pictures = True
        if facets is not None:
            self.offer(facets)

    def offer(self, facets: pl.DataFrame) -> None:
        """Let the filters choose from what is indexed; what was chosen and is gone is chosen no more."""
        self.has_pictures = not facets.is_empty()
        for name, column in (("locations", "location"), ("formats", "format")):
            counts: dict[str, int] = {}
            for value, pictures in facets.select(column, "pictures").iter_rows():
                counts[value] = counts.get(value, 0) + pictures
            self._choices(name, sorted(counts.items()))

    def _choices(self, name: str, counts: Iterable[tuple[Any, ...]]) -> None:
        from deeplens_kit.storage.paths import display_path

        objects = {f"{display_path(value)} ({count:,})": value for value, count in counts}
        self.param[name].objects = objects
        setattr(self, name, [value for value in getattr(self, name) if value in objects.values()])

    def ask(self, image: bytes | str, name: str) -> None:
        """Ask for a picture; `begin` or `run` searches for it.

        Args:
            image: Its bytes, a link, or the digest of an indexed picture; an empty text asks for nothing.
            name: What to call it.
        """
        if image == "":
            self.clear()
            return
        self.query = Query(image.strip() if isinstance(image, str) else image, name)

    def ask_words(self, words: str) -> None:
        """Ask for words in paths, names, tags, descriptions and metadata; `begin` or `run` searches for them."""
        self.query = Query("", words.strip(), words.strip())

    def clear(self) -> None:
        """Ask for nothing; a search under way comes to nothing."""
        self._number += 1
        self.param.update(query=None, answer=None, asked=None, preview=None, problem="", loading=False)

    def refuse(self, problem: str, name: str = "") -> None:
        """Say why a picture was not taken; the question before it is gone, its answer would mislead."""
        self._number += 1
        asked = Query(b"", name) if name else None
        self.param.update(query=None, answer=None, asked=asked, preview=None, problem=problem, loading=False)

    def begin(self) -> SearchRequest | None:
        """Start a search for the present question; None where nothing is asked or the filters exclude each other."""
        if self.query is None:
            return None
        from deeplens_kit.search import SearchFilters

        self._number += 1
        try:
            filters = SearchFilters(
                locations=tuple(self.locations),
                formats=tuple(self.formats),
                min_bytes=self.min_bytes,
                max_bytes=self.max_bytes or None,
                min_score=float(self.threshold),
            )
        except DeepLensError as error:
            self.param.update(answer=None, asked=self.query, problem=str(error), loading=False)
            return None
        self.loading = True
        return SearchRequest(self._number, self.query, filters, self.limit)

    def compute(self, request: SearchRequest) -> SearchOutcome:
        """Search; touches no parameter, so that it may run on any thread.

        A request that was overtaken before it got here, by a slider that moves on, is not searched for.

        Raises:
            Exception: A defect; what is wrong with the question is in the outcome.
        """
        query = request.query
        if request.number != self._number:
            return SearchOutcome(None, "", query, None)
        preview = None
        from deeplens_kit.search.link import is_link

        try:
            if isinstance(query.image, bytes) and len(query.image) > self.max_upload_bytes:
                raise QueryError(too_large(query.name, len(query.image), self.max_upload_bytes))
            if isinstance(query.image, str) and self._fetch is not None and is_link(query.image):
                query = Query(*self._fetch(query.image))
            asked = _in_full_text(query.words) if query.words else query.image
            answer = self._search(asked, filters=request.filters, limit=request.limit, name=query.name)
            answer = originals_first(answer, self._keepers())
            if isinstance(query.image, bytes) and not query.words:
                preview = self._preview(query.image)
        except DeepLensError as error:
            return SearchOutcome(None, str(error), query, None)
        return SearchOutcome(answer, "", query, preview)

    def finish(self, request: SearchRequest, outcome: SearchOutcome) -> bool:
        """Show what came of a request, unless another was begun since; say whether it shows."""
        if request.number != self._number:
            return False
        with param.parameterized.discard_events(self):
            self.query = outcome.query
        self.param.update(
            answer=outcome.answer,
            asked=outcome.query,
            preview=outcome.preview,
            problem=outcome.problem,
            loading=False,
        )
        return True

    def fail(self, request: SearchRequest) -> None:
        """Say calmly that a request came to nothing through a defect of ours."""
        self.finish(request, SearchOutcome(None, UNEXPECTED, request.query, None))

    def run(self) -> SearchAnswer | None:
        """Search at once, for notebooks and tests; the answer is also in `answer`, a problem in `problem`."""
        request = self.begin()
        if request is None:
            return None
        try:
            outcome = self.compute(request)
        except BaseException:
            self.fail(request)
            raise
        self.finish(request, outcome)
        return outcome.answer


def _in_full_text(words: str) -> object:
    from deeplens_kit.search.query import Query as SearchQuery

    return SearchQuery(words=words)


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
