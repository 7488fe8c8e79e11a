"""What a search gives; must not search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from deeplens_kit.schemas import SEARCH_FACETS, SEARCH_PARTS
from deeplens_kit.search.query import SearchBy

__all__ = ["SearchAnswer"]


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What was found.

    Attributes:
        results: SEARCH_RESULTS, the best first.
        places: SEARCH_PLACES: every object of the result pictures, also at locations that were not asked for.
        query: name, digest, width_px, height_px, format, size_bytes, is_indexed of the picture asked for; where it is
            not one picture, what all of it is called, and nulls.
        searched: Pictures that were compared: those that the filters on facts let through.
        found: Results before the limit; where not `found_all`, at least so many.
        found_all: Whether `found` is all; else the search ended when the best were certain.
        current: False where pictures lack vectors that others have, so that they were found by hashes alone.
        missing: What could not be used or is not known yet, with the reason, a sentence each.
        seconds: How long it took.
        parts: SEARCH_PARTS: what the scores of a search by likeness are made of.
        facets: SEARCH_FACETS.
        by: What made a picture a result; None where the query has no terms.
        offset: Results left out before the first.
        terms: Of each picture and text of the query: kind ("picture" or "words"), name, digest (null for words),
            weight, crop (null for the whole picture).
        cached: It was given before, and nothing has changed on which it depends.
        is_final: Whether all of it will be as true in a minute; not where time ran out or something is being made.
    """

    results: pl.DataFrame
    places: pl.DataFrame
    query: Mapping[str, object]
    searched: int
    found: int
    found_all: bool
    current: bool
    missing: tuple[str, ...]
    seconds: float
    parts: pl.DataFrame = field(default_factory=SEARCH_PARTS.empty)
    facets: pl.DataFrame = field(default_factory=SEARCH_FACETS.empty)
    by: SearchBy | None = SearchBy.COPIES
    offset: int = 0
    terms: tuple[Mapping[str, object], ...] = ()
    cached: bool = False
    is_final: bool = True
