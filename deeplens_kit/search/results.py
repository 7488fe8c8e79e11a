"""From a ranking to rows for people and programs: where each picture lies, its facts, and why it was found.

Takes a ranking and its library, gives SEARCH_RESULTS and SEARCH_PLACES of the best; only these are looked up, so that
it costs the same in a library of a million. Must not rank.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.sentences import TURNED_PDQ_MAX, evidence_words
from deeplens_kit.schemas import SEARCH_PLACES, SEARCH_RESULTS, Tier
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.library import Library

__all__ = ["places_found", "results_of"]

_FACTS = ("digest", "size_bytes", "width_px", "height_px", "format", "taken_at", "camera")


def results_of(
    rows: pl.DataFrame,
    library: Library,
    filters: SearchFilters,
    *,
    first_rank: int = 1,
    keepers: Collection[str] = (),
) -> pl.DataFrame:
    """SEARCH_RESULTS of the rows of a ranking, in their order.

    Of the places at the locations asked for the one that stays when copies go stands for the picture, else the first
    by location and path; all such places are counted.

    Args:
        rows: Columns position, score, tier, and nullable columns of SEARCH_RESULTS; without `why` that of the evidence.
        library: That they are of.
        filters: What was asked for.
        first_rank: Of the first row.
        keepers: Ids of the objects that stay; a set.
    """
    positions = rows["position"].to_numpy()
    facts = _rows_of(library.pictures, _FACTS, positions)
    here = library.places_of(positions)
    result = np.repeat(np.arange(len(positions)), library.starts[positions + 1] - library.starts[positions])
    visible = library.places_within(filters, here)
    here, result = here[visible], result[visible]
    if keepers:
        # One by one: of a great library the keepers are many and these few.
        goes = np.array([name not in keepers for name in library.places["object_id"][here]], bool)
        order = np.lexsort((here, goes, result))
        here = here[order]
    first = here[np.searchsorted(result, np.arange(len(positions)))] if len(positions) else here
    counts = np.bincount(result, minlength=len(positions))
    told = rows if "why" in rows.columns else rows.hstack([_why(rows)])
    named = _rows_of(library.places, ("location", "path"), first)
    ranks = pl.Series("rank", np.arange(first_rank, first_rank + rows.height), dtype=pl.Int32)
    found = told.hstack([*facts, *named, ranks, pl.Series("objects", counts, dtype=pl.Int64)])
    whole = SEARCH_RESULTS.filled(found)
    return SEARCH_RESULTS.check(pl.DataFrame([whole.get_column(name) for name in SEARCH_RESULTS.names]))


def _rows_of(frame: pl.DataFrame, names: Sequence[str], rows: NDArray[np.int64]) -> list[pl.Series]:
    """Some columns of a few rows, without a plan: a query of polars takes longer than the rows do."""
    return pl.DataFrame([frame.get_column(name) for name in names])[rows].get_columns()


def places_found(rows: pl.DataFrame, library: Library) -> pl.DataFrame:
    """SEARCH_PLACES: every place of the pictures of a ranking, also at other locations, in the ranking's order."""
    here = library.places_of(rows["position"].to_numpy())
    return SEARCH_PLACES.check(pl.DataFrame(_rows_of(library.places, SEARCH_PLACES.names, here)))


_SAID_OF = ("tier", "orientation", "page_like", "other_shots", "low_information")
_EVIDENCE = ("pdq_distance", "phash_distance", "sscd_small", "sscd")


def _why(rows: pl.DataFrame) -> pl.Series:
    """The evidence of each in one sentence, and what narrows it."""
    said = []
    columns = (rows.get_column(name).to_list() for name in (*_SAID_OF, *_EVIDENCE))
    for tier, orientation, page_like, other_shots, low_information, *evidence in zip(*columns, strict=True):
        if tier == Tier.BYTES:
            said.append("the same bytes")
            continue
        words = evidence_words(*evidence)
        if orientation and (evidence[0] or 0) <= TURNED_PDQ_MAX:
            words.append("rotated or mirrored")
        if page_like:
            words.append("page-like, so the bounds are narrower")
        if other_shots:
            words.append("the cameras noted different times")
        if low_information:
            words.append("too little information to tell it from others")
        said.append("; ".join(words))
    return pl.Series("why", said, dtype=pl.String)
