"""The rows that answer a resolved query, before they are cut and dressed: by copies, by likeness, by parts, or all.

Takes a resolved query, gives ranked positions with scores and reasons; must not look up places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.pipeline.query_picture import Asked, facts_said, features_of
from deeplens_kit.pipeline.query_plan import PlannedPart, valued
from deeplens_kit.pipeline.query_terms import PictureReader
from deeplens_kit.pipeline.query_tools import CopyTools, ExtractorShelf
from deeplens_kit.pipeline.resolved_query import ResolvedQuery
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.pipeline.search_words import WordsFound, words_found
from deeplens_kit.pipeline.text_search import TextSearch
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import SEARCH_PARTS, Tier
from deeplens_kit.search import Library, SearchFilters, rank
from deeplens_kit.search.likeness import LikenessRanking, parts_frame, rank_likeness
from deeplens_kit.search.query import SearchBy

if TYPE_CHECKING:
    from deeplens_kit.pipeline.part_search import PartSearch

__all__ = ["Found", "found_by"]

_TIERS = (Tier.BYTES, Tier.SCENE)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What answers a query.

    Attributes:
        rows: Columns position, score, tier and others of SEARCH_RESULTS, the best first, from the first result on.
        query: As `SearchAnswer.query`.
        compared: As `SearchAnswer.searched`.
        found_all: Whether the rows are all there are.
        current: As `SearchAnswer.current`.
        missing: What could not be used, a sentence each.
        parts: Gives SEARCH_PARTS of the results at these positions, in their order.
        words: Which pictures the words let through, bool by position; None where there are none.
        is_final: Whether the same question finds the same tomorrow, as long as nothing changes; not where time ran out.
    """

    rows: pl.DataFrame
    query: Mapping[str, object]
    compared: int
    found_all: bool
    current: bool
    missing: tuple[str, ...]
    parts: Callable[[pl.Series], pl.DataFrame] = lambda _positions: SEARCH_PARTS.empty()
    words: NDArray[np.bool_] | None = None
    is_final: bool = True


def found_by(
    resolved: ResolvedQuery,
    workspace: Workspace,
    extractors: ExtractorShelf,
    part_search: Callable[[], PartSearch],
    texts: TextSearch,
) -> Found:
    """Rank the pictures of a library by what a query asks for; those to the end of its page are certain.

    Args:
        resolved: The query.
        workspace: An open workspace.
        extractors: Of the features that a search by likeness compares.
        part_search: Gives what looks for parts in common; called where the query asks for these.
        texts: What finds words.

    Raises:
        QueryError: A picture cannot be decoded, or there is no word in the words.
    """
    words = words_found(texts, resolved.held.library, resolved.query.words) if resolved.query.words else None
    if resolved.by is SearchBy.COPIES:
        found = _copies(resolved, workspace, words)
    elif resolved.by is SearchBy.LIKENESS:
        found = _likeness(resolved, workspace, extractors, words)
    elif resolved.by is SearchBy.PARTS:
        found = _parts(resolved, workspace, part_search(), words)
    else:
        found = _everything(resolved, words)
    return found if words is None else replace(found, words=words.mask)


def allowed(library: Library, filters: SearchFilters, words: WordsFound | None) -> NDArray[np.bool_] | None:
    """What may be found, bool (n,); None for all pictures."""
    wanted = library.wanted(filters)
    if words is None:
        return wanted
    return words.mask if wanted is None else wanted & words.mask


def _copies(resolved: ResolvedQuery, workspace: Workspace, words: WordsFound | None) -> Found:
    query, held, tools = resolved.query, resolved.held, resolved.tools
    assert tools is not None, "resolved for it"
    asked = _one_picture(resolved, tools, PictureReader(workspace, held.library))
    ranking = rank(
        asked.picture,
        held.library,
        query.filters,
        query.offset + query.limit,
        rule=chosen_rule(workspace),
        floors=workspace.settings.match,
        within=None if words is None else words.mask,
    )
    lines = list(held.missing)
    for vectors in held.library.vectors:
        if vectors.name not in asked.picture.vectors:
            why = tools.unavailable.get(vectors.name, "the picture has no vector of it; run `deeplens index`")
            lines.append(f"{vectors.name} was not used: {why.rstrip('.')}.")
    return Found(ranking.rows, asked.facts, ranking.compared, ranking.is_whole, held.current, tuple(lines))


def _parts(resolved: ResolvedQuery, workspace: Workspace, part_search: PartSearch, words: WordsFound | None) -> Found:
    query, held, tools = resolved.query, resolved.held, resolved.tools
    assert tools is not None, "resolved for it"
    reader = PictureReader(workspace, held.library)
    asked = _one_picture(resolved, tools, reader)
    (term,) = resolved.terms
    found = part_search.search(
        held,
        asked.picture,
        reader.data(term),
        tools.toolbox.extractors,
        crop=term.crop,
        of_picture=term.picture.position if term.picture is not None else None,
        wanted=allowed(held.library, query.filters, words),
        min_score=query.filters.min_score,
        tiers=query.filters.tiers,
        limit=query.offset + query.limit,
    )
    missing = (*held.missing, *found.notes)
    # What was not looked at, or could not be read, may be the next time.
    return Found(
        found.rows, asked.facts, found.compared, found.is_whole, held.current, missing, is_final=found.is_final
    )


def _one_picture(resolved: ResolvedQuery, tools: CopyTools, reader: PictureReader) -> Asked:
    """The picture of a search for copies or parts, or the part of it that is asked for, with its features."""
    (term,) = resolved.terms
    assert term.picture is not None, "such a search has one picture"
    if term.crop is not None:
        return reader.asked(term, tools.toolbox.extractors)
    return features_of(term.picture, resolved.held.library, tools.toolbox)


def _likeness(
    resolved: ResolvedQuery, workspace: Workspace, extractors: ExtractorShelf, words: WordsFound | None
) -> Found:
    query, library = resolved.query, resolved.held.library
    reader = PictureReader(workspace, library)
    # 1. The values of the terms, then all that is most like them.
    parts = valued(resolved.parts, reader, extractors)
    comparers = {part.feature: part.comparer for part in resolved.parts}
    wanted = allowed(library, query.filters, words)
    end = query.offset + query.limit
    ranking = rank_likeness(parts, comparers, len(library), wanted, end, min_score=query.filters.min_score)
    # 2. What may be shown, and why.
    same = [term.itself for term in resolved.terms if term.itself is not None and term.weight > 0]
    is_same = np.isin(ranking.positions, same)
    if query.filters.tiers:
        shown = np.isin(np.where(is_same, Tier.BYTES, Tier.SCENE), [str(tier) for tier in query.filters.tiers])
        ranking, is_same = ranking.chosen(np.flatnonzero(shown)), is_same[shown]
    why = [_why(resolved.parts, ranking.similarities[row]) if row < end else "" for row in range(len(is_same))]
    rows = ranking.rows.with_columns(
        tier=pl.Series(np.where(is_same, Tier.BYTES, Tier.SCENE), dtype=pl.String), why=pl.Series(why, dtype=pl.String)
    )

    def parts_of(positions: pl.Series) -> pl.DataFrame:
        first = query.offset
        page = ranking.chosen(np.arange(first, first + len(positions)))
        return parts_frame(page, parts, library.pictures["digest"].gather(positions))

    lacking = _lacking(resolved.parts, len(library))
    notes = (*resolved.notes, *lacking, *_uncertain(ranking))
    return Found(rows, _said(resolved, reader), ranking.compared, ranking.bound is None, not lacking, notes, parts_of)


def _everything(resolved: ResolvedQuery, words: WordsFound | None) -> Found:
    library, filters = resolved.held.library, resolved.query.filters
    wanted = allowed(library, filters, words)
    if words is not None:
        positions = np.flatnonzero(words.mask if wanted is None else wanted)
        scores = words.relevance[positions]
        order = np.lexsort((positions, -scores))
        positions, scores = positions[order], scores[order]
    else:
        positions = _by_place(library, filters, wanted)
        scores = np.ones(len(positions), np.float32)
    kept = scores >= np.float32(filters.min_score)
    rows = pl.DataFrame({"position": positions[kept], "score": scores[kept].astype(np.float32)}).with_columns(
        tier=pl.lit(str(Tier.SCENE)), why=pl.lit("the words" if words is not None else "passes the filters")
    )
    query = {**facts_said(resolved.name, {}, is_indexed=False), "is_indexed": None}
    return Found(rows, query, len(positions), True, True, resolved.notes)


def _by_place(library: Library, filters: SearchFilters, wanted: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Positions in the order of their first places at the locations asked for, by location and path."""
    visible = library.places_within(filters)
    picture = np.repeat(np.arange(len(library)), np.diff(library.starts))
    if wanted is not None:
        visible = visible & wanted[picture]
    rows = np.flatnonzero(visible)
    order = library.places[rows].select(pl.arg_sort_by("location", "path")).to_series().to_numpy()
    ordered = picture[rows][order]
    _, first = np.unique(ordered, return_index=True)
    return np.asarray(ordered[np.sort(first)], np.int64)


def _said(resolved: ResolvedQuery, reader: PictureReader) -> Mapping[str, object]:
    """The facts of one picture where one is asked for, else a name alone."""
    if len(resolved.terms) != 1 or resolved.terms[0].picture is None:
        return {**facts_said(resolved.name, {}, is_indexed=False), "is_indexed": None}
    return reader.facts(resolved.terms[0])


def _why(parts: Sequence[PlannedPart], similarities: NDArray[np.float64]) -> str:
    """What a score is made of: "colour 0.91 × 0.50, clip words 0.74 × 0.50"."""
    pictures = len({part.term.number for part in parts if not part.term.text})
    said = []
    for part, similarity in zip(parts, similarities, strict=True):
        words = " words" if part.term.text else f" of {part.term.name}" if pictures > 1 else ""
        share = "" if len(parts) == 1 else f" × {part.weight:.2f}"
        said.append(f"{part.feature}{words} {similarity:.2f}{share}")
    return ", ".join(said)


def _lacking(parts: Sequence[PlannedPart], pictures: int) -> tuple[str, ...]:
    absent = {part.feature: pictures - len(part.comparer.known()) for part in parts}
    return tuple(
        f"{count:,} of {pictures:,} pictures have no {feature} and count as unlike in it; run `deeplens index`."
        for feature, count in absent.items()
        if count
    )


def _uncertain(ranking: LikenessRanking) -> tuple[str, ...]:
    if ranking.is_certain or ranking.bound is None:
        return ()
    return (f"Not every picture was compared by all features; none left out can have more than {ranking.bound:.2f}.",)
