"""The command that searches: have we got this picture, what is like it, where is such a thing?

Takes pictures, words and filters, gives what is found with every place; indexes nothing.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import typer

from deeplens_kit.cli.answers import Csv, Json, check_outputs
from deeplens_kit.cli.choices import chosen
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.search_answer import answer_search
from deeplens_kit.cli.search_options import (
    SEARCH_WAYS,
    AllowPrivate,
    By,
    Crops,
    Facets,
    Formats,
    Html,
    Images,
    Like,
    Limit,
    Locations,
    MaxSize,
    MinSide,
    MinSize,
    Offset,
    Save,
    Texts,
    Threshold,
    TierOfSearch,
    UnlikeImages,
    UnlikeTexts,
    Weight,
    Weights,
    Where,
    Words,
)
from deeplens_kit.cli.search_terms import terms_of, weights_of
from deeplens_kit.cli.sizes import given_bytes
from deeplens_kit.errors import SettingsError

if TYPE_CHECKING:
    from deeplens_kit.search import SearchFilters

__all__ = ["search"]


def search(
    context: typer.Context,
    image: Images = None,
    text: Texts = None,
    like: Like = None,
    unlike_image: UnlikeImages = None,
    unlike_text: UnlikeTexts = None,
    crop: Crops = None,
    weight: Weight = None,
    weights: Weights = None,
    by: By = None,
    words: Words = "",
    where: Where = "",
    location: Locations = None,
    picture_format: Formats = None,
    min_size: MinSize = None,
    max_size: MaxSize = None,
    min_side: MinSide = 0,
    threshold: Threshold = 0.0,
    tier: TierOfSearch = None,
    limit: Limit = 20,
    offset: Offset = 0,
    facets: Facets = False,
    allow_private: AllowPrivate = False,
    html: Html = None,
    save: Save = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Search the indexed pictures by pictures, by words, or by both: for copies, likeness, or a part in common."""
    check_outputs(csv, html=html)
    sizes = (given_bytes("--min-size", min_size) or 0, given_bytes("--max-size", max_size))
    terms = terms_of(context)
    with opened(context, csv, html) as workspace:
        from deeplens_kit.search import Query, SearchBy, SearchFilters

        filters = SearchFilters(
            locations=tuple(location or ()),
            formats=tuple(picture_format or ()),
            min_bytes=sizes[0],
            max_bytes=sizes[1],
            min_side_px=min_side,
            min_score=threshold,
            tiers=tuple(tier or ()),  # type: ignore[arg-type]
        )
        way = chosen("way to search", [by] if by is not None else None, SEARCH_WAYS)
        query = Query(
            terms,
            by=SearchBy(way[0]) if way else None,
            weights=weights_of(weights),
            words=words,
            filters=_joined(filters, where),
            limit=limit,
            offset=offset,
            facets=facets,
            allow_private=allow_private,
        )
        answer_search(workspace, query, command="search", as_json=as_json, csv=csv, html=html, facets=facets, save=save)


def _joined(given: SearchFilters, where: str) -> SearchFilters:
    """The filters of single options and those of --where together.

    Raises:
        SettingsError: Both say the same filter.
    """
    if not where.strip():
        return given
    from deeplens_kit.search.where import filters_of

    said, default = filters_of(where), type(given)()
    changed = {}
    for item in fields(given):
        value, plain = getattr(given, item.name), getattr(default, item.name)
        if value == plain:
            continue
        if getattr(said, item.name) != plain:
            raise SettingsError(
                f"--where and an option of its own both set {item.name.replace('_', ' ')}; say it in one of them."
            )
        changed[item.name] = value
    return replace(said, **changed)
