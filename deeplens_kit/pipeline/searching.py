"""Search: which stored pictures are copies of this one, or like these pictures and words, and where are they?

Takes an open workspace and a query, gives ranked results with every place; must not write but into the cache. What is
searched is read from the catalog once and held; before each search the catalog is asked whether it has changed, also
by another process, and what is new is read then.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.pipeline.answer_cache import AnswerCache
from deeplens_kit.pipeline.calibrating import Calibrations
from deeplens_kit.pipeline.progress import ProgressListener
from deeplens_kit.pipeline.query_plan import plan_likeness
from deeplens_kit.pipeline.query_terms import read_terms
from deeplens_kit.pipeline.query_tools import CopyTools, ExtractorShelf, copy_tools
from deeplens_kit.pipeline.resolved_query import ResolvedQuery, fingerprint_of
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.pipeline.search_answer import SearchAnswer
from deeplens_kit.pipeline.search_library import Held, held_state, load_held
from deeplens_kit.pipeline.search_rows import found_by
from deeplens_kit.pipeline.search_savings import SearchSavings
from deeplens_kit.pipeline.text_search import TextSearch
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import SEARCH_FACETS
from deeplens_kit.search import QueryPicture, SearchFilters, rank
from deeplens_kit.search.facets import FACETS, FACETS_AT_ONCE, count_facets
from deeplens_kit.search.query import ImageTerm, Query, SearchBy
from deeplens_kit.search.results import places_found, results_of

if TYPE_CHECKING:
    from deeplens_kit.pipeline.part_search import PartSearch

__all__ = ["SearchAnswer", "Searcher"]

_ALL = SearchFilters()


class Searcher:
    """Searches the pictures of a workspace; safe to share between threads.

    Args:
        workspace: An open workspace; it has to stay open.
        once: For one search: nothing is made beside it that only later ones would have.
        asks_every_seconds: For so long what the stores said last is believed; 0 to ask before each search. A server
            that answers hundreds a second would spend a third of its time on asking.
    """

    def __init__(self, workspace: Workspace, *, once: bool = False, asks_every_seconds: float = 0.0) -> None:
        self._workspace, self._once = workspace, once
        self._asks_every_seconds, self._asked_at = asks_every_seconds, -math.inf
        self._lock = threading.Lock()
        self._held: Held | None = None
        self._ready: CopyTools | None = None
        self._extractors = ExtractorShelf(workspace)
        self._calibrations = Calibrations(workspace)
        self._savings = SearchSavings(beside=not once)
        self._texts = TextSearch(workspace)
        self._answers = AnswerCache(workspace)
        self._parts: PartSearch | None = None

    @property
    def is_warm(self) -> bool:
        """Whether pictures and indices are loaded; changes since then may still have to be."""
        return self._held is not None

    def warm(self) -> None:
        """Load pictures, indices and models now, so that the first search is as fast as the others."""
        held = self._fresh()
        toolbox = self._tools(held).toolbox
        grey = np.full((8, 8, 3), 128, np.uint8)
        columns = [(extractor.spec, extractor.extract([grey])) for extractor in toolbox.extractors]
        vectors = {spec.name: values["vector"][0] for spec, values in columns if spec.kind == "vector"}
        facts = {"pdq": bytes(32), "phash": 0}
        ranking = rank(
            QueryPicture("", facts, vectors),
            held.library,
            _ALL,
            1,
            rule=chosen_rule(self._workspace),
            floors=self._workspace.settings.match,
        )
        results_of(ranking.rows.head(1), held.library, _ALL)
        self._savings.known(held)

    def search(
        self,
        query: Query | bytes | Path | str,
        *,
        filters: SearchFilters | None = None,
        limit: int | None = None,
        name: str | None = None,
        allow_private: bool = False,
    ) -> SearchAnswer:
        """Find the stored pictures that a query asks for.

        Args:
            query: A query; or a picture, of which copies are searched for: its bytes, its path, or a text, see
                `ImageTerm`.
            filters: In place of those of the query.
            limit: Results at most, in place of the query's.
            name: What to call a picture that has no name of its own.
            allow_private: Whether a link may lead to an address that is not public. Not for links of strangers.

        Raises:
            QueryError: A picture or text cannot be used; LinkRefusedError for a link that is not followed.
            UnknownNameError: A filter names a location or format that does not exist, or a weight a feature.
            SettingsError: The limit is not allowed.
        """
        started = time.perf_counter()
        asked = query if isinstance(query, Query) else Query((ImageTerm(query),), SearchBy.COPIES)
        if filters is not None:
            asked = replace(asked, filters=filters)
        if limit is not None:
            asked = replace(asked, limit=limit)
        if allow_private:
            asked = replace(asked, allow_private=True)
        resolved = self.resolve(asked, name=name)
        held = resolved.held
        key = self._answers.key(resolved.fingerprint, (held.content, held.state), resolved.said)
        kept = self._answers.get(key, SearchAnswer)
        if kept is not None:
            return replace(kept, seconds=time.perf_counter() - started, cached=True)
        answer = self.answer(resolved)
        # One that says that something is not known yet would say so still when it is.
        if answer.is_final:
            self._answers.put(key, answer)
        return replace(answer, seconds=time.perf_counter() - started)

    def resolve(self, query: Query, *, name: str | None = None) -> ResolvedQuery:
        """Read what a query names and settle what it is answered by; nothing is decoded or searched yet.

        Args:
            query: The query.
            name: As for `search`.

        Raises:
            As `search`.
        """
        # 1. What is searched, as it is now.
        held = self._fresh()
        held.require_known(query.filters)
        # 2. The pictures and words, and what they are compared by.
        terms = read_terms(query, held.library, self._workspace, name=name)
        by = query.resolved_by if terms else None
        if by is SearchBy.LIKENESS:
            parts, notes = plan_likeness(query, terms, held, self._extractors, self._calibrations)
        else:
            parts, notes = (), ()
        tools = self._tools(held) if by in (SearchBy.COPIES, SearchBy.PARTS) else None
        marks = [f"{part.key} {part.calibration.calibration_id}" for part in parts]
        if tools is not None:
            marks += sorted(extractor.spec.key for extractor in tools.toolbox.extractors)
            marks += [repr(chosen_rule(self._workspace)), repr(self._workspace.settings.match)]
        return ResolvedQuery(query, by, held, terms, parts, tools, notes, fingerprint_of(query, by, terms, marks))

    def answer(self, resolved: ResolvedQuery) -> SearchAnswer:
        """Answer a query that `resolve` gave.

        Raises:
            QueryError: A picture cannot be decoded.
        """
        started = time.perf_counter()
        query, library = resolved.query, resolved.held.library
        found = found_by(resolved, self._workspace, self._extractors, self._part_search, self._texts)
        best = found.rows.slice(query.offset, query.limit)
        grouped = self._savings.known(resolved.held)
        facets = self._facets(resolved, found.words) if query.facets else SEARCH_FACETS.empty()
        keepers = () if grouped is None else grouped.keepers
        results = results_of(best, library, query.filters, first_rank=query.offset + 1, keepers=keepers)
        if grouped is not None:
            saves = grouped.saves_bytes[best["position"].to_numpy()]
            results = results.with_columns(saves_bytes=pl.Series(saves, dtype=pl.Int64))
        return SearchAnswer(
            results=results,
            places=places_found(best, library),
            query=found.query,
            searched=found.compared,
            found=found.rows.height,
            found_all=found.found_all,
            current=found.current,
            missing=(*found.missing, *self._unknown_savings(results, known=grouped is not None)),
            seconds=time.perf_counter() - started,
            parts=found.parts(best["position"]),
            facets=facets,
            by=resolved.by,
            offset=query.offset,
            terms=tuple(term.facts for term in resolved.terms),
            is_final=found.is_final and (grouped is not None or (results.is_empty() and not query.facets)),
        )

    @staticmethod
    def _facets(resolved: ResolvedQuery, words: NDArray[np.bool_] | None) -> pl.DataFrame:
        held = resolved.held
        # Making the groups of a million pictures for a count would keep the answer waiting for seconds.
        names = FACETS if held.duplicates.is_made else FACETS_AT_ONCE
        return count_facets(held.library, words, resolved.query.filters, names=names)

    def facets(self) -> pl.DataFrame:
        """What the filters can choose: location, format, pictures (Int64), sorted."""
        return self._fresh().facets

    def count(self) -> int:
        """Pictures that can be found."""
        return self._fresh().library.pictures.height

    def holds(self, digest: str) -> bool:
        """Whether a picture can be found: it is indexed at an active location."""
        return self._fresh().library.position(digest) is not None

    def _fresh(self) -> Held:
        held = self._held
        now = time.monotonic()
        if held is not None and now - self._asked_at < self._asks_every_seconds:
            return held
        state = held_state(self._workspace)
        self._asked_at = now
        if held is not None and held.state == state:
            return held
        with self._lock:
            # Another thread may have read it meanwhile.
            state = held_state(self._workspace)
            if self._held is None or self._held.state != state:
                self._held = load_held(self._workspace, state, self._held)
            return self._held

    def _tools(self, held: Held) -> CopyTools:
        """Extractors of the hashes, and of the vectors that the library has."""
        keys = {vectors.name: vectors.shelf.key for vectors in held.library.vectors}
        with self._lock:
            # A search that began before a change may still ask for those of before.
            if self._ready is None or self._ready.keys != keys:
                self._ready = copy_tools(self._workspace, keys)
            return self._ready

    def _part_search(self) -> PartSearch:
        """What looks for parts in common, made when it is first asked for: other searches do without."""
        from deeplens_kit.pipeline.part_search import PartSearch

        with self._lock:
            if self._parts is None:
                self._parts = PartSearch(self._workspace)
            return self._parts

    def prepare(self, stop: threading.Event, progress: ProgressListener | None = None) -> None:
        """Make all that is kept in the cache for searches, so that the first one need not: indices, groups, words.

        Args:
            stop: Set it to end after what is being made.
            progress: Told how far it is.
        """
        held = self._fresh()
        if not stop.is_set():
            held.duplicates.frame()
        if not stop.is_set():
            self._texts.index(held.library, progress)

    def _unknown_savings(self, results: pl.DataFrame, *, known: bool) -> tuple[str, ...]:
        if known or results.is_empty():
            return ()
        why = "run `deeplens index`" if self._once else "the groups are being made; search again"
        return (f"What deduplicating a result would save is not known yet: {why}.",)
