"""What the page of a search says, as frozen values: described here, drawn elsewhere.

Takes a query and its answer, gives a view with every text that the page shows; must not make HTML, open a file or load
a picture. Results come as they are ranked; what the page has no room for is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.reporting.related_view import RegionView, region_of, shape_of
from deeplens_kit.reporting.words import (
    format_bytes,
    format_seconds,
    plural,
    score_words,
    tier_words,
)
from deeplens_kit.schemas import Tier
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.query import Box, ImageTerm, Query, SearchBy, TextTerm
from deeplens_kit.search.query_words import crop_words, term_words
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.pipeline.searching import SearchAnswer

__all__ = [
    "MAX_RESULTS", "FacetView", "PartView", "PlaceView", "ResultView", "SearchView", "TermView", "describe_search",
]  # fmt: skip

MAX_RESULTS = 200
"""Results that a page shows: about 5 MB with their thumbnails; all of them are in JSON and CSV."""

_MAX_PLACES = 6
_MAX_FACET_VALUES = 10
_MAX_REGIONS = 8
_FOUND_WORDS = {
    SearchBy.COPIES: ("picture is a copy or alike", "pictures are copies or alike"),
    SearchBy.LIKENESS: ("picture is like what was asked for", "pictures are like what was asked for"),
    SearchBy.PARTS: ("picture has a part in common", "pictures have a part in common"),
    None: ("picture found", "pictures found"),
}


@dataclass(frozen=True, slots=True)
class TermView:
    """A picture or words that were searched for.

    Attributes:
        number: In the query, from 0.
        is_picture: Else it is words.
        name: The picture's name, or the words.
        weight: "× 0.7", empty for 1.
        is_unlike: Results are to be unlike it.
        crop: The part that counts, None for all.
        crop_says: In words.
        regions: What results show of it, each region once, with the rank of the first result that shows it.
    """

    number: int
    is_picture: bool
    name: str
    weight: str
    is_unlike: bool
    crop: RegionView | None
    crop_says: str
    regions: tuple[tuple[int, RegionView], ...] = ()


@dataclass(frozen=True, slots=True)
class PartView:
    """What a term adds to a score by a feature."""

    term: str
    feature: str
    similarity: float
    weight: float


@dataclass(frozen=True, slots=True)
class PlaceView:
    """An object that holds the picture."""

    location: str
    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class ResultView:
    """A picture that was found.

    Attributes:
        facts: Dimensions, format and size; when and with what it was taken.
        tier: Empty where the search does not tell whether it is a copy.
        says: What the tier means; empty where `why` says all.
        why: In words; empty where `says` or `parts` says all.
        regions: What both show, in the result.
        shape: Width over height.
        saves_bytes: What deduplicating it would free; None where that is not known.
    """

    rank: int
    digest: str
    title: str
    facts: tuple[str, ...]
    tier: str
    relation: str
    score: float
    says: str
    why: str
    parts: tuple[PartView, ...]
    regions: tuple[RegionView, ...]
    shape: float | None
    places: tuple[PlaceView, ...]
    hidden_places: int
    saves_bytes: int | None


@dataclass(frozen=True, slots=True)
class FacetView:
    """What a filter could be set to, with the number of pictures."""

    name: str
    values: tuple[tuple[str, int], ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class SearchView:
    """Everything that the page shows."""

    workspace: str
    made_at: datetime
    version: str
    notes: tuple[str, ...]
    heading: str
    terms: tuple[TermView, ...]
    words: str
    filters: str
    by: str
    weights: tuple[str, ...]
    results: tuple[ResultView, ...]
    results_in_answer: int
    offset: int
    found: int
    found_all: bool
    searched: int
    seconds: str
    cached: bool
    facets: tuple[FacetView, ...]


def describe_search(
    query: Query,
    answer: SearchAnswer,
    *,
    workspace: str,
    made_at: datetime,
    version: str,
    notes: Sequence[str] = (),
    max_results: int = MAX_RESULTS,
) -> SearchView:
    """Describe an answer for the page.

    Args:
        query: What was asked.
        answer: What was found.
        workspace: What to call the workspace.
        made_at: When the answer was given, with a zone.
        version: Of DeepLens.
        notes: Sentences on what the answer does not cover.
        max_results: Results that the page shows, the best first.
    """
    terms = _terms(query, answer)
    shown = answer.results.head(max_results)
    least = "" if answer.found_all else "At least "
    return SearchView(
        workspace=workspace,
        made_at=made_at,
        version=version,
        notes=tuple(notes),
        heading=least + plural(answer.found, *_FOUND_WORDS[answer.by]) if answer.found else "Nothing found",
        terms=terms,
        words=query.words,
        filters=_filters(query.filters),
        by="" if answer.by is None else str(answer.by),
        weights=tuple(f"{name} × {weight:g}" for name, weight in dict(query.weights).items()),
        results=_results(shown, answer, terms),
        results_in_answer=answer.results.height,
        offset=answer.offset,
        found=answer.found,
        found_all=answer.found_all,
        searched=answer.searched,
        seconds=format_seconds(answer.seconds) if answer.seconds >= 1 else f"{max(1, round(answer.seconds * 1000))} ms",
        cached=answer.cached,
        facets=_facets(answer.facets),
    )


def _terms(query: Query, answer: SearchAnswer) -> tuple[TermView, ...]:
    views = []
    for number, term in enumerate(query.terms):
        known = answer.terms[number]["name"] if answer.terms else answer.query["name"]
        share = abs(term.weight)
        is_picture = isinstance(term, ImageTerm)
        crop = term.crop if isinstance(term, ImageTerm) else None
        views.append(
            TermView(
                number=number,
                is_picture=is_picture,
                name=term.text if isinstance(term, TextTerm) else display_path(str(known or term_words(term))),
                weight="" if share == 1.0 else f"× {share:g}",
                is_unlike=term.weight < 0,
                crop=None if crop is None else _box(crop, "this part counts"),
                crop_says="" if crop is None else crop_words(crop),
                # Only a search by parts finds regions, and it is of one picture.
                regions=_asked_regions(answer.results) if is_picture else (),
            )
        )
    return tuple(views)


def _asked_regions(results: pl.DataFrame) -> tuple[tuple[int, RegionView], ...]:
    """Where the results match the picture asked for: of regions that coincide for the most part the best ranked one."""
    regions: list[tuple[int, RegionView]] = []
    for row in results.drop_nulls("region_asked").iter_rows(named=True):
        name = _split(row["path"])[1]
        pair = {"digest_b": row["digest"], "region_b": row["region_asked"]}
        region = region_of(pair, row["digest"], matches=name)
        if region is not None and all(not _coincide(region, other) for _, other in regions):
            regions.append((row["rank"], region))
        if len(regions) == _MAX_REGIONS:
            break
    return tuple(regions)


def _coincide(one: RegionView, other: RegionView) -> bool:
    """Whether the smaller of two regions lies for the most part in the other."""
    across = _shared(one.left_percent, one.width_percent, other.left_percent, other.width_percent)
    down = _shared(one.top_percent, one.height_percent, other.top_percent, other.height_percent)
    smaller = min(view.width_percent * view.height_percent for view in (one, other))
    return across * down > smaller / 2


def _shared(begin: float, length: float, other_begin: float, other_length: float) -> float:
    return max(0.0, min(begin + length, other_begin + other_length) - max(begin, other_begin))


def _box(crop: Box, says: str) -> RegionView:
    left, top, right, bottom = crop
    return RegionView(
        left_percent=round(100 * left, 2),
        top_percent=round(100 * top, 2),
        width_percent=round(100 * (right - left), 2),
        height_percent=round(100 * (bottom - top), 2),
        says=says,
    )


def _filters(filters: SearchFilters) -> str:
    if filters == SearchFilters():
        return ""
    from deeplens_kit.search.where import text_of

    return text_of(filters)


def _results(shown: pl.DataFrame, answer: SearchAnswer, terms: Sequence[TermView]) -> tuple[ResultView, ...]:
    digests = shown["digest"].implode()
    places = answer.places.filter(pl.col("digest").is_in(digests)).partition_by("digest", as_dict=True)
    parts = answer.parts.filter(pl.col("digest").is_in(digests)).partition_by("digest", as_dict=True)
    return tuple(
        _result(row, places.get((row["digest"],)), parts.get((row["digest"],)), terms, answer.by)
        for row in shown.iter_rows(named=True)
    )


def _result(
    row: Mapping[str, Any],
    places: pl.DataFrame | None,
    parts: pl.DataFrame | None,
    terms: Sequence[TermView],
    by: SearchBy | None,
) -> ResultView:
    digest = row["digest"]
    region = row.get("region_found")
    pair = {"digest_b": digest, "region_b": region}
    drawn = region_of(pair, digest, matches="what was asked for") if region is not None else None
    objects = _objects(row, places)
    says, made_of = _says(row, by), _parts(parts, terms)
    return ResultView(
        rank=row["rank"],
        digest=digest,
        title=_split(row["path"])[1],
        facts=_facts(row),
        tier=row["tier"] if by in (SearchBy.COPIES, SearchBy.PARTS) or row["tier"] == Tier.BYTES else "",
        relation=row.get("relation") or "",
        score=row["score"],
        says=says,
        # In full beside it: the parts, or that it is the very file.
        why="" if made_of or (says and row["tier"] == Tier.BYTES) else row["why"],
        parts=made_of,
        regions=() if drawn is None else (drawn,),
        shape=shape_of(row),
        places=objects[:_MAX_PLACES],
        hidden_places=max(0, len(objects) - _MAX_PLACES),
        saves_bytes=row.get("saves_bytes"),
    )


def _says(row: Mapping[str, Any], by: SearchBy | None) -> str:
    if row["tier"] == Tier.BYTES:
        return tier_words(row["tier"]).capitalize()
    # What parts have in common `why` tells; likeness and words are no evidence for a copy, nor against one.
    if by is not SearchBy.COPIES:
        return ""
    if row["tier"] == Tier.COPY:
        return f"{score_words(row['score']).capitalize()} evidence: {tier_words(row['tier'])}"
    return tier_words(row["tier"]).capitalize()


def _facts(row: Mapping[str, Any]) -> tuple[str, ...]:
    shape = f"{row['width_px']:,} × {row['height_px']:,} px, {row['format']}, {format_bytes(row['size_bytes'])}"
    taken = [f"taken {row['taken_at']:%-d %B %Y, %H:%M}"] if row["taken_at"] is not None else []
    camera = [display_path(row["camera"])] if row["camera"] else []
    return (shape, ", ".join([*taken, *camera])) if taken or camera else (shape,)


def _parts(parts: pl.DataFrame | None, terms: Sequence[TermView]) -> tuple[PartView, ...]:
    if parts is None:
        return ()
    names = {term.number: term.name for term in terms}
    ordered = parts.sort("term", "feature")
    return tuple(
        PartView(names.get(row["term"], ""), row["feature"], row["similarity"], row["weight"])
        for row in ordered.iter_rows(named=True)
    )


def _objects(row: Mapping[str, Any], places: pl.DataFrame | None) -> tuple[PlaceView, ...]:
    """The place that stands for the picture, and then all others."""
    first = (row["location"], row["path"])
    others = [] if places is None else [pair for pair in places.select("location", "path").iter_rows() if pair != first]
    return tuple(PlaceView(display_path(location), *_split(path)) for location, path in [first, *others])


def _split(path: str) -> tuple[str, str]:
    folder, slash, name = path.rpartition("/")
    return display_path(folder) + slash, display_path(name)


def _facets(facets: pl.DataFrame) -> tuple[FacetView, ...]:
    views = []
    for (name,), values in facets.partition_by("facet", as_dict=True, maintain_order=True).items():
        ranked = values.sort("pictures", "value", descending=[True, False]).select("value", "pictures")
        first = tuple((display_path(value), count) for value, count in ranked.head(_MAX_FACET_VALUES).iter_rows())
        views.append(FacetView(str(name), first, ranked.height - len(first)))
    return tuple(views)
